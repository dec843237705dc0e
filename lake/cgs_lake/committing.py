"""Responsible for committing: which files a commit has, and that each snapshot is committed exactly once.

A commit has the files, the records of their targets and new columns together. The catalog accepts it only if the
table's branch is still where it was when the records were read. So a commit that is repeated, or is one of two at the
same time, either starts from the newest records or is refused. After a refusal and after a lost answer, the table is
loaded again.
"""

import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import sha256

from pyiceberg.conversions import from_bytes
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    ServerError,
    ServiceUnavailableError,
    TooManyRequestsError,
)
from pyiceberg.expressions import And, EqualTo, In, Or
from pyiceberg.table.update import AssertRefSnapshotId
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import TimestamptzType
from requests.exceptions import RequestException

from cgs_lake.failure import Failure, corrupt
from cgs_lake.manifests import name_at, time_of
from cgs_lake.records import advance, read_records, to_property
from cgs_lake.tables import add_columns, create_table, load_table, missing_columns, read_rows, read_schema

# Of one commit. Bounds what is repeated after a conflict, and the memory for the footers of the files.
FILES_MAX = 200
ATTEMPTS_MAX = 12
WAIT_MAX_SECONDS = 10
# Snapshots that one commit drops.
DROPS_MAX = 100
UNCERTAIN = (CommitStateUnknownException, ServerError, ServiceUnavailableError, TooManyRequestsError, RequestException)


@dataclass
class Outcome:
    """What was done with one table. Entries are {"region", "projectId", "snapshot"}, of `committed` also "rows"."""

    table: str
    role: str
    commits: int = 0
    committed: list = field(default_factory=list)
    skipped: dict = field(default_factory=lambda: {"drifted": 0, "empty": 0, "pruned": 0})
    dropped: list = field(default_factory=list)
    pending: list = field(default_factory=list)


@dataclass
class Step:
    """The next commit. `seen`: {target: its record after the commit}."""

    seen: dict
    files: list
    skipped: dict


class Committer:
    """`role` is rows or changes; announcing.py has the one for snapshots.

    `progress` is called with a line of text. `sleep` and `rand` are for tests.
    """

    def __init__(self, source, catalog, name, role, progress, sleep=time.sleep, rand=random.random):
        self.source, self.catalog, self.name, self.role = source, catalog, name, role
        self.progress, self.sleep, self.rand = progress, sleep, rand
        self.outcome = Outcome(name, role)
        self.checked = set()

    def commit(self):
        """Commit everything that is pending, then drop what is pruned."""
        self.repeat(self.commit_next)
        if self.role == "rows":
            self.repeat(self.drop_next)
        return self.outcome

    def preview(self):
        """What `commit` would do, as `pending` and `skipped` of the outcome."""
        table = self.load()
        records = read_records(table.properties) if table else {}
        step = self.plan(records, files_max=None)
        self.outcome.pending = [self.describe(target, manifest) for target, manifest in step.files]
        self.outcome.skipped = step.skipped
        if table and self.role == "rows":
            self.outcome.dropped = [name_of(target, name) for target, name in self.find_pruned(table, records)]
        return self.outcome

    def load(self):
        return load_table(self.catalog, self.name, self.source, self.role)

    def files_max(self):
        """How many snapshots with a file one commit has at most."""
        return FILES_MAX

    def rows_of(self, manifest):
        """How many rows the table has of a snapshot that is committed."""
        return manifest.parts[self.role].rows

    def describe(self, target, manifest):
        return {**name_of(target, manifest.snapshot), "rows": self.rows_of(manifest)}

    def repeat(self, do_next):
        """Call `do_next` with a newly loaded table until it says False, also after conflicts and lost answers."""
        attempts, intended = 0, None
        while True:
            try:
                table = self.load()
                if intended and table is not None:
                    # The answer to the last commit was lost. If the table has its records, the commit succeeded.
                    records = read_records(table.properties)
                    if intended.seen and all(records.get(at) == one for at, one in intended.seen.items()):
                        self.count(intended)
                    intended = None
                if not do_next(table):
                    return
                attempts = 0
            except Exception as error:
                intended = getattr(error, "step", intended)
                if not is_repeatable(error):
                    raise
                attempts += 1
                if attempts == ATTEMPTS_MAX:
                    is_conflict = isinstance(error, CommitFailedException)
                    raise Failure(
                        "CONFLICT" if is_conflict else "UNREACHABLE",
                        f"{self.name} was not committed after {attempts} attempts: {error}.",
                        "Run the command again: it continues where it stopped. "
                        + ("Run fewer committers at once." if is_conflict else "Check the catalog and the network."),
                    ) from error
                self.progress(
                    f"{self.name}: attempt {attempts} failed ({type(error).__name__}), loading the table again"
                )
                self.sleep(min(WAIT_MAX_SECONDS, 0.1 * 2**attempts) * self.rand())

    def plan(self, records, files_max):
        """The next step: manifests that follow the records, target by target, up to a number of files."""
        step = Step({}, [], {"drifted": 0, "empty": 0, "pruned": 0})
        for target in self.source.targets(records):
            try:
                self.plan_target(step, target, records.get(target), files_max)
            except Failure as failure:
                self.source.stop(target, failure)
            if files_max is not None and len(step.files) >= files_max:
                break
        return step

    def plan_target(self, step, target, record, files_max):
        pending = self.source.pending(target, record)
        newest = self.source.newest_complete(target, record)
        for manifest in pending:
            is_full = files_max is not None and len(step.files) >= files_max
            if is_full or manifest.sha256 in self.source.ends:
                return
            try:
                if not self.is_ready(target, manifest, newest):
                    return
                reason = self.skip_reason(target, manifest, record, newest)
            except Failure as failure:
                self.source.stop(target, failure, manifest)
                return
            if reason is None:
                step.files.append((target, manifest))
            else:
                step.skipped[reason] += 1
            record = step.seen[target] = advance(record, manifest, self.source.now)

    def is_ready(self, target, manifest, newest):
        """Whether a snapshot can be committed now. If not, its target waits for a later run."""
        return True

    def skip_reason(self, target, manifest, record, newest):
        """Why a snapshot has no file to commit; None: it has one, which is there. `record`: before this manifest."""
        if manifest.dataset != self.source.dataset:
            raise corrupt(manifest.key, f"is of the dataset {manifest.dataset}, not {self.source.dataset}")
        part = manifest.parts.get(self.role)
        if manifest.verdict != "complete":
            return "drifted"
        if part is None or part.rows == 0:
            return "empty"
        # Changes are never pruned.
        can_be_pruned = self.role == "rows"
        if can_be_pruned and self.source.is_pruned(target, manifest, newest):
            return "pruned"
        if part.key in self.checked:
            return None
        try:
            check_part(self.source.store, manifest, part, is_hashed=self.source.signatures is not None)
        except Failure:
            # Perhaps it was pruned after the tombstones were listed.
            self.source.list()
            newest = self.source.newest_complete(target, record)
            if can_be_pruned and self.source.is_pruned(target, manifest, newest):
                return "pruned"
            raise
        self.checked.add(part.key)
        return None

    def commit_next(self, table):
        records = read_records(table.properties) if table else {}
        step = self.plan(records, self.files_max())
        if not step.seen or (table is None and not step.files):
            return False
        try:
            schemas = self.read_schemas(step.files)
            if table is None:
                create_table(self.catalog, self.name, schemas[max(schemas)][1], self.source, self.role)
                # Load it again: another committer can have created it, and can have committed into it.
                if self.load() is None:
                    raise CommitFailedException("the catalog has no such table, but something else of this name")
                return True
            transaction = self.prepare(table, records, step, schemas)
        except (ValueError, OSError, Failure) as error:
            is_of_files = not is_repeatable(error) and getattr(error, "code", None) != "USAGE"
            # Then a target with a damaged file stops there, and the others continue.
            if is_of_files and self.stop_at_damaged(step):
                return True
            raise
        try:
            self.send(transaction)
        except Exception as error:
            error.step = step
            raise
        self.count(step)
        return True

    def prepare(self, table, records, step, schemas):
        """Return a transaction that has everything of a step."""
        missing = []
        for _, (key, schema) in sorted(schemas.items()):
            known = {one.name for one, _ in missing}
            found = missing_columns(table.schema(), schema, key)
            missing += [one for one in found if one[0].name not in known]
        self.refuse_unrecorded(table, records, step)
        transaction = table.transaction()
        self.require_branch(transaction, table)
        if missing:
            add_columns(transaction, missing)
            self.progress(f"{self.name}: new columns {', '.join(one.name for one, _ in missing)}")
        if step.files:
            self.add(transaction, step)
        transaction.set_properties(dict(to_property(target, record) for target, record in step.seen.items()))
        return transaction

    def stop_at_damaged(self, step):
        """Check each file of a step completely, and stop the targets that have a damaged one.

        Return whether any is damaged or was pruned, so that the step must be planned again.
        """
        is_any = False
        for target, manifest in step.files:
            try:
                check_part(self.source.store, manifest, manifest.parts[self.role], is_hashed=True)
                check_rows(self.source.store, manifest, manifest.parts[self.role])
            except Failure as failure:
                is_any = True
                self.source.list()
                if self.role != "rows" or manifest.snapshot not in self.source.tombstones.get(target, {}):
                    self.source.stop(target, failure, manifest)
        return is_any

    def read_schemas(self, files):
        """Return {schemaVersion: (key, schema)}, from one file of each version."""
        first = {manifest.schema_version: manifest.parts[self.role].key for _, manifest in files}
        return {version: (key, read_schema(self.source.store, key)) for version, key in first.items()}

    def refuse_unrecorded(self, table, records, step):
        """A target without a record must have no rows: perhaps its record was removed from the table's properties."""
        new = {target for target, _ in step.files if target not in records}
        for target in sorted(self.targets_in(table, new)) if new else ():
            name, _ = to_property(target, step.seen[target])
            raise Failure(
                "USAGE",
                f"{self.name} has rows of {target[0]}, {target[1]}, but not the property {name}.",
                "Restore the property from an older metadata file of the table, or commit into a new table.",
            )

    def targets_in(self, table, targets):
        """Which of the targets the table has rows of."""
        found = {target_of(table, task.file) for task in table.scan().plan_files()}
        if None not in found:
            return found & targets
        # A file without a target is of another partitioning.
        return {one for one in targets if one in found or any(True for _ in table.scan(where_of(one)).plan_files())}

    def require_branch(self, transaction, table):
        """Let the catalog refuse the commit if another one was faster, also if this one has no files."""
        snapshot = table.current_snapshot()
        requirement = AssertRefSnapshotId(ref="main", snapshot_id=snapshot and snapshot.snapshot_id)
        # PyIceberg has no public call for this. Its version is pinned.
        transaction._apply((), (requirement,))

    def send(self, transaction):
        """Commit, and keep the manifests of a commit that the catalog refuses.

        PyIceberg deletes them. But a refusal can be the answer to a second request: PyIceberg repeats one after 401,
        and so do gateways. If the first one was accepted, the table would name manifests that are gone.
        """
        for producer in transaction._snapshot_producers:
            producer._clean_all_uncommitted = lambda: None
        transaction.commit_transaction()

    def add(self, transaction, step):
        """Register the files of a step."""
        rows = sum(self.rows_of(manifest) for _, manifest in step.files)
        paths = [self.source.store.uri_of(manifest.parts[self.role].key) for _, manifest in step.files]
        try:
            transaction.add_files(paths, check_duplicate_files=False)
        except ValueError as error:
            raise Failure(
                "SCHEMA_CONFLICT",
                f"A file does not fit the table {self.name}: {error}",
                "Nothing was committed. Run `cgs-export verify`; if it finds nothing, commit into a new table.",
            ) from error
        added = int(transaction.table_metadata.current_snapshot().summary["added-records"])
        if added != rows:
            raise Failure(
                "CORRUPT",
                f"The manifests state {rows} rows, the files have {added}.",
                "Nothing was committed. Run `cgs-export verify`, and restore the objects that it names.",
            )

    def count(self, step):
        outcome = self.outcome
        outcome.commits += 1
        outcome.committed += [self.describe(target, manifest) for target, manifest in step.files]
        for reason, number in step.skipped.items():
            outcome.skipped[reason] += number
        rows = sum(self.rows_of(manifest) for _, manifest in step.files)
        self.progress(f"{self.name}: commit {outcome.commits} with {len(step.files)} snapshots, {rows} rows")

    def drop_next(self, table):
        """Drop the rows of pruned snapshots. The files stay: they belong to the store."""
        pruned = self.find_pruned(table, read_records(table.properties)) if table else []
        if not pruned:
            return False
        # All snapshots of one target are one condition: many of them make the delete slow.
        names_of = {}
        for target, name in pruned[:DROPS_MAX]:
            names_of.setdefault(target, []).append(name)
        transaction = table.transaction()
        self.require_branch(transaction, table)
        transaction.delete(any_of([where_of(target, names) for target, names in names_of.items()]))
        self.send(transaction)
        self.outcome.commits += 1
        self.outcome.dropped += [name_of(target, name) for target, name in pruned[:DROPS_MAX]]
        self.progress(f"{self.name}: dropped {len(pruned[:DROPS_MAX])} pruned snapshots")
        return True

    def find_pruned(self, table, records):
        """Return [(target, name)] of pruned snapshots that the table still has rows of, target by target.

        The files say what the table has, not a record: so it is right after a compaction or a rollback too. Only the
        bounds of the times are read. A compacted file that can have rows of a pruned snapshot is read.
        """
        wanted = {
            target: {time_of(name): name for name in self.source.tombstones[target]}
            for target in self.source.targets(records)
            if target in records and target in self.source.tombstones
        }
        found = []
        for target, names in self.names_in_files(table, wanted).items():
            try:
                newest = self.source.newest_complete(target, records[target])
                found += [(target, name) for name in sorted(names) if self.is_dropped(target, name, newest)]
            except Failure as failure:
                self.source.stop(target, failure)
        return found

    def is_dropped(self, target, name, newest):
        key = self.source.keys.get(target, {}).get(name)
        manifest = key and self.source.read(key)
        if manifest is None:
            raise corrupt(self.source.tombstones[target][name], "is a tombstone without its manifest")
        return self.source.is_pruned(target, manifest, newest)

    def names_in_files(self, table, wanted):
        """Return {target: names of snapshots that have rows}. `wanted`: {target: {time: name}}."""
        found = {target: set() for target in wanted}
        unsure = {target: set() for target in wanted}
        field_id = table.schema().find_field("snapshot_at").field_id
        for task in table.scan().plan_files() if wanted else ():
            file_target = target_of(table, task.file)
            first, last = (bound_of(bounds, field_id) for bounds in (task.file.lower_bounds, task.file.upper_bounds))
            # A compaction can write files without bounds.
            has_bounds = first is not None and last is not None
            for target in wanted if file_target is None else {file_target} & wanted.keys():
                times = wanted[target]
                if has_bounds and first == last:
                    inside = {times[first]} if first in times else set()
                    (found if file_target else unsure)[target].update(inside)
                else:
                    inside = {name for at, name in times.items() if not has_bounds or first <= at <= last}
                    unsure[target].update(inside)
        for target, names in unsure.items():
            if names - found[target]:
                found[target] |= self.names_in_rows(table, target, names - found[target])
        return found

    def names_in_rows(self, table, target, names):
        """Read which of the snapshots have rows: for files with several snapshots."""
        column = table.scan(where_of(target, names), selected_fields=("snapshot_at",)).to_arrow()["snapshot_at"]
        return names & {name_at(moment) for moment in column.unique().to_pylist()}


def where_of(target, names=None):
    """The condition for the rows of a target; with names, of these snapshots of it."""
    where = And(EqualTo("region", target[0]), EqualTo("project_id", target[1]))
    return where if names is None else And(where, In("snapshot_at", [time_of(name).isoformat() for name in names]))


def any_of(conditions):
    return Or(*conditions) if len(conditions) > 1 else conditions[0]


def target_of(table, file):
    """The (region, project id) of all rows of a file by its partition; None if the table is partitioned otherwise."""
    fields = table.specs()[file.spec_id].fields
    values = {
        table.schema().find_column_name(field.source_id): file.partition[place]
        for place, field in enumerate(fields)
        if isinstance(field.transform, IdentityTransform)
    }
    target = values.get("region"), values.get("project_id")
    return None if None in target else target


def check_part(store, manifest, part, is_hashed):
    """Raise CORRUPT if a part is not there with its size, or, if it is hashed, with its bytes."""
    (size,) = store.sizes_of([part.key])
    if size is None:
        raise corrupt(part.key, f"is missing: {manifest.key} names it")
    if size != part.bytes:
        raise corrupt(part.key, f"has {size} bytes instead of {part.bytes}")
    if is_hashed:
        digest = sha256()
        for block in store.blocks_of(part.key):
            digest.update(block)
        if digest.hexdigest() != part.sha256:
            raise corrupt(part.key, f"is altered: {manifest.key} has another hash of it")


def check_rows(store, manifest, part):
    """Raise CORRUPT if a part, whose bytes are right, has another number of rows than its manifest states."""
    try:
        rows = read_rows(store, part.key)
    except ValueError as error:
        raise corrupt(part.key, f"is not a Parquet file: {error}") from error
    if rows != part.rows:
        raise corrupt(part.key, f"has {rows} rows, and {manifest.key} states {part.rows}")


def bound_of(bounds, field_id):
    """The bound of a timestamp column; None: the file has none."""
    if field_id not in (bounds or {}):
        return None
    micros = from_bytes(TimestamptzType(), bounds[field_id])
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=micros)


def is_repeatable(error):
    """Whether the table must be loaded again: another commit was faster, or it is not known what happened."""
    if isinstance(error, (CommitFailedException, *UNCERTAIN)):
        return True
    # SQLAlchemy is installed only for SQL catalogs. OperationalError: the database is locked or not reachable, or
    # another committer created the catalog's tables first. IntegrityError: another one created the namespace first.
    is_sql = type(error).__module__.startswith("sqlalchemy.")
    return is_sql and type(error).__name__ in ("OperationalError", "IntegrityError")


def name_of(target, snapshot):
    return {"region": target[0], "projectId": target[1], "snapshot": snapshot}
