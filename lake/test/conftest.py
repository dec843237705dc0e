"""Responsible for fixtures, for the seed of random tests, and for the report that .ci/count.mjs adds up."""

import json
import os
import random
import time
from pathlib import Path

import pytest
from support.rest_server import rest_catalog, start_spark
from support.store_writer import Target
from support.world import World, run

# Spark gives times in the zone of the process.
os.environ["TZ"] = "UTC"
time.tzset()

results = {}


@pytest.fixture
def rand():
    """A seeded generator. SEED=… repeats a failed test."""
    seed = int(os.environ.get("SEED", random.randrange(10**9)))
    print(f"SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


def sql_properties(folder):
    (folder / "warehouse").mkdir()
    return {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db?timeout=30",
        "warehouse": f"file://{folder}/warehouse",
    }


@pytest.fixture
def world(store, tmp_path):
    """A store in a folder, with an SQL catalog beside it."""
    return World(store, sql_properties(tmp_path))


@pytest.fixture
def target(store):
    return Target(store)


@pytest.fixture
def commit(world, capsys):
    """Run `commit`, and return (exit code, result)."""
    return lambda *more: run(capsys, world.arguments("commit", "--json", *more))


@pytest.fixture(scope="session")
def rest(tmp_path_factory):
    """The properties of a REST catalog."""
    with rest_catalog(tmp_path_factory.mktemp("rest")) as properties:
        yield properties


@pytest.fixture(scope="session")
def spark(rest):
    """A Spark session in which the REST catalog is `lake`. It takes seconds to start, so all tests share it."""
    session = start_spark(rest["uri"])
    yield session
    session.stop()


def pytest_runtest_logreport(report):
    name = results.setdefault(report.fspath, {}).setdefault(report.nodeid, "passed")
    if report.failed:
        results[report.fspath][report.nodeid] = "failed"
    elif report.skipped and name == "passed":
        results[report.fspath][report.nodeid] = "pending"


def pytest_collectreport(report):
    if report.failed:
        results.setdefault(report.nodeid, {})


def pytest_sessionfinish(session, exitstatus):
    """Write the report in the form of vitest's JSON reporter."""
    path = os.environ.get("TEST_REPORT")
    if path is None:
        return
    states = [state for tests in results.values() for state in tests.values()]
    report = {
        "success": exitstatus == 0,
        "numPassedTests": states.count("passed"),
        "numFailedTests": states.count("failed"),
        "numPendingTests": states.count("pending"),
        "numTodoTests": 0,
        "testResults": [
            {
                "name": file,
                "status": "passed" if tests and set(tests.values()) == {"passed"} else "failed",
                "assertionResults": [{"fullName": name, "status": state} for name, state in tests.items()],
            }
            for file, tests in results.items()
        ],
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(report))
