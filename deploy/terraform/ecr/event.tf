# What is posted, and where. Nothing here needs a provider, so that all of it can be computed and tested offline.

locals {
  type     = var.transform ? "cloudevents" : "eventbridge"
  endpoint = "${split("?", var.webhook_url)[0]}?type=${local.type}"

  # Without names there must be no such key: null is no list of patterns, and EventBridge takes nothing else.
  repository_patterns = [
    for name in var.ecr_repository_filter : strcontains(name, "*") ? jsonencode({ wildcard = name }) : jsonencode(name)
  ]
  event_pattern = jsonencode({
    source        = ["aws.ecr"]
    "detail-type" = ["ECR Image Action"]
    detail = merge(
      {
        "action-type" = ["PUSH"]
        result        = ["SUCCESS"]
        # The children of a multi-platform image come without a tag, each as an event of its own.
        "image-tag" = [{ exists = true }]
      },
      { for key, patterns in { "repository-name" = local.repository_patterns } :
      key => [for pattern in patterns : jsondecode(pattern)] if length(patterns) > 0 },
    )
  })

  input_paths = {
    account    = "$.account"
    digest     = "$.detail.image-digest"
    id         = "$.id"
    region     = "$.region"
    repository = "$.detail.repository-name"
    tag        = "$.detail.image-tag"
    time       = "$.time"
  }
  # Text and not jsonencode, which would write < as an escape that EventBridge does not take for a placeholder.
  input_template = <<-EOT
    {
      "specversion": "1.0",
      "id": "<id>",
      "type": "com.amazon.ecr.image.push",
      "source": "urn:aws:ecr:<region>:<account>:repository/<repository>",
      "subject": "<repository>:<tag>",
      "time": "<time>",
      "datacontenttype": "application/json",
      "data": {
        "repositoryName": "<repository>",
        "imageTag": "<tag>",
        "imageDigest": "<digest>",
        "registryId": "<account>"
      }
    }
  EOT
}
