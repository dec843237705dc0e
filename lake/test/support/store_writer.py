"""Responsible for stores for tests, written as docs/format.md specifies, independent of the committer.

It writes what the committer reads: manifests, parts in Parquet, tombstones, signatures and keys.
"""

import hashlib
import json
from collections import Counter
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TIME = pa.timestamp("us", tz="UTC")
# Enough columns for all types that a dataset can have.
COLUMNS = [
    ("snapshot_at", TIME),
    ("verdict", pa.string()),
    ("account", pa.string()),
    ("region", pa.string()),
    ("project_id", pa.string()),
    ("host_id", pa.string()),
    ("agent_status", pa.string()),
    ("protect_status", pa.string()),
    ("is_container_node", pa.bool_()),
    ("asset", pa.int32()),
    ("total", pa.int64()),
    ("extra", pa.string()),
]
CHANGES = [("snapshot_at", TIME), ("region", pa.string()), ("project_id", pa.string()), ("host_id", pa.string())]
START = datetime(2026, 11, 1, tzinfo=timezone.utc)


def name_of(moment):
    return moment.strftime("%Y%m%dT%H%M%SZ")


def sha256_of(data):
    return hashlib.sha256(data).hexdigest()


def encode(columns, rows):
    """The bytes of a Parquet file with these rows, as dicts. host_id is required, as in the exporter's files."""
    schema = pa.schema([pa.field(name, kind, nullable=name != "host_id") for name, kind in columns])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema), sink, compression="gzip")
    return sink.getvalue().to_pybytes()


class Target:
    """One target of a store in a folder. `truth`: {snapshot: host ids} of all complete snapshots with rows.

    `sealed`: {snapshot: row} of all snapshots, as the table of the snapshots must have it.
    """

    def __init__(self, folder, region="cn-north-4", project="0" * 31 + "1", table="nodes", dataset="container_nodes"):
        self.folder, self.region, self.project, self.table, self.dataset = folder, region, project, table, dataset
        self.path = f"rgn={region}/prj={project}"
        self.previous, self.key, self.truth, self.changes, self.manifests, self.sealed = None, None, {}, {}, {}, {}
        self.moment = START

    def write(self, key, data):
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def sign(self, key, data):
        public = self.key.public_key()
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.write(f"_keys/{sha256_of(der)[:16]}.pem", pem)
        return {"keyId": sha256_of(der)[:16]}

    def part(self, role, suffix, name, data, rows):
        day = f"{name[:4]}-{name[4:6]}-{name[6:8]}"
        key = f"{self.table}{suffix}/dt={day}/{self.path}/{name}-{sha256_of(data)[:12]}.parquet"
        self.write(key, data)
        return {
            "role": role,
            "format": "parquet",
            "key": key,
            "rows": rows,
            "bytes": len(data),
            "sha256": sha256_of(data),
        }

    def seal(
        self, hosts=("a", "b"), verdict="complete", moment=None, changed=(), columns=COLUMNS, version=1, more=None
    ):
        """Write a snapshot and return its name. `more`: {column: value} of every row."""
        self.moment = moment or self.moment + timedelta(hours=6)
        name = name_of(self.moment)
        base = {
            "snapshot_at": self.moment,
            "region": self.region,
            "project_id": self.project,
            "account": "prod",
            "verdict": verdict,
            "total": 2**60,
            "asset": None,
            "extra": "",
        }
        rows = [{**base, "host_id": host, **(more or {})} for host in sorted(hosts)]
        parts = [self.part("rows", "", name, encode(columns, rows), len(rows))]
        if changed:
            data = encode(CHANGES, [{**base, "host_id": host} for host in changed])
            parts.append(self.part("changes", "_changes", name, data, len(changed)))
        sealed = {
            "account": "prod",
            "region": self.region,
            "project_id": self.project,
            "snapshot": name,
            "snapshot_at": self.moment,
            "started_at": self.moment + timedelta(milliseconds=123),
            "sealed_at": self.moment + timedelta(minutes=5),
            "verdict": verdict,
            "rows": len(rows),
            "rejects": len(self.manifests) % 3,
            "schema_version": version,
            "unprotected": len([row for row in rows if row.get("protect_status") != "opened"]),
            "offline": len([row for row in rows if row.get("agent_status") == "offline"]),
            "added": 0 if self.previous else None,
            "removed": 0 if self.previous else None,
            "changed": len(changed) if self.previous else None,
            "previous_snapshot": self.previous and self.previous["snapshot"],
        }
        manifest = {
            "manifestVersion": 1,
            "dataset": self.dataset,
            "table": self.table,
            "schemaVersion": version,
            "snapshot": name,
            "scope": {"account": "prod", "region": self.region, "projectId": self.project},
            "startedAt": f"{self.moment.isoformat()[:19]}.123Z",
            "sealedAt": f"{sealed['sealed_at'].isoformat()[:19]}.000Z",
            "verdict": verdict,
            "rows": len(rows),
            "rejects": sealed["rejects"],
            "values": {
                "protect_status": dict(Counter(row["protect_status"] for row in rows if row.get("protect_status"))),
                "agent_status": dict(Counter(row["agent_status"] for row in rows if row.get("agent_status"))),
            },
            "changes": {"added": 0, "removed": 0, "changed": len(changed)} if self.previous else None,
            "parts": parts,
            "previous": self.previous,
            "signing": self.sign("", b"") if self.key else None,
        }
        data = (json.dumps(manifest, separators=(",", ":")) + "\n").encode()
        if self.key:
            self.write(f"_signatures/{self.table}/{self.path}/{name}.sig", self.key.sign(data))
        self.write(self.manifest_key(name), data)
        self.previous = {"snapshot": name, "manifestSha256": sha256_of(data)}
        self.manifests[name], self.sealed[name] = manifest, sealed
        if verdict == "complete" and rows:
            self.truth[name] = sorted(hosts)
            if changed:
                self.changes[name] = sorted(changed)
        return name

    def manifest_key(self, name):
        return f"_manifests/{self.table}/{self.path}/{name}.json"

    def manifest_file(self, name):
        return self.folder / self.manifest_key(name)

    def part_file(self, name, role="rows"):
        return self.folder / next(part["key"] for part in self.manifests[name]["parts"] if part["role"] == role)

    def prune(self, name, delete=True):
        """Write a tombstone, and delete the rows as `prune` does after the grace period."""
        manifest = self.manifest_file(name).read_bytes()
        tombstone = {
            "table": self.table,
            "region": self.region,
            "projectId": self.project,
            "snapshot": name,
            "manifestSha256": sha256_of(manifest),
            "parts": [part["key"] for part in self.manifests[name]["parts"] if part["role"] != "changes"],
            "prunedAt": "2026-11-26T00:00:00.000Z",
            "rule": "all: 30d",
            "signing": self.sign("", b"") if self.key else None,
        }
        key = f"_pruned/{self.table}/{self.path}/{name}"
        data = json.dumps(tombstone).encode()
        if self.key:
            self.write(f"{key}.sig", self.key.sign(data))
        self.write(f"{key}.json", data)
        if delete:
            self.part_file(name).unlink()
        self.truth.pop(name, None)
