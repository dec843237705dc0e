"""Responsible for the command line: options, output and exit codes."""

import argparse
import contextlib
import os
import re
import signal
import sys
from dataclasses import asdict
from datetime import datetime, timezone

from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import (
    AuthorizationExpiredError,
    BadRequestError,
    ForbiddenError,
    OAuthError,
    RESTError,
    UnauthorizedError,
)
from requests.adapters import HTTPAdapter

from cgs_lake.announcing import Announcer
from cgs_lake.committing import Committer, is_repeatable
from cgs_lake.failure import Failure, exit_code_of, interrupted, print_errors, without_secrets
from cgs_lake.records import read_records
from cgs_lake.signatures import Signatures, read_given_keys
from cgs_lake.source import Source, list_tables
from cgs_lake.store import open_store, usage

# How pyarrow words an answer of S3 that says that a key is wrong or may not do this.
REFUSED = re.compile(r"ACCESS_DENIED|HTTP status 40[13]|SIGNATURE_DOES_NOT_MATCH|INVALID_(ACCESS_KEY|CLIENT_TOKEN)_ID")

# How long a catalog may take to accept a connection, and to begin or continue an answer. PyIceberg sets no limit.
CATALOG_SECONDS = (10, 60)
send_without_limit = HTTPAdapter.send

NOT_ALLOWED = (UnauthorizedError, ForbiddenError, AuthorizationExpiredError, OAuthError, PermissionError)

EPILOG = """\
exit codes: 0 everything is committed; 1 a fault of this program or a type that changed; 2 usage or configuration;
3 authentication or permission; 4 stopped before it was complete: run it again; 5 a fault in the store.
The catalog is configured as for PyIceberg: in ~/.pyiceberg.yaml, by PYICEBERG_CATALOG__<NAME>__<PROPERTY>, or by
--property. The same properties (s3.endpoint, s3.region, s3.access-key-id, …) are used to read the store."""


def create_parser():
    parser = argparse.ArgumentParser(
        prog="cgs_lake", description="Commits sealed snapshots of a cgs-export store into Iceberg tables."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commit = commands.add_parser(
        "commit",
        help="commit every snapshot that is not in the tables yet",
        description="Commits the rows and changes of every complete snapshot that is not in the tables yet, each "
        "exactly once, and drops the rows that `cgs-export prune` has pruned. Then writes one row per snapshot, also "
        "of drifted and empty ones, into a third table. Can be run at any time, twice, or twice at the same time.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commit.add_argument("--dry-run", action="store_true", help="show what would be committed; write nothing")
    commit.add_argument(
        "--skip-missing",
        action="store_true",
        help="also commit the snapshots after a lost manifest; without this option, such a target stops with CORRUPT",
    )
    commit.add_argument("--verify", action="store_true", help="check hashes, whole chains and signatures first")
    commit.add_argument(
        "--public-key",
        action="append",
        default=[],
        metavar="FILE",
        help="an Ed25519 public key (PEM) from outside the store that must have signed; repeatable; implies --verify",
    )
    status = commands.add_parser(
        "status",
        help="show the last committed snapshot of each target",
        description="Shows the last committed snapshot of each target. Writes nothing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for command in (commit, status):
        command.add_argument("--store", required=True, metavar="URL", help="a path, file:, s3:// or obs:// address")
        command.add_argument("--catalog", required=True, metavar="NAME", help="the catalog, as PyIceberg names it")
        command.add_argument(
            "--table",
            required=True,
            metavar="NAMESPACE.NAME",
            help="the Iceberg table of the rows; the others are NAMESPACE.NAME_changes and NAMESPACE.NAME_snapshots",
        )
        command.add_argument(
            "--from", dest="source", metavar="TABLE", help="the table in the store; default: NAME, or the only one"
        )
        command.add_argument(
            "--property", action="append", default=[], metavar="KEY=VALUE", help="a property of the catalog; repeatable"
        )
        command.add_argument("--json", action="store_true", help="print one JSON object to stdout")
    return parser


def parse_properties(texts):
    for text in texts:
        if "=" not in text:
            # The text can be a secret.
            raise usage("A --property has no =.", "Write --property KEY=VALUE, for example type=sql.")
    return dict(text.split("=", 1) for text in texts)


def open_catalog(name, properties):
    try:
        try:
            return load_catalog(name, **properties)
        except Exception as error:
            # Another committer can have created the tables of an SQL catalog at the same time.
            if not is_repeatable(error):
                raise
            return load_catalog(name, **properties)
    except Exception as error:
        # What is not known comes from a wrong property, or from a library that is not installed. A plain RESTError is
        # 404 and the like: the address is that of another server.
        is_wrong = isinstance(error, (ValueError, BadRequestError)) or type(error) is RESTError
        if not is_wrong and to_failure(error).code != "INTERNAL":
            raise
        raise usage(
            f"The catalog {name} cannot be opened: {without_secrets(str(error))}.",
            "Configure it in ~/.pyiceberg.yaml or with --property type=… and --property uri=….",
        ) from error


def choose_source(store, options):
    tables = list_tables(store)
    name = options.source or options.table.split(".")[-1]
    if name in tables:
        return name
    if options.source is None and len(tables) == 1:
        return tables[0]
    found = ", ".join(tables) if tables else "no table at all"
    raise usage(f"The store has no table {name}. It has: {found}.", "Name one of them with --from TABLE.")


def progress(line):
    # A reader that closes the pipe is not a reason to stop.
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def prepare_s3():
    """Send checksums only where S3 requires them: OBS and other stores refuse the newer ones of Amazon's library."""
    os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    os.environ.setdefault("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")


def send_with_limit(self, request, *, timeout=None, **more):
    return send_without_limit(self, request, timeout=timeout or CATALOG_SECONDS, **more)


def run(options):
    """Return (result for --json, failures). Failures of single targets do not stop the others."""
    namespace, _, name = options.table.rpartition(".")
    if not name.strip() or not all(part.strip() for part in namespace.split(".")):
        raise usage(f"--table {options.table} has no namespace.", "Write NAMESPACE.NAME, for example security.nodes.")
    prepare_s3()
    # The requests of PyIceberg have no limit of time, and no option for one.
    HTTPAdapter.send = send_with_limit
    given = read_given_keys(getattr(options, "public_key", []))
    catalog = open_catalog(options.catalog, parse_properties(options.property))
    store = open_store(options.store, catalog.properties)
    now = datetime.now(timezone.utc)
    is_verified = bool(given) or getattr(options, "verify", False)
    source = Source(
        store,
        choose_source(store, options),
        now,
        Signatures(store, given) if is_verified else None,
        getattr(options, "skip_missing", False),
    )
    committers = create_committers(source, catalog, options.table)
    if options.command == "status":
        return describe_status(source, committers), list(source.faults.values())
    result = {"status": "nothing", "tables": []}
    failures = []
    for committer in committers:
        try:
            committer.preview() if options.dry_run else committer.commit()
        except (Exception, KeyboardInterrupt) as error:
            failures.append(to_failure(error))
        if not failures or committer.outcome.commits:
            result["tables"].append(asdict(committer.outcome))
        if failures:
            break
    failures += source.faults.values()
    if options.dry_run:
        result["status"] = "previewed"
    elif any(table["commits"] for table in result["tables"]):
        result["status"] = "committed"
    for text in source.warnings:
        progress(f"warning: {text}")
    return {**result, "warnings": source.warnings}, failures


def create_committers(source, catalog, table):
    """In the order in which a run commits: a snapshot is announced last."""
    files = [
        Committer(source, catalog, table, "rows", progress),
        Committer(source, catalog, f"{table}_changes", "changes", progress),
    ]
    return [*files, Announcer(source, catalog, f"{table}_snapshots", files, progress)]


def describe_status(source, committers):
    result = {"status": "ok", "tables": []}
    for committer in committers:
        pending = committer.preview().pending
        table = committer.load()
        records = read_records(table.properties) if table else {}
        targets = []
        for target in sorted({*source.keys, *records}):
            record = records.get(target)
            if record is None and source.is_copy(target):
                continue
            own = [one for one in pending if (one["region"], one["projectId"]) == target]
            targets.append(
                {
                    "account": source.account_of(target),
                    "region": target[0],
                    "projectId": target[1],
                    "seen": record and record.snapshot,
                    "newestComplete": record and record.complete and record.complete[0],
                    "pending": len(own),
                }
            )
        result["tables"].append(
            {"table": committer.name, "role": committer.role, "exists": table is not None, "targets": targets}
        )
    for text in source.warnings:
        progress(f"warning: {text}")
    return {**result, "warnings": source.warnings}


def to_failure(error):
    if isinstance(error, Failure):
        return error
    if isinstance(error, KeyboardInterrupt):
        return interrupted()
    text = without_secrets(f"{type(error).__name__}: {error}")
    if isinstance(error, NOT_ALLOWED) or REFUSED.search(text):
        hint = "Check the keys of the catalog and of the store, and their permissions."
        return Failure("PERMISSION", text, hint)
    if is_repeatable(error) or isinstance(error, (OSError, RESTError)):
        hint = "Check the addresses of the catalog and of the store, and run the command again."
        return Failure("UNREACHABLE", text, hint)
    return Failure("INTERNAL", text, "This is a fault of cgs_lake. Report it with this text.")


def print_text(result):
    for table in result["tables"]:
        if "targets" in table:
            print_status(table)
            continue
        skipped = ", ".join(f"{number} {reason}" for reason, number in table["skipped"].items() if number)
        done = table["pending"] or table["committed"]
        verb = "would commit" if result["status"] == "previewed" else "committed"
        rows = sum(one["rows"] for one in done)
        print(
            f"{table['table']}: {verb} {len(done)} snapshots with {rows} rows"
            + (f", skipped {skipped}" if skipped else "")
            + (f", dropped {len(table['dropped'])} pruned" if table["dropped"] else "")
        )


def print_status(table):
    if not table["exists"]:
        number = sum(one["pending"] for one in table["targets"])
        print(
            f"{table['table']}  does not exist. "
            + (f"`commit` creates it: {number} snapshots are pending" if number else "Nothing is pending for it")
        )
        return
    for one in table["targets"]:
        print(
            f"{table['table']}  {one['account'] or '-'} {one['region']} {one['projectId']}  "
            f"seen up to {one['seen'] or 'nothing'}, newest complete {one['newestComplete'] or 'none'}, "
            f"{one['pending']} snapshots pending"
        )


def main(arguments=None):
    options = create_parser().parse_args(arguments)
    result = {"status": "failed", "tables": []}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        result, failures = run(options)
    except (Exception, KeyboardInterrupt) as error:
        failures = [to_failure(error)]
    if failures:
        result["status"] = "failed"
    try:
        if not options.json:
            print_text(result)
        print_errors(result, failures, options.json)
    except BrokenPipeError:
        # What reads the output has gone. Python would write what is left of it again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exit_code_of(failures)
