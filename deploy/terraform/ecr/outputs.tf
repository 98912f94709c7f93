output "rule_arn" {
  description = "The rule that picks the pushes."
  value       = aws_cloudwatch_event_rule.push.arn
}

output "api_destination_arn" {
  description = "The API destination that posts them."
  value       = aws_cloudwatch_event_api_destination.landfall.arn
}

output "role_arn" {
  description = "The role that EventBridge posts with."
  value       = aws_iam_role.invoke.arn
}

output "endpoint" {
  description = "Where it posts to."
  value       = local.endpoint
}

output "dead_letter_queue_url" {
  description = "The queue of what was given up, where one was made."
  value       = one(aws_sqs_queue.dead_letters[*].url)
}
