# Owns the same deployment as serverless.yml, for those who keep theirs in Terraform. Made from the same zip: npx serverless package
# Source: terraform-provider-huaweicloud, docs/resources/fgs_function.md, fgs_function_trigger.md,
# fgs_async_invoke_configuration.md, read 2026-11-24.

terraform {
  required_providers {
    huaweicloud = {
      source  = "huaweicloud/huaweicloud"
      version = ">= 1.64.0"
    }
  }
}

variable "region" {
  type    = string
  default = "cn-south-4"
}

variable "zip" {
  type        = string
  description = "What `npx serverless package` wrote, with cgs-export.yml in it."
  default     = "../../.serverless/collect.zip"
}

variable "agency" {
  type        = string
  description = "May list container nodes, and read and write the bucket."
  default     = "cgs-export"
}

variable "failure_topic_urn" {
  type        = string
  description = "The SMN topic that hears of what a person must act on."
}

variable "secrets" {
  type        = map(string)
  description = "What cgs-export.yml takes as $${NAME}, where the agency is not enough. Ends up in the state: encrypt that."
  default     = {}
  sensitive   = true
}

provider "huaweicloud" {
  region = var.region
}

resource "huaweicloud_fgs_function" "collect" {
  name                  = "cgs-export-collect"
  app                   = "default"
  description           = "Goes on with the snapshots that are due, as far as the quota allows."
  functiongraph_version = "v2"
  runtime               = "Node.js20.15"
  handler               = "index.handler"
  memory_size           = 256
  timeout               = 120
  agency                = var.agency
  max_instance_num      = "1"
  code_type             = "zip"
  code_filename         = "collect.zip"
  func_code             = filebase64(var.zip)
  encrypted_user_data   = length(var.secrets) > 0 ? jsonencode(var.secrets) : null
}

resource "huaweicloud_fgs_function_trigger" "every_minute" {
  function_urn = huaweicloud_fgs_function.collect.urn
  type         = "TIMER"
  status       = "ACTIVE"
  event_data = jsonencode({
    name          = "every-minute"
    schedule_type = "Rate"
    schedule      = "1m"
  })

  # What fires is always configured as a whole.
  depends_on = [huaweicloud_fgs_async_invoke_configuration.collect]
}

resource "huaweicloud_fgs_async_invoke_configuration" "collect" {
  function_urn                   = huaweicloud_fgs_function.collect.urn
  max_async_event_age_in_seconds = 3600
  # 0: each fault is thrown by one invocation only. A retry would succeed, and the topic never hear of it.
  max_async_retry_attempts = 0

  on_failure {
    destination = "SMN"
    param       = jsonencode({ topic_urn = var.failure_topic_urn })
  }
}
