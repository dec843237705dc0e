"""Responsible for the list with Sling: an API specification, to one file of JSON lines (for Parquet, it downloads DuckDB).

Settings: offset pagination as in the documentation, its own `rate` (requests per second) that keeps the quota, one request
at a time, a rule that retries 429 and 5xx, and the primary key, with which Sling leaves out records that it has seen.
"""

import json
import os
import pathlib

import sling_linux_amd64
from task import HEADERS, OUT, PAGE, PARAMETERS, PATH_OF_LIST, QUOTA, URL

specification = {
    "name": "nodes",
    "defaults": {
        "request": {
            "headers": HEADERS,
            "concurrency": 1,
            "rate": QUOTA[0] / QUOTA[1] if QUOTA else 1000,
        }
    },
    "endpoints": {
        "nodes": {
            "state": {"offset": 0, "limit": PAGE},
            "request": {
                "url": URL + PATH_OF_LIST,
                "parameters": {
                    **PARAMETERS,
                    "limit": "${state.limit}",
                    "offset": "${state.offset}",
                },
            },
            "pagination": {
                "next_state": {"offset": "${state.offset + state.limit}"},
                "stop_condition": "length(response.records) < state.limit",
            },
            "response": {
                "records": {"jmespath": "data_list[]", "primary_key": ["host_id"]},
                "rules": [
                    {
                        "action": "retry",
                        "condition": "response.status == 429 || response.status >= 500",
                        "max_attempts": 5,
                        "backoff": "constant",
                        "backoff_base": QUOTA[1] if QUOTA else 1,
                    }
                ],
            },
        }
    },
}
# YAML contains JSON.
pathlib.Path(OUT, "nodes.yaml").write_text(json.dumps(specification))
program = pathlib.Path(sling_linux_amd64.__file__).parent / "bin" / "sling-linux-amd64"
connection = json.dumps({"type": "api", "spec": f"file://{OUT}/nodes.yaml"})
environment = os.environ | {"NODES": connection, "SLING_DISABLE_TELEMETRY": "true", "HOME": OUT}
target = f"file://{OUT}/nodes.jsonl"
arguments = ["run", "--src-conn", "NODES", "--src-stream", "nodes", "--tgt-object", target]
os.execve(program, [str(program), *arguments], environment)
