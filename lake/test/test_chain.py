"""Tests the order of a chain and the record of a target, with random histories."""

from datetime import datetime, timedelta, timezone

import pytest

from cgs_lake.failure import Failure
from cgs_lake.manifests import Manifest, WrongPlaceError, name_at, order_chain, parse_manifest, time_of
from cgs_lake.records import advance, read_records, to_property

NOW = datetime(2026, 11, 26, tzinfo=timezone.utc)


def manifest(name, sha256, previous, verdict="complete"):
    return Manifest(name, sha256, "d", 1, name, verdict, 1, previous, None, {}, frozenset(), {})


def history(rand, count):
    """A chain whose names grow, but for some that are years ahead: the next run then takes its own name."""
    chain, moment = [], NOW - timedelta(days=count)
    for place in range(count):
        moment += timedelta(hours=rand.choice([6, 12, 24]))
        ahead = rand.random() < 0.15
        named = moment + timedelta(days=4000 + place) if ahead else moment
        previous = chain[-1].sha256 if chain else None
        verdict = rand.choice(["complete", "complete", "drifted"])
        chain.append(manifest(named.strftime("%Y%m%dT%H%M%SZ"), f"{place:064x}", previous, verdict))
    return chain


def test_any_division_into_runs_sees_each_manifest_once_and_in_order(rand):
    for _ in range(200):
        chain = history(rand, rand.randint(1, 30))
        record, seen, sealed = None, [], 0
        while sealed < len(chain):
            sealed = rand.randint(sealed + 1, len(chain))
            stored = sorted(chain[:sealed], key=lambda one: one.snapshot)
            wanted = [one for one in stored if record is None or not record.has_seen(one.snapshot)]
            for one in order_chain(wanted, record and record.sha256):
                seen.append(one)
                record = advance(record, one, NOW)
                name, text = to_property(("r", "p"), record)
                assert read_records({name: text}) == {("r", "p"): record}
                if rand.random() < 0.1:
                    break
        while rest := order_chain([one for one in chain if not record.has_seen(one.snapshot)], record.sha256):
            seen.append(rest[0])
            record = advance(record, rest[0], NOW)
        assert seen == chain
        complete = [one for one in chain if one.verdict == "complete" and one.snapshot < "2027"]
        assert record.complete == ((complete[-1].snapshot, complete[-1].sha256) if complete else None)


def test_names_that_are_ahead_for_a_while_lose_no_later_snapshot(rand):
    """A run is named when it starts: by its own time if the newest name is more than 24 hours ahead, else one second
    after it. It can be sealed hours later, and commits can come in between."""
    for _ in range(200):
        chain, seen, record, moment, opened = [], [], None, NOW, None
        for place in range(60):
            moment += timedelta(minutes=rand.randint(30, 600))
            if opened is None:
                near = [time_of(one.snapshot) for one in chain if time_of(one.snapshot) <= moment + timedelta(hours=24)]
                opened = max([moment, *(one + timedelta(seconds=1) for one in near)])
                if rand.random() < 0.2:
                    opened = moment + timedelta(hours=rand.randint(20, 40), seconds=rand.randint(1, 3000))
            elif rand.random() < 0.7:
                chain.append(manifest(name_at(opened), f"{place:064x}", chain[-1].sha256 if chain else None))
                opened = None
            if rand.random() < 0.5 or place == 59:
                stored = [one for one in chain if record is None or not record.has_seen(one.snapshot)]
                for one in order_chain(stored, record and record.sha256):
                    seen.append(one)
                    record = advance(record, one, moment)
        assert seen == chain


def test_a_lost_manifest_anywhere_stops_the_order(rand):
    for _ in range(100):
        chain = history(rand, rand.randint(2, 20))
        lost = rand.randrange(len(chain) - 1)
        rest = chain[:lost] + chain[lost + 1 :]
        with pytest.raises(Failure, match="follows a manifest that is missing"):
            order_chain(rest, None)
        assert order_chain(rest, None, skip_missing=True) == rest


def test_a_fork_stops_the_order():
    chain = [manifest("1", "a", None), manifest("2", "b", "a"), manifest("3", "c", "a")]
    with pytest.raises(Failure, match="the chain is forked"):
        order_chain(chain, None)


def test_a_copy_under_another_key_is_not_a_manifest_of_it(target):
    name = target.seal()
    data = target.manifest_file(name).read_bytes()
    assert parse_manifest(target.manifest_key(name), data).snapshot == name
    with pytest.raises(WrongPlaceError):
        parse_manifest(target.manifest_key(name).replace("cn-north-4", "cn-south-4"), data)


def replace_once(data, old, new):
    assert old in data
    return data.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"rows":2,"rejects"', b'"rows":3,"rejects"'),
        (b'"key":"nodes/', b'"key":"other/'),
        (b'"verdict":"complete"', b'"verdict":"perfect"'),
        (b'"previous":null', b'"previous":7'),
        (b'"parts":[', b'"parts":[7,'),
        (b"}\n", b"\n"),
    ],
)
def test_a_damaged_manifest_is_corrupt(target, old, new):
    name = target.seal()
    data = replace_once(target.manifest_file(name).read_bytes(), old, new)
    with pytest.raises(Failure, match="CORRUPT"):
        parse_manifest(target.manifest_key(name), data)
