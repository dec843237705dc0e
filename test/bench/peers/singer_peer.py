"""Responsible for the list with the Singer SDK: a tap with a RESTStream, and its messages as JSON lines.

Settings: OffsetPaginator of the SDK. The SDK has no rate limit; its documentation has a backoff of one's own for this:
the window of the quota, so that each retry is after a free window. It retries 429, 5xx and lost connections 5 times.
"""

import contextlib
import pathlib

import backoff
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import OffsetPaginator
from task import HEADERS, OUT, PAGE, PARAMETERS, PATH_OF_LIST, QUOTA, URL, say

# The fields of the API, so that the tap keeps them.
TEXTS = [
    "agent_id", "host_id", "host_name", "host_status", "agent_status", "protect_status", "private_ip",
    "public_ip", "enterprise_project_name", "enterprise_project_id", "group_name", "detect_result",
    "policy_group_name", "version",
]  # fmt: skip


class Pages(OffsetPaginator):
    def has_more(self, response):
        return self.current_value + PAGE < response.json()["total_num"]


class Nodes(RESTStream):
    name = "nodes"
    url_base = URL
    path = PATH_OF_LIST
    http_headers = HEADERS
    records_jsonpath = "$.data_list[*]"
    primary_keys = ("host_id",)
    schema = th.PropertiesList(
        *(th.Property(name, th.StringType) for name in TEXTS)
    ).to_dict() | {"additionalProperties": True}

    def get_new_paginator(self):
        return Pages(start_value=0, page_size=PAGE)

    def get_url_params(self, context, next_page_token):
        return {**PARAMETERS, "limit": PAGE, "offset": next_page_token or 0}

    def backoff_wait_generator(self):
        return backoff.constant(interval=QUOTA[1]) if QUOTA else super().backoff_wait_generator()

    def backoff_jitter(self, value):
        return value


class NodesTap(Tap):
    name = "tap-nodes"
    config_jsonschema = th.PropertiesList().to_dict()

    def discover_streams(self):
        return [Nodes(self)]


with (
    pathlib.Path(OUT, "messages.jsonl").open("w") as file,
    contextlib.redirect_stdout(file),
):
    NodesTap(config={}).sync_all()
say("nothing, exit code 0")
