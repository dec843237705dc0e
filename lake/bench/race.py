"""Responsible for two figures of the committer: how often a race goes wrong, and what many commits cost.

Usage: python lake/bench/race.py [--races 100] [--first 0] [--snapshots 2000], with the Python of `npm run test:lake`.
Prints a JSON line per figure, and one for each race. A race is two committers at once, one of which is killed at a
random moment, then both again. The program fails if a complete snapshot is not in the table exactly once.

If it was stopped, `--first` with the number of the next race continues: what a race does depends on its number only,
but for the moments at which the processes run. The last line counts the races of this run. `--snapshots 0` leaves out
the costs of commits.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

LAKE = Path(__file__).parents[1]
sys.path[:0] = [str(LAKE), str(LAKE / "test")]

from support.race import run_race  # noqa: E402
from support.store_writer import Target  # noqa: E402
from support.world import World, announced_of, truth_of  # noqa: E402


def new_world(folder):
    store, warehouse = folder / "store", folder / "warehouse"
    store.mkdir()
    warehouse.mkdir()
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db?timeout=30",
        "warehouse": f"file://{warehouse}",
    }
    return World(store, properties), store


def measure_races(first, count):
    killed = commits = 0
    for seed in range(first, count):
        with tempfile.TemporaryDirectory() as folder:
            world, store = new_world(Path(folder))
            try:
                is_killed, done = run_race(world, store, random.Random(seed), (0.5, 3))
            except BaseException:
                print(f"race {seed} did not end well; repeat it with --snapshots 0 --first {seed}", file=sys.stderr)
                raise
            killed, commits = killed + is_killed, commits + done
        print(json.dumps({"race": seed, "isKilled": is_killed, "commits": done}), flush=True)
    return {"races": count - first, "killedWhileRunning": killed, "commits": commits, "wrong": 0}


def run_committer(world):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = world.start()
    out, error = process.communicate()
    assert process.returncode == 0, error
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(out), round(cpu, 2), round(after.ru_maxrss / 1024)


def measure_commits(count):
    with tempfile.TemporaryDirectory() as folder:
        world, store = new_world(Path(folder))
        targets = [Target(store, project=f"p{place}") for place in range(4)]
        for target in targets:
            for place in range(count // len(targets)):
                target.seal([f"h{place}"])
        _, first, peak = run_committer(world)
        _, nothing, _ = run_committer(world)
        for target in targets:
            target.seal(["new"], moment=target.moment + timedelta(hours=6))
        _, four, _ = run_committer(world)
        assert world.rows() == truth_of(*targets)
        assert world.announced() == announced_of(*targets)
    return {"snapshots": count, "cpuAll": first, "peakMb": peak, "cpuNothing": nothing, "cpuFourMore": four}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--races", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--snapshots", type=int, default=2000)
    options = parser.parse_args()
    if options.snapshots > 0:
        print(json.dumps(measure_commits(options.snapshots)), flush=True)
    print(json.dumps(measure_races(options.first, options.races)), flush=True)
