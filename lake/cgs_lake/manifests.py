"""Responsible for manifests and tombstones as docs/format.md specifies them, and for the order of a chain.

Not responsible for signatures, nor for reading the store.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from cgs_lake.failure import Failure, corrupt
from cgs_lake.snapshot_rows import row_of

NAME = r"\d{8}T\d{6}Z"
MANIFEST_KEY = re.compile(
    rf"_manifests/(?P<table>[^/]+)/rgn=(?P<region>[^/]+)/prj=(?P<project>[^/]+)/(?P<name>{NAME})\.json"
)
TOMBSTONE_KEY = re.compile(
    rf"_pruned/(?P<table>[^/]+)/rgn=(?P<region>[^/]+)/prj=(?P<project>[^/]+)/(?P<name>{NAME})\.json"
)
# (role, format) -> what follows the table in the key, and the ending of the key
KINDS = {
    ("rows", "parquet"): ("", "parquet"),
    ("rows", "ndjson"): ("_ndjson", "ndjson.gz"),
    ("changes", "parquet"): ("_changes", "parquet"),
    ("rejects", "ndjson"): ("_rejects", "ndjson.gz"),
}
# A snapshot that is named further ahead comes from a host with a wrong clock.
AHEAD_MAX = timedelta(hours=24)


# What reading foreign JSON raises: OverflowError for 1e999 as a whole number, RecursionError for deep lists.
NOT_OF_ITS_KEY = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


class WrongPlaceError(Exception):
    """A manifest whose key is not its own: a copy. Readers ignore it."""


@dataclass(frozen=True, slots=True)
class Part:
    key: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`sha256` is that of its bytes. `previous` is the sha256 of the manifest before it in the chain, or None."""

    key: str
    sha256: str
    dataset: str
    schema_version: int
    snapshot: str
    verdict: str
    rows: int
    previous: str | None
    key_id: str | None
    # role -> the part in Parquet
    parts: dict[str, Part] = field(hash=False)
    # The keys of all parts with rows and rejects: those that a tombstone names.
    prunable: frozenset[str] = field(hash=False)
    # Its row in NAME_snapshots.
    row: dict = field(hash=False)


def time_of(snapshot):
    """Raise ValueError if the name, which has the form of NAME, is not a time."""
    # 5 times faster than strptime. A store has many tombstones.
    parts = (int(snapshot[at:end]) for at, end in ((0, 4), (4, 6), (6, 8), (9, 11), (11, 13), (13, 15)))
    return datetime(*parts, tzinfo=timezone.utc)


def name_at(moment):
    return moment.strftime("%Y%m%dT%H%M%SZ")


def match_tombstone(key):
    """Return the match of TOMBSTONE_KEY, or None: it is another object, or its name is not a time."""
    names = TOMBSTONE_KEY.fullmatch(key)
    try:
        return names and time_of(names["name"]) and names
    except ValueError:
        return None


def is_ahead(snapshot, now):
    return time_of(snapshot) > now + AHEAD_MAX


def parse_manifest(key, data):
    """Raise WrongPlaceError for a copy of another manifest, and CORRUPT if it is not a manifest of this key."""
    names = MANIFEST_KEY.fullmatch(key)
    try:
        content = json.loads(data)
        if content["manifestVersion"] != 1:
            raise Failure(
                "USAGE",
                f"{key} has the manifestVersion {content['manifestVersion']}, and this program reads version 1.",
                "Install the cgs_lake that came with the exporter that wrote it.",
            )
        scope, snapshot = content["scope"], content["snapshot"]
        own = (content["table"], scope["region"], scope["projectId"], snapshot)
        if own != names.group("table", "region", "project", "name"):
            raise WrongPlaceError(key)
        moment = time_of(snapshot)
        if content["verdict"] not in ("complete", "drifted") or not isinstance(content["rows"], int):
            raise ValueError("verdict or rows is wrong")
        parts = {}
        for part in content["parts"]:
            kind = part["role"], part["format"]
            if kind in parts or part["key"] != part_key(names, kind, part["sha256"]):
                raise ValueError(f"it names {part['key']}, which is not a part of this snapshot")
            parts[kind] = Part(part["key"], int(part["rows"]), int(part["bytes"]), part["sha256"])
        if parts[("rows", "parquet")].rows != content["rows"]:
            raise ValueError("its rows are not the rows of its part")
        previous, signing = content["previous"], content["signing"]
        return Manifest(
            key=key,
            sha256=hashlib.sha256(data).hexdigest(),
            dataset=str(content["dataset"]),
            schema_version=int(content["schemaVersion"]),
            snapshot=snapshot,
            verdict=content["verdict"],
            rows=content["rows"],
            previous=None if previous is None else str(previous["manifestSha256"]),
            key_id=None if signing is None else str(signing["keyId"]),
            parts={role: part for (role, form), part in parts.items() if form == "parquet"},
            prunable=frozenset(part.key for (role, _), part in parts.items() if role != "changes"),
            row=row_of(content, moment),
        )
    except NOT_OF_ITS_KEY as error:
        raise corrupt(key, f"is not a manifest of its key: {error!r}") from error


def part_key(names, kind, sha256):
    table, region, project, name = names.group("table", "region", "project", "name")
    suffix, ending = KINDS[kind]
    day = f"{name[:4]}-{name[4:6]}-{name[6:8]}"
    return f"{table}{suffix}/dt={day}/rgn={region}/prj={project}/{name}-{sha256[:12]}.{ending}"


def check_tombstone(key, data, manifest, newest_complete):
    """Return the id of the key that signs a tombstone, or None.

    Raises CORRUPT if it does not fit its manifest, or is of the newest complete snapshot.
    """
    names = TOMBSTONE_KEY.fullmatch(key)
    try:
        content = json.loads(data)
        found = tuple(content[name] for name in ("table", "region", "projectId", "snapshot", "manifestSha256"))
        if found != (*names.group("table", "region", "project", "name"), manifest.sha256):
            raise ValueError("it is of another manifest")
        if set(content["parts"]) != manifest.prunable:
            raise ValueError("it names other parts than its manifest")
        if manifest.sha256 == newest_complete or newest_complete is None:
            raise ValueError("it is of the newest complete snapshot")
        return None if content["signing"] is None else str(content["signing"]["keyId"])
    except NOT_OF_ITS_KEY as error:
        raise corrupt(key, f"is not a tombstone of its key: {error!r}") from error


def order_chain(manifests, start, skip_missing=False):
    """Return the manifests that follow `start` (a sha256; None: the begin of the chain), in the order of the chain.

    Raises CORRUPT if two manifests follow one, or if some are not reached because one between is lost or altered. With
    `skip_missing` these pieces follow in the order of their names.
    """
    followers, known = {}, {manifest.sha256 for manifest in manifests}
    for manifest in sorted(manifests, key=lambda one: one.snapshot):
        other = followers.setdefault(manifest.previous, manifest)
        if other is not manifest:
            raise corrupt(manifest.key, f"follows the same snapshot as {other.key}: the chain is forked")
    ordered = list(walk(followers, start))
    if len(ordered) == len(manifests):
        return ordered
    reached = {manifest.sha256 for manifest in ordered}
    begins = [one for one in followers.values() if one.sha256 not in reached and one.previous not in known]
    pieces = [[begin, *walk(followers, begin.sha256)] for begin in begins]
    if not skip_missing:
        first = min((piece[0] for piece in pieces), key=lambda one: one.snapshot, default=None)
        raise corrupt(
            first.key if first else next(iter(manifests)).key,
            "follows a manifest that is missing or altered. To commit the later snapshots without it, "
            "add --skip-missing",
        )
    return ordered + [one for piece in sorted(pieces, key=lambda piece: piece[-1].snapshot) for one in piece]


def walk(followers, start):
    while (manifest := followers.get(start)) is not None:
        yield manifest
        start = manifest.sha256
