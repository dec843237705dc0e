"""Responsible for the columns of NAME_snapshots, and for the row of a manifest.

They are those of `<table>_snapshots` of `cgs-export ddl`, without `is_pruned` and `parts`.
"""

from datetime import datetime, timezone

import pyarrow as pa

NODES = "container_nodes"
TIME = pa.timestamp("us", tz="UTC")


def columns_of(dataset):
    """The Arrow schema of the table. Only container nodes have `unprotected` and `offline`."""
    texts = ("account", "region", "project_id", "snapshot")
    times = ("snapshot_at", "started_at", "sealed_at")
    measures = ("unprotected", "offline") if dataset == NODES else ()
    return pa.schema(
        [
            *((name, pa.string()) for name in texts),
            *((name, TIME) for name in times),
            ("verdict", pa.string()),
            *((name, pa.int64()) for name in ("rows", "rejects", "schema_version")),
            *((name, pa.int64()) for name in (*measures, "added", "removed", "changed")),
            ("previous_snapshot", pa.string()),
        ]
    )


def row_of(content, snapshot_at):
    """The row of a manifest, as {column: value}. Raises what reading foreign JSON raises if a member is wrong.

    `unprotected`: the rows whose protect_status is not `opened`, null included. A manifest counts no nulls.
    """
    scope, values, previous = content["scope"], content["values"], content["previous"]
    # Null: it was compared with none. A manifest of an earlier build has no such member.
    changes = content.get("changes") or {}
    return {
        "account": text_of(scope["account"]),
        "region": scope["region"],
        "project_id": scope["projectId"],
        "snapshot": content["snapshot"],
        "snapshot_at": snapshot_at,
        "started_at": moment_of(content["startedAt"]),
        "sealed_at": moment_of(content["sealedAt"]),
        "verdict": content["verdict"],
        "rows": count_of(content["rows"]),
        "rejects": count_of(content["rejects"]),
        "schema_version": count_of(content["schemaVersion"]),
        "unprotected": content["rows"] - count_of(values.get("protect_status", {}).get("opened", 0)),
        "offline": count_of(values.get("agent_status", {}).get("offline", 0)),
        **{name: count_of(changes[name]) if changes else None for name in ("added", "removed", "changed")},
        "previous_snapshot": previous and text_of(previous["snapshot"]),
    }


def text_of(value):
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    # Raises ValueError for what JSON can write, but UTF-8 cannot.
    value.encode()
    return value


def count_of(value):
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(f"{value!r} is not a count")
    return value


def moment_of(text):
    """The time of an ISO 8601 text in UTC that ends with Z. Python 3.10 does not read the Z."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc)
