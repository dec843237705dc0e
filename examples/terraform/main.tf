# The same deployment as serverless.yml, with Terraform. It uses the same zips: npx serverless package
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

variable "zips" {
  type        = string
  description = "The folder with the zips that `npx serverless package` wrote, with cgs-export.yml in each."
  default     = "../../.serverless"
}

variable "agency" {
  type        = string
  description = "The IAM agency of the function collect. It must be allowed to list container nodes and to read and write the bucket."
  default     = "cgs-export"
}

variable "prune_agency" {
  type        = string
  description = "The IAM agency of the function prune: it must be allowed to read, write and delete in the bucket."
  default     = "cgs-export"
}

variable "report_agency" {
  type        = string
  description = "The IAM agency of the function report: better one that may only read the bucket and put below _reports/."
  default     = "cgs-export"
}

variable "verify_agency" {
  type        = string
  description = "The IAM agency of the function verify: better one that may only read the bucket and write the pins."
  default     = "cgs-export"
}

variable "failure_topic_urn" {
  type        = string
  description = "The SMN topic that gets a message for each fault that needs action."
}

variable "secrets" {
  type        = map(string)
  description = "Values for $${NAME} in cgs-export.yml, if the agency is not enough. They are stored in the Terraform state: encrypt it."
  default     = {}
  sensitive   = true
}

variable "prune_secrets" {
  type        = map(string)
  description = "The same for the function prune: only the keys of the bucket, and the signing key if there is one."
  default     = {}
  sensitive   = true
}

variable "report_secrets" {
  type        = map(string)
  description = "The same for the function report: only the keys of the bucket and of the pins."
  default     = {}
  sensitive   = true
}

variable "verify_secrets" {
  type        = map(string)
  description = "The same for the function verify: only the keys of the bucket and of the pins."
  default     = {}
  sensitive   = true
}

provider "huaweicloud" {
  region = var.region
}

resource "huaweicloud_fgs_function" "collect" {
  name                  = "cgs-export-collect"
  app                   = "default"
  description           = "Continues the snapshots that are due, as far as the quota allows."
  functiongraph_version = "v2"
  runtime               = "Node.js20.15"
  handler               = "index.handler"
  memory_size           = 256
  timeout               = 120
  agency                = var.agency
  max_instance_num      = "1"
  code_type             = "zip"
  code_filename         = "collect.zip"
  func_code             = filebase64("${var.zips}/collect.zip")
  encrypted_user_data   = length(var.secrets) > 0 ? jsonencode(var.secrets) : null
}

resource "huaweicloud_fgs_function_trigger" "collect_every_minute" {
  function_urn = huaweicloud_fgs_function.collect.urn
  type         = "TIMER"
  status       = "ACTIVE"
  event_data = jsonencode({
    name          = "every-minute"
    schedule_type = "Rate"
    schedule      = "1m"
  })

  # Created last: the timer never starts a function that is only half configured.
  depends_on = [huaweicloud_fgs_async_invoke_configuration.collect]
}

resource "huaweicloud_fgs_async_invoke_configuration" "collect" {
  function_urn                   = huaweicloud_fgs_function.collect.urn
  max_async_event_age_in_seconds = 3600
  # 0, because only one invocation throws each fault: a retry would succeed, and the topic would get no message.
  max_async_retry_attempts = 0

  on_failure {
    destination = "SMN"
    param       = jsonencode({ topic_urn = var.failure_topic_urn })
  }
}

resource "huaweicloud_fgs_function" "prune" {
  name                  = "cgs-export-prune"
  app                   = "default"
  description           = "Deletes the rows that retention no longer keeps."
  functiongraph_version = "v2"
  runtime               = "Node.js20.15"
  handler               = "index.handler"
  memory_size           = 256
  timeout               = 900
  agency                = var.prune_agency
  max_instance_num      = "1"
  code_type             = "zip"
  code_filename         = "prune.zip"
  func_code             = filebase64("${var.zips}/prune.zip")
  encrypted_user_data   = length(var.prune_secrets) > 0 ? jsonencode(var.prune_secrets) : null
}

resource "huaweicloud_fgs_function_trigger" "prune_every_day" {
  function_urn = huaweicloud_fgs_function.prune.urn
  type         = "TIMER"
  status       = "ACTIVE"
  event_data = jsonencode({
    name          = "every-day"
    schedule_type = "Rate"
    schedule      = "1d"
  })

  depends_on = [huaweicloud_fgs_async_invoke_configuration.prune]
}

resource "huaweicloud_fgs_async_invoke_configuration" "prune" {
  function_urn                   = huaweicloud_fgs_function.prune.urn
  max_async_event_age_in_seconds = 3600
  max_async_retry_attempts       = 0

  on_failure {
    destination = "SMN"
    param       = jsonencode({ topic_urn = var.failure_topic_urn })
  }
}

resource "huaweicloud_fgs_function" "report" {
  name                  = "cgs-export-report"
  app                   = "default"
  description           = "Writes a report about the last 30 days into the store."
  functiongraph_version = "v2"
  runtime               = "Node.js20.15"
  handler               = "index.handler"
  memory_size           = 256
  timeout               = 900
  agency                = var.report_agency
  max_instance_num      = "1"
  code_type             = "zip"
  code_filename         = "report.zip"
  func_code             = filebase64("${var.zips}/report.zip")
  encrypted_user_data   = length(var.report_secrets) > 0 ? jsonencode(var.report_secrets) : null
}

resource "huaweicloud_fgs_function_trigger" "report_every_week" {
  function_urn = huaweicloud_fgs_function.report.urn
  type         = "TIMER"
  status       = "ACTIVE"
  event_data = jsonencode({
    name          = "every-week"
    schedule_type = "Rate"
    schedule      = "7d"
  })

  depends_on = [huaweicloud_fgs_async_invoke_configuration.report]
}

resource "huaweicloud_fgs_async_invoke_configuration" "report" {
  function_urn                   = huaweicloud_fgs_function.report.urn
  max_async_event_age_in_seconds = 3600
  max_async_retry_attempts       = 0

  on_failure {
    destination = "SMN"
    param       = jsonencode({ topic_urn = var.failure_topic_urn })
  }
}

resource "huaweicloud_fgs_function" "verify" {
  name                  = "cgs-export-verify"
  app                   = "default"
  description           = "Verifies that the store still holds what was sealed."
  functiongraph_version = "v2"
  runtime               = "Node.js20.15"
  handler               = "index.handler"
  memory_size           = 256
  timeout               = 900
  agency                = var.verify_agency
  max_instance_num      = "1"
  code_type             = "zip"
  code_filename         = "verify.zip"
  func_code             = filebase64("${var.zips}/verify.zip")
  encrypted_user_data   = length(var.verify_secrets) > 0 ? jsonencode(var.verify_secrets) : null
}

resource "huaweicloud_fgs_function_trigger" "verify_every_day" {
  function_urn = huaweicloud_fgs_function.verify.urn
  type         = "TIMER"
  status       = "ACTIVE"
  event_data = jsonencode({
    name          = "every-day"
    schedule_type = "Rate"
    schedule      = "1d"
  })

  depends_on = [huaweicloud_fgs_async_invoke_configuration.verify]
}

resource "huaweicloud_fgs_async_invoke_configuration" "verify" {
  function_urn                   = huaweicloud_fgs_function.verify.urn
  max_async_event_age_in_seconds = 3600
  max_async_retry_attempts       = 0

  on_failure {
    destination = "SMN"
    param       = jsonencode({ topic_urn = var.failure_topic_urn })
  }
}
