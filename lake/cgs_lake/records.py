"""Responsible for the record of a target: the table property that says up to where the chain was committed.

It is written in the same commit as the files. So it survives the expiry of Iceberg snapshots, and compaction.
"""

import json
from dataclasses import dataclass, replace
from datetime import timedelta

from cgs_lake.failure import Failure
from cgs_lake.manifests import is_ahead, name_at

PREFIX = "cgs-export.committed."
# Names that are younger are recorded one by one. After a snapshot that is named ahead, the next ones have older names.
RECENT = timedelta(hours=24)


@dataclass(frozen=True)
class Record:
    """`snapshot` and `sha256`: the last manifest of the chain that was seen, of any verdict.

    `complete`: the newest complete snapshot by name that was seen, also without rows, and the sha256 of its manifest;
    None: none yet. Every name up to `up_to` was seen, and so were those in `recent`, which are greater.
    """

    snapshot: str
    sha256: str
    complete: tuple[str, str] | None
    up_to: str
    recent: tuple[str, ...]

    def has_seen(self, snapshot):
        return snapshot <= self.up_to or snapshot in self.recent


def advance(record, manifest, now):
    """The record after this manifest, the next one in the chain. `record` None: it is the first."""
    if record is None:
        record = Record("", "", None, "", ())
    seen = {*record.recent, manifest.snapshot}
    up_to = max(record.up_to, *(name for name in seen if name <= name_at(now - RECENT)), "")
    is_newest = record.complete is None or manifest.snapshot > record.complete[0]
    if manifest.verdict == "complete" and is_newest and not is_ahead(manifest.snapshot, now):
        record = replace(record, complete=(manifest.snapshot, manifest.sha256))
    recent = tuple(sorted(name for name in seen if name > up_to))
    return replace(record, snapshot=manifest.snapshot, sha256=manifest.sha256, up_to=up_to, recent=recent)


def read_records(properties):
    """Return {(region, project id): Record} of the properties of a table. Raise USAGE for one that is not a record."""
    records = {}
    for name, text in properties.items():
        if name.startswith(PREFIX):
            try:
                region, project = name[len(PREFIX) :].split("/")
                records[(region, project)] = parse_record(json.loads(text))
            except (ValueError, KeyError, TypeError) as error:
                raise Failure(
                    "USAGE",
                    f"The property {name} of the table is not a record of this program: {error!r}.",
                    "Restore the property from an older metadata file of the table, or commit into a new table.",
                ) from error
    return records


def parse_record(value):
    complete = value["complete"]
    return Record(
        value["snapshot"],
        value["manifestSha256"],
        None if complete is None else (complete["snapshot"], complete["manifestSha256"]),
        value["upTo"],
        tuple(value["recent"]),
    )


def to_property(target, record):
    """Return the name and the text of the property."""
    complete = record.complete and {"snapshot": record.complete[0], "manifestSha256": record.complete[1]}
    value = {
        "snapshot": record.snapshot,
        "manifestSha256": record.sha256,
        "complete": complete,
        "upTo": record.up_to,
        "recent": list(record.recent),
    }
    return f"{PREFIX}{target[0]}/{target[1]}", json.dumps(value, separators=(",", ":"))
