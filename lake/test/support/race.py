"""Responsible for the race: two committers at once, one of them killed at a random moment, then both again.

The bench runs it 100 times (lake/bench/race.py), the tests 3 times with each catalog.
"""

import json
import time

from support.store_writer import Target
from support.world import announced_of, truth_of


def fill(target, rand, count):
    for place in range(count):
        verdict = "drifted" if rand.random() < 0.2 else "complete"
        hosts = [f"h{place}-{number}" for number in range(rand.randint(0, 3))]
        target.seal(hosts, verdict=verdict, changed=hosts[:1] if verdict == "complete" else ())


def run_race(world, folder, rand, kill_after):
    """Returns (was the one killed before it ended, commits of the others). Raises AssertionError if rows are wrong."""
    targets = [Target(folder, project=f"p{place}") for place in range(3)]
    for target in targets:
        fill(target, rand, rand.randint(2, 8))
    assert sum(len(target.truth) for target in targets) > 0
    victim, other = world.start(), world.start()
    time.sleep(rand.uniform(*kill_after))
    is_killed = victim.poll() is None
    victim.kill()
    commits = 0
    processes = [other]
    for target in targets:
        fill(target, rand, rand.randint(0, 2))
    processes += [world.start(), world.start()]
    victim.communicate()
    for process in processes:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, (out, err)
        commits += sum(table["commits"] for table in json.loads(out)["tables"])
    last = world.start()
    out, err = last.communicate(timeout=300)
    assert last.returncode == 0, (out, err)
    assert world.rows() == truth_of(*targets)
    assert world.announced() == announced_of(*targets)
    if truth := truth_of(*targets, changes=True):
        assert world.rows("_changes") == truth
    return is_killed, commits
