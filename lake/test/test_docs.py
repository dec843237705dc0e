"""Tests that the examples of docs/lake.md run as printed, on the store that `npm start` writes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pyiceberg.catalog import load_catalog
from support.world import World, run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/lake.md").read_text()


def blocks_of(kind):
    return re.findall(rf"^```{kind} lake\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with demo-out."""
    path = tmp_path_factory.mktemp("demo")
    assert (ROOT / "dist/cli.js").exists(), "run `npm run build` first"
    subprocess.run(["node", ROOT / "dist/cli.js", "demo"], cwd=path, check=True, capture_output=True)
    return path


def count_rows(table):
    return table.scan().to_arrow().num_rows


def test_the_quick_start_and_the_expiry_run_in_this_order(folder):
    shell = blocks_of("sh")
    programs = [f"python - <<'PYTHON'\n{block}PYTHON\n" for block in blocks_of("python")]
    assert (len(shell), len(programs)) == (1, 2)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        ["bash", "-e"],
        input="".join([*shell, *programs, shell[0]]),
        cwd=folder,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "committed 3 snapshots with" in done.stdout
    assert done.stdout.count("committed 0 snapshots") == 2
    assert "host_id_count" in done.stdout
    properties = {"type": "sql", "uri": f"sqlite:///{folder}/warehouse/catalog.db"}
    table = load_catalog("lake", **properties).load_table("security.container_nodes")
    assert count_rows(table) > 1500
    assert len(table.snapshots()) == 1


def test_the_statements_run_in_spark(folder, rest, spark, capsys):
    world = World(folder / "demo-out", rest, "security.container_nodes")
    assert run(capsys, world.arguments("commit", "--json"))[0] == 0
    unprotected, compact = blocks_of("sql")
    rows = world.load().scan().to_arrow().to_pylist()
    unprotected = unprotected.strip().rstrip(";")
    before, newest = sorted({row["snapshot_at"] for row in rows})[-2:]
    (example,) = re.findall(r"`(snapshot_at <= TIMESTAMP '[^`]*')`", PAGE)
    condition = example.replace("2026-11-24 12:00:00", f"{before:%Y-%m-%d %H:%M:%S}")
    as_of, count = re.subn(r"snapshot_at < current.* DAY", condition, unprotected)
    assert count == 1
    for statement, moment in ((unprotected, newest), (as_of, before)):
        expected = [r["host_id"] for r in rows if r["snapshot_at"] == moment and r["protect_status"] != "opened"]
        found = [row.host_id for row in spark.sql(statement).collect()]
        assert sorted(found) == sorted(expected) != []
    assert spark.sql("SELECT count(*) AS n FROM lake.security.container_nodes").first().n == len(rows)
    spark.sql(compact.strip().rstrip(";")).collect()
    assert spark.sql("SELECT count(*) AS n FROM lake.security.container_nodes").first().n == len(rows)
    assert run(capsys, world.arguments("commit", "--json"))[1]["status"] == "nothing"
