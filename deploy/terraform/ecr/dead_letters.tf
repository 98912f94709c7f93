# Where events go that EventBridge gave up, if that is asked for.

resource "aws_sqs_queue" "dead_letters" {
  count = var.create_dead_letter_queue ? 1 : 0

  name = "${var.name}-dead-letters"
  # As long as SQS can: somebody has to look.
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

data "aws_iam_policy_document" "dead_letters" {
  count = var.create_dead_letter_queue ? 1 : 0

  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters[0].arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.push.arn]
    }
  }
}

resource "aws_sqs_queue_policy" "dead_letters" {
  count = var.create_dead_letter_queue ? 1 : 0

  queue_url = aws_sqs_queue.dead_letters[0].id
  policy    = data.aws_iam_policy_document.dead_letters[0].json
}
