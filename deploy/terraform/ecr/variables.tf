variable "aws_region" {
  description = "The region of the ECR registry. EventBridge sees the pushes of its own region alone."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region must be a region such as eu-central-1."
  }
}

variable "webhook_url" {
  description = "landfall's webhook door, as EventBridge reaches it: https://HOST/webhook. The type is added."
  type        = string

  validation {
    condition     = can(regex("^https://[^/?#@]+/[^?#]*([?]type=(cloudevents|eventbridge))?$", var.webhook_url))
    error_message = "webhook_url must be https://HOST/webhook, with no query but the type: EventBridge posts to nothing else than https, and the secret goes in a header."
  }
}

variable "webhook_secret" {
  description = "What landfall has as CLOUDEVENTS_WEBHOOK_SECRET, or as EVENTBRIDGE_WEBHOOK_SECRET where transform is false. Sent as the header X-Webhook-Secret."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[!-~]{16,512}$", var.webhook_secret))
    error_message = "webhook_secret must have 16 to 512 visible ASCII characters; `openssl rand -hex 32` makes one."
  }
}

variable "transform" {
  description = "true: post the CloudEvent that Argo CD Image Updater understands, to the type cloudevents. false: post the event as EventBridge has it, to the type eventbridge, which landfall alone understands."
  type        = bool
  default     = true
  nullable    = false
}

variable "ecr_repository_filter" {
  description = "The repositories whose pushes are posted, all if empty. A * stands for any characters: team/*."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.ecr_repository_filter : can(regex("^[a-z0-9*][a-z0-9*._/-]*$", name))])
    error_message = "ecr_repository_filter must list names of repositories without their registry, such as shop/api or team/*."
  }

  validation {
    condition     = alltrue([for name in var.ecr_repository_filter : !strcontains(name, "**")])
    error_message = "ecr_repository_filter: EventBridge refuses two * in a row."
  }
}

variable "name" {
  description = "The name of all that is made, and the beginning of names that say more."
  type        = string
  default     = "argocd-image-updater-ecr-push"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,48}$", var.name))
    error_message = "name must have 1 to 48 letters, digits, - and _."
  }
}

variable "invocations_per_second" {
  description = "How many posts a second landfall gets at most; EventBridge keeps the others back."
  type        = number
  default     = 10

  validation {
    condition     = var.invocations_per_second >= 1 && var.invocations_per_second <= 300 && floor(var.invocations_per_second) == var.invocations_per_second
    error_message = "invocations_per_second must be a whole number from 1 to 300."
  }
}

variable "maximum_retry_attempts" {
  description = "How often EventBridge tries a post again that failed."
  type        = number
  default     = 185

  validation {
    condition     = var.maximum_retry_attempts >= 0 && var.maximum_retry_attempts <= 185
    error_message = "maximum_retry_attempts must be 0 to 185."
  }
}

variable "maximum_event_age_in_seconds" {
  description = "How long EventBridge keeps trying."
  type        = number
  default     = 86400

  validation {
    condition     = var.maximum_event_age_in_seconds >= 60 && var.maximum_event_age_in_seconds <= 86400
    error_message = "maximum_event_age_in_seconds must be 60 to 86400."
  }
}

variable "create_dead_letter_queue" {
  description = "Make an SQS queue for the events that EventBridge gave up."
  type        = bool
  default     = false
  nullable    = false
}

variable "dead_letter_queue_arn" {
  description = "An SQS queue that exists, for the same. Its policy must let events.amazonaws.com send to it."
  type        = string
  default     = null

  validation {
    condition     = var.dead_letter_queue_arn == null || can(regex("^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.dead_letter_queue_arn))
    error_message = "dead_letter_queue_arn must be the ARN of an SQS standard queue."
  }

  validation {
    condition     = var.dead_letter_queue_arn == null || !var.create_dead_letter_queue
    error_message = "Either create_dead_letter_queue or dead_letter_queue_arn, not both."
  }
}

variable "tags" {
  description = "The tags of all that is made."
  type        = map(string)
  default     = {}
}
