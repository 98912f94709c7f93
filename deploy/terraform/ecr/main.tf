# Pushes to ECR → a rule of EventBridge → an API destination → landfall's webhook door.

data "aws_caller_identity" "current" {}

resource "aws_cloudwatch_event_rule" "push" {
  name          = var.name
  description   = "Images with a tag that were pushed to ECR, for landfall"
  event_pattern = local.event_pattern
}

resource "aws_cloudwatch_event_connection" "landfall" {
  name               = var.name
  description        = "The secret of landfall's webhook door"
  authorization_type = "API_KEY"

  auth_parameters {
    api_key {
      key   = "X-Webhook-Secret"
      value = var.webhook_secret
    }
  }
}

resource "aws_cloudwatch_event_api_destination" "landfall" {
  name                             = var.name
  description                      = "landfall's webhook door"
  invocation_endpoint              = local.endpoint
  http_method                      = "POST"
  invocation_rate_limit_per_second = var.invocations_per_second
  connection_arn                   = aws_cloudwatch_event_connection.landfall.arn
}

resource "aws_cloudwatch_event_target" "landfall" {
  rule      = aws_cloudwatch_event_rule.push.name
  target_id = "landfall"
  arn       = aws_cloudwatch_event_api_destination.landfall.arn
  role_arn  = aws_iam_role.invoke.arn

  retry_policy {
    maximum_retry_attempts       = var.maximum_retry_attempts
    maximum_event_age_in_seconds = var.maximum_event_age_in_seconds
  }

  dynamic "input_transformer" {
    for_each = var.transform ? [local.input_template] : []

    content {
      input_paths    = local.input_paths
      input_template = input_transformer.value
    }
  }

  dynamic "dead_letter_config" {
    for_each = concat(aws_sqs_queue.dead_letters[*].arn, var.dead_letter_queue_arn[*])

    content {
      arn = dead_letter_config.value
    }
  }
}

# EventBridge may post to this one destination, for this one rule.
data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.push.arn]
    }
  }
}

data "aws_iam_policy_document" "invoke" {
  statement {
    actions   = ["events:InvokeApiDestination"]
    resources = [aws_cloudwatch_event_api_destination.landfall.arn]
  }
}

resource "aws_iam_role" "invoke" {
  name_prefix        = "landfall-ecr-"
  description        = "Lets EventBridge post to landfall's webhook door"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "invoke" {
  name   = "invoke-api-destination"
  role   = aws_iam_role.invoke.id
  policy = data.aws_iam_policy_document.invoke.json
}
