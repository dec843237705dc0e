"""Responsible for what a store has of one table: its targets, and their manifests after a record, in chain order.

A target is a pair (region, project id). A fault is noted in `faults`, and stops its target: nothing later of it is
committed, in no table.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from cgs_lake.failure import Failure, corrupt
from cgs_lake.manifests import (
    MANIFEST_KEY,
    WrongPlaceError,
    check_tombstone,
    is_ahead,
    match_tombstone,
    order_chain,
    parse_manifest,
)
from cgs_lake.records import advance

READERS = 16


def list_tables(store):
    """Return the names of the tables that have manifests, sorted."""
    keys = (MANIFEST_KEY.fullmatch(key) for key in store.list("_manifests"))
    return sorted({key["table"] for key in keys if key})


class Source:
    """`signatures`: checks the whole chains and the signatures too; None: only what follows the record."""

    def __init__(self, store, table, now, signatures=None, skip_missing=False):
        self.store, self.table, self.now = store, table, now
        self.signatures, self.skip_missing = signatures, skip_missing
        self.faults, self.warnings, self.cache = {}, [], {}
        # Targets of which nothing can be committed, and the sha256 of manifests at which others stop.
        self.blocked, self.ends = set(), set()
        self.list()

    def list(self):
        """Tombstones first: then the newer snapshot that each of them needs is listed too."""
        self.keys, self.tombstones, self.orders, self.chains = {}, {}, {}, {}
        for key in self.store.list(f"_pruned/{self.table}"):
            if names := match_tombstone(key):
                self.tombstones.setdefault(names.group("region", "project"), {})[names["name"]] = key
        for key in self.store.list(f"_manifests/{self.table}"):
            if names := MANIFEST_KEY.fullmatch(key):
                self.keys.setdefault(names.group("region", "project"), {})[names["name"]] = key

    @cached_property
    def dataset(self):
        """The dataset of the table, from its first manifest that can be read. None: there is none."""
        for key in (key for names in self.keys.values() for key in names.values()):
            try:
                manifest = self.read(key)
            except Failure:
                continue
            if manifest is not None:
                return manifest.dataset
        return None

    def targets(self, records):
        """The targets that are not blocked, also those of which the store has lost every manifest."""
        return sorted({*self.keys, *records} - self.blocked)

    def stop(self, target, failure, manifest=None):
        """Note a fault. The target stops before the manifest; None: it is blocked."""
        self.faults.setdefault(target, failure)
        if manifest is None:
            self.blocked.add(target)
        else:
            self.ends.add(manifest.sha256)

    def warn(self, text):
        if text not in self.warnings:
            self.warnings.append(text)

    def pending(self, target, record):
        """Return the manifests that follow the record, of any verdict, in chain order. `record` None: all."""
        at = target, record and record.sha256
        if at not in self.orders:
            try:
                self.orders[at] = self.order(target, record)
            except Failure:
                # A listing can miss a manifest that was written while it was read.
                self.list()
                self.orders[at] = self.order(target, record)
        return self.orders[at]

    def order(self, target, record):
        names = self.keys.get(target, {})
        if record is None:
            chain = self.whole_chain(target)
        elif self.signatures is not None:
            chain = self.whole_chain(target)
            places = [place for place, one in enumerate(chain) if one.sha256 == record.sha256]
            if not places:
                key = f"_manifests/{self.table}/rgn={target[0]}/prj={target[1]}/{record.snapshot}.json"
                raise corrupt(key, "is missing or altered: the table has its snapshot")
            chain = chain[places[0] + 1 :]
        else:
            manifests = self.read_all([names[name] for name in sorted(names) if not record.has_seen(name)])
            chain = order_chain(manifests, record.sha256, self.skip_missing)
        for manifest in chain:
            if is_ahead(manifest.snapshot, self.now):
                self.warn(f"{manifest.key} is named more than 24 hours ahead: it comes from a host with a wrong clock.")
        return chain

    def whole_chain(self, target):
        """All manifests of a target in chain order, with checked signatures if they are to be checked."""
        if target not in self.chains:
            names = self.keys.get(target, {})
            manifests = self.read_all([names[name] for name in sorted(names)])
            chain = order_chain(manifests, None, self.skip_missing)
            if self.signatures is not None and chain:
                self.signatures.check_chain(chain)
            self.chains[target] = chain
        return self.chains[target]

    def read_all(self, keys):
        with ThreadPoolExecutor(READERS) as readers:
            return [manifest for manifest in readers.map(self.read, keys) if manifest is not None]

    def read(self, key):
        """Return a manifest, or None for a copy of another one."""
        if key not in self.cache:
            try:
                self.cache[key] = parse_manifest(key, self.store.read(key))
            except WrongPlaceError:
                self.warn(f"{key} is a copy of another manifest in the wrong place. It is ignored.")
                self.cache[key] = None
        return self.cache[key]

    def is_copy(self, target):
        """Whether the store has nothing of a target but copies of other targets' manifests."""
        keys = self.keys.get(target, {}).values()
        return bool(keys) and all(self.cache.get(key, key) is None for key in keys)

    def account_of(self, target):
        """The account label in the manifest with the greatest name that can be read. None: there is none."""
        names = self.keys.get(target, {})
        for name in sorted(names, reverse=True):
            try:
                manifest = self.read(names[name])
            except Failure:
                continue
            if manifest is not None:
                return manifest.row["account"]
        return None

    def newest_complete(self, target, record):
        """The sha256 of the manifest of the newest complete snapshot, or None."""
        for manifest in self.pending(target, record):
            record = advance(record, manifest, self.now)
        return record and record.complete and record.complete[1]

    def is_pruned(self, target, manifest, newest_complete):
        """Whether a snapshot has a tombstone. Raise CORRUPT if the tombstone has a fault."""
        key = self.tombstones.get(target, {}).get(manifest.snapshot)
        if key is None:
            return False
        data = self.store.read(key)
        key_id = check_tombstone(key, data, manifest, newest_complete)
        if self.signatures is not None:
            if key_id is not None:
                self.signatures.check(key, data, key_id, key[: -len("json")] + "sig")
            if self.signatures.given and key_id not in self.signatures.given:
                raise corrupt(key, "has no valid signature of a given key")
        return True
