"""Responsible for the list with the Airbyte CDK: a declarative manifest, and its messages as JSON lines.

Settings: OffsetIncrement, as the documentation has it for offset and limit. HTTPAPIBudget with the quota as a moving
window. Retries as by default: 5, of 429, 5xx and lost connections. A list without a cursor has no state before its end, so
a second run gets none.
"""

import json
import pathlib

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource
from task import HEADERS, OUT, PAGE, PARAMETERS, PATH_OF_LIST, QUOTA, URL, say

stream = {
    "type": "DeclarativeStream",
    "name": "nodes",
    "primary_key": "host_id",
    "retriever": {
        "type": "SimpleRetriever",
        "record_selector": {
            "type": "RecordSelector",
            "extractor": {"type": "DpathExtractor", "field_path": ["data_list"]},
        },
        "paginator": {
            "type": "DefaultPaginator",
            "pagination_strategy": {
                "type": "OffsetIncrement",
                "page_size": PAGE,
                "inject_on_first_request": True,
            },
            "page_token_option": {
                "type": "RequestOption",
                "inject_into": "request_parameter",
                "field_name": "offset",
            },
            "page_size_option": {
                "type": "RequestOption",
                "inject_into": "request_parameter",
                "field_name": "limit",
            },
        },
        "requester": {
            "type": "HttpRequester",
            "url_base": URL,
            "path": PATH_OF_LIST,
            "http_method": "GET",
            "request_headers": HEADERS,
            "request_parameters": PARAMETERS,
        },
    },
    "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}},
}
manifest = {
    "version": "7.0.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["nodes"]},
    "streams": [stream],
    "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
}
if QUOTA:
    manifest["api_budget"] = {
        "type": "HTTPAPIBudget",
        "policies": [
            {
                "type": "MovingWindowCallRatePolicy",
                "rates": [{"limit": QUOTA[0], "interval": f"PT{QUOTA[1]:g}S"}],
                "matchers": [{"url_path_pattern": "/container/nodes"}],
            }
        ],
    }
catalog = {
    "streams": [
        {
            "stream": {
                "name": "nodes",
                "json_schema": {"type": "object"},
                "supported_sync_modes": ["full_refresh"],
            },
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
        }
    ]
}

out = pathlib.Path(OUT)
(out / "config.json").write_text("{}")
(out / "catalog.json").write_text(json.dumps(catalog))
arguments = ["read", "--config", f"{OUT}/config.json", "--catalog", f"{OUT}/catalog.json"]
source = ConcurrentDeclarativeSource(
    catalog=ConfiguredAirbyteCatalogSerializer.load(catalog), config={}, source_config=manifest
)
entrypoint = AirbyteEntrypoint(source)
status = None
with (out / "messages.jsonl").open("w") as file:
    for message in entrypoint.run(AirbyteEntrypoint.parse_args(arguments)):
        file.write(message + "\n")
        if '"stream_status"' in message:
            status = json.loads(message)["trace"]["stream_status"]["status"]
say(status)
