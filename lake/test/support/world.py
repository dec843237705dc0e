"""Responsible for running the committer on a store with a catalog, and for reading what the tables have."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from pyiceberg.catalog import load_catalog

from cgs_lake import cli

LAKE = Path(__file__).parents[2]


class World:
    """`table` is the name of the Iceberg table. `properties` are those of the catalog."""

    def __init__(self, store, properties, table="security.nodes"):
        self.store, self.properties, self.table = store, properties, table

    def arguments(self, command, *more):
        properties = [f"--property={name}={value}" for name, value in self.properties.items()]
        return [command, f"--store={self.store}", "--catalog=lake", f"--table={self.table}", *properties, *more]

    def start(self, *more):
        """Start a committer in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "cgs_lake", *self.arguments("commit", "--json", *more)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(LAKE)},
        )

    def catalog(self):
        return load_catalog("lake", **self.properties)

    def load(self, suffix=""):
        return self.catalog().load_table(self.table + suffix)

    def rows(self, suffix=""):
        """{(region, project id, snapshot): sorted host ids}, with one entry for each row."""
        found = self.load(suffix).scan(selected_fields=("region", "project_id", "snapshot_at", "host_id")).to_arrow()
        rows = {}
        for row in found.to_pylist():
            name = row["snapshot_at"].strftime("%Y%m%dT%H%M%SZ")
            rows.setdefault((row["region"], row["project_id"], name), []).append(row["host_id"])
        return {key: sorted(hosts) for key, hosts in rows.items()}

    def own_files(self):
        """The data files that the committer wrote, but for those of the snapshots."""
        folder = Path(self.properties["warehouse"].removeprefix("file://"))
        return [path for path in folder.rglob("*.parquet") if f"{self.table.split('.')[-1]}_snapshots" not in str(path)]

    def announced(self):
        """The rows of NAME_snapshots, sorted."""
        rows = self.load("_snapshots").scan().to_arrow().to_pylist()
        return sorted(rows, key=lambda row: (row["region"], row["project_id"], row["snapshot"]))


def run(capsys, arguments):
    """Return (exit code, the JSON result) of a command in this process."""
    capsys.readouterr()
    code = cli.main(arguments)
    return code, json.loads(capsys.readouterr().out)


def truth_of(*targets, changes=False):
    return {
        (target.region, target.project, name): hosts
        for target in targets
        for name, hosts in (target.changes if changes else target.truth).items()
    }


def announced_of(*targets):
    """What NAME_snapshots must have of everything that was sealed."""
    rows = [row for target in targets for row in target.sealed.values()]
    return sorted(rows, key=lambda row: (row["region"], row["project_id"], row["snapshot"]))


def names_of(entries):
    return Counter(entry["snapshot"] for entry in entries)
