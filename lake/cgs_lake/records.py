"""Responsible for the record of a target: the table property that says up to where the chain was committed.

It is written in the same commit as the files. So it survives the expiry of Iceberg snapshots, and compaction.
"""

import json
from dataclasses import dataclass, replace

from cgs_lake.manifests import is_ahead

PREFIX = "cgs-export.committed."


@dataclass(frozen=True)
class Record:
    """`snapshot` and `sha256`: the last manifest of the chain that was seen, of any verdict.

    `complete`: the newest complete snapshot that was seen, also without rows, and the sha256 of its manifest; None:
    none yet. Every name up to `up_to` was seen, and so were those in `ahead`, which are of a wrong clock.
    """

    snapshot: str
    sha256: str
    complete: tuple[str, str] | None
    up_to: str
    ahead: tuple[str, ...]

    def has_seen(self, snapshot):
        return snapshot <= self.up_to or snapshot in self.ahead


def advance(record, manifest, now):
    """The record after this manifest, the next one in the chain. `record` None: it is the first."""
    if record is None:
        record = Record("", "", None, "", ())
    if is_ahead(manifest.snapshot, now):
        record = replace(record, ahead=(*record.ahead, manifest.snapshot))
    else:
        up_to = max(record.up_to, manifest.snapshot)
        record = replace(record, up_to=up_to, ahead=tuple(name for name in record.ahead if name > up_to))
        if manifest.verdict == "complete":
            record = replace(record, complete=(manifest.snapshot, manifest.sha256))
    return replace(record, snapshot=manifest.snapshot, sha256=manifest.sha256)


def read_records(properties):
    """Return {(region, project id): Record} of the properties of a table."""
    records = {}
    for name, text in properties.items():
        if name.startswith(PREFIX):
            region, project = name[len(PREFIX) :].split("/")
            value = json.loads(text)
            complete = value["complete"]
            records[(region, project)] = Record(
                value["snapshot"],
                value["manifestSha256"],
                None if complete is None else (complete["snapshot"], complete["manifestSha256"]),
                value["upTo"],
                tuple(value["ahead"]),
            )
    return records


def to_property(target, record):
    """Return the name and the text of the property."""
    complete = record.complete and {"snapshot": record.complete[0], "manifestSha256": record.complete[1]}
    value = {
        "snapshot": record.snapshot,
        "manifestSha256": record.sha256,
        "complete": complete,
        "upTo": record.up_to,
        "ahead": list(record.ahead),
    }
    return f"{PREFIX}{target[0]}/{target[1]}", json.dumps(value, separators=(",", ":"))
