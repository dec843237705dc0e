"""Responsible for the table NAME_snapshots: one row a manifest, written after the rows and changes of its snapshot.

A snapshot is announced only if the records of the other two tables say that its rows and changes are there. These
records are read before each commit, and only move forward. So this holds too if other committers run at the same time.
"""

import pyarrow as pa

from cgs_lake.committing import Committer
from cgs_lake.failure import corrupt
from cgs_lake.records import read_records
from cgs_lake.snapshot_rows import columns_of
from cgs_lake.tables import schema_of

# Of one commit, which writes one small file.
ROWS_MAX = 10_000


class Announcer(Committer):
    """`committers`: those of the tables that must have a snapshot before it is announced."""

    def __init__(self, source, catalog, name, committers, progress):
        super().__init__(source, catalog, name, "snapshots", progress)
        self.committers = committers
        # [(committer, its records)]. Empty: a preview, which assumes that the other tables are committed first.
        self.needed = []

    def commit_next(self, table):
        self.needed = []
        for committer in self.committers:
            other = committer.load()
            self.needed.append((committer, read_records(other.properties) if other else {}))
        return super().commit_next(table)

    def files_max(self):
        return ROWS_MAX

    def rows_of(self, manifest):
        return 1

    def is_ready(self, target, manifest, newest):
        """Whether each table that has a file of a snapshot has committed or skipped it."""
        for committer, records in self.needed:
            part = manifest.parts.get(committer.role)
            is_there = target in records and records[target].has_seen(manifest.snapshot)
            if is_there or manifest.verdict != "complete" or part is None or part.rows == 0:
                continue
            # A table is not created for pruned files alone, so it has no record of them.
            if committer.role != "rows" or not self.source.is_pruned(target, manifest, newest):
                return False
        return True

    def skip_reason(self, target, manifest, record, newest):
        if manifest.dataset != self.source.dataset:
            raise corrupt(manifest.key, f"is of the dataset {manifest.dataset}, not {self.source.dataset}")
        return None

    def read_schemas(self, files):
        return {0: (self.name, schema_of(columns_of(self.source.dataset)))}

    def stop_at_damaged(self, step):
        return False

    def targets_in(self, table, targets):
        """Which of the targets the table has rows of. A file has rows of many targets: its bounds do not say which."""
        found = table.scan(selected_fields=("region", "project_id")).to_arrow().group_by(["region", "project_id"])
        pairs = found.aggregate([]).to_pylist()
        return {(one["region"], one["project_id"]) for one in pairs} & targets

    def add(self, transaction, step):
        rows = [manifest.row for _, manifest in step.files]
        transaction.append(pa.Table.from_pylist(rows, columns_of(self.source.dataset)))
