"""Responsible for the list with the official SDK: a loop over offset and limit, to JSON lines.

Settings: a sleep between two requests that keeps the quota, and the SDK's own retry of 429, 5xx and lost connections: its
largest number, 10, with a wait of one window. It signs each request, as the SDK does by default.
"""

import json
import os
import pathlib
import time

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException
from huaweicloudsdkcore.retry.backoff_strategy import BackoffStrategy
from huaweicloudsdkhss.v5 import HssClient, ListContainerNodesRequest
from task import OUT, PAGE, PARAMETERS, PROJECT, QUOTA, URL, say

wait = QUOTA[1] if QUOTA else 1


class Window(BackoffStrategy):
    def calculate_retry_delay_millis(self, retries):
        return int(wait * 1000)


def is_transient(_, error):
    if isinstance(error, ServiceResponseException):
        return error.status_code == 429 or error.status_code >= 500
    return error is not None


credentials = BasicCredentials(os.environ["PEER_AK"], os.environ["PEER_SK"], PROJECT)
client = HssClient.new_builder().with_credentials(credentials).with_endpoint(URL).build()
offset = 0
with pathlib.Path(OUT, "nodes.jsonl").open("w") as file:
    while True:
        request = ListContainerNodesRequest(limit=PAGE, offset=offset, **PARAMETERS)
        invoker = client.list_container_nodes_invoker(request)
        page = invoker.with_retry(is_transient, 10, Window()).invoke()
        for node in page.data_list:
            file.write(json.dumps(node.to_dict()) + "\n")
        offset += PAGE
        if offset >= page.total_num:
            break
        if QUOTA:
            time.sleep(QUOTA[1] / QUOTA[0])
say("nothing, exit code 0")
