"""Tests that snapshots are committed exactly once by committers that run at once and are killed."""

import random
import signal

import pytest
from conftest import sql_properties
from support.race import run_race
from support.world import World, truth_of

# Of the start of Python, in which nothing is at risk, until the third table is committed.
KILL_AFTER = (0.5, 3)


@pytest.fixture(scope="module", params=["sql", "rest"])
def properties(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sql":
        return sql_properties(folder)
    return request.getfixturevalue("rest")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_complete_snapshot_is_in_the_table_exactly_once(properties, store, seed):
    run_race(World(store, properties, f"race.nodes{seed}"), store, random.Random(seed), KILL_AFTER)


def test_sigterm_ends_with_exit_4_and_the_next_run_continues(world, target, commit):
    for place in range(300):
        target.seal([f"h{place}"])
    process = world.start()
    while b"commit 1 " not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 4
    assert b"INTERRUPTED" in out
    assert commit()[0] == 0
    assert world.rows() == truth_of(target)
