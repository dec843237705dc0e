"""Tests that the examples of docs/lake.md run as printed, on the store that `npm start` writes."""

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import timezone
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from conftest import sql_properties
from pyiceberg.catalog import load_catalog
from support.rest_server import open_duckdb
from support.world import World, run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/lake.md").read_text()


def blocks_of(info):
    return re.findall(rf"^```{info}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with demo-out."""
    path = tmp_path_factory.mktemp("demo")
    assert (ROOT / "dist/cli.js").exists(), "run `npm run build` first"
    subprocess.run(["node", ROOT / "dist/cli.js", "demo"], cwd=path, check=True, capture_output=True)
    return path


def count_rows(table):
    return table.scan().to_arrow().num_rows


def without_python_path():
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def count_unprotected(store):
    """[{account, region, snapshot_at, host_id_count}] of the newest snapshot of each region, from the files."""
    rows = ds.dataset(store / "container_nodes", format="parquet").to_table().to_pylist()
    newest = {}
    for row in rows:
        newest[row["region"]] = max(newest.get(row["region"], row["snapshot_at"]), row["snapshot_at"])
    counts = Counter(
        (row["account"], row["region"], row["snapshot_at"])
        for row in rows
        if row["snapshot_at"] == newest[row["region"]] and row["protect_status"] != "opened"
    )
    names = ("account", "region", "snapshot_at", "host_id_count")
    return [dict(zip(names, (*key, count), strict=True)) for key, count in counts.items()]


def test_the_quick_start_and_the_expiry_run_in_this_order(folder):
    shell, programs = (
        blocks_of("sh lake"),
        [f"python - <<'PYTHON'\n{block}PYTHON\n" for block in blocks_of("python lake")],
    )
    assert (len(shell), len(programs)) == (1, 2)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e"],
        input="".join([*shell, *programs, shell[0]]),
        cwd=folder,
        env={**without_python_path(), "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "committed 3 snapshots with" in done.stdout
    assert done.stdout.count("committed 0 snapshots") == 3
    expected = count_unprotected(folder / "demo-out")
    assert expected[0]["host_id_count"] > 10
    assert (
        repr(expected) in done.stdout.replace("zoneinfo.ZoneInfo(key='UTC')", "<UTC>") or str(expected) in done.stdout
    )
    properties = {"type": "sql", "uri": f"sqlite:///{folder}/warehouse/catalog.db"}
    table = load_catalog("lake", **properties).load_table("security.container_nodes")
    assert count_rows(table) > 1500
    assert len(table.snapshots()) == 1


def test_the_script_for_cron_runs_in_the_environment_of_cron(folder, tmp_path):
    (script,) = blocks_of("sh cron")
    assert "# commit container_clusters" in script
    (tmp_path / "warehouse").mkdir()
    (tmp_path / "lake-python").symlink_to(Path(sys.executable).parents[1])
    (tmp_path / "export").symlink_to(folder / "demo-out")
    path = tmp_path / "commit.sh"
    path.write_text(script.replace("/srv/cgs", str(tmp_path)))
    path.chmod(0o755)

    def start():
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        return subprocess.run([path], cwd="/", env=environment, capture_output=True, text=True)

    done, log = start(), tmp_path / "commit.log"
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), log.read_text()
    assert "security.container_nodes_snapshots: committed 3 snapshots" in log.read_text()
    path.write_text(path.read_text().replace("# commit container_clusters", "commit container_nodes"))
    (tmp_path / "export").unlink()
    done = start()
    assert (done.returncode, done.stdout + done.stderr) == (2, "")
    assert log.read_text().count("USAGE") == 2


def test_the_example_for_airflow_is_python():
    (program,) = blocks_of("python airflow")
    assert len(ast.parse(program).body) > 5


def test_the_example_for_duckdb_reads_all_tables(folder, tmp_path, capsys):
    (program,) = blocks_of("python duckdb")
    world = World(folder / "demo-out", sql_properties(tmp_path), "security.container_nodes")
    assert run(capsys, world.arguments("commit", "--json"))[0] == 0
    download = 'connection = duckdb.connect()\nconnection.execute("INSTALL iceberg; LOAD iceberg")'
    assert download in program
    names = {"open_duckdb": open_duckdb, "load": world.catalog}
    program = program.replace(download, "connection = open_duckdb()").replace('load_catalog("lake")', "load()")
    exec(program.replace("from pyiceberg.catalog import load_catalog\n", ""), names)
    counts = names["connection"].sql("SELECT count(*) FROM lake.security.container_nodes").fetchall()
    assert counts == [(count_rows(world.load()),)]
    assert "complete" in capsys.readouterr().out


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    """(the store that test/support/write-lake-world.ts writes, its questions by name)."""
    folder = tmp_path_factory.mktemp("world")
    writer = ["npx", "tsx", "test/support/write-lake-world.ts", str(folder)]
    subprocess.run(writer, cwd=ROOT, check=True, capture_output=True)
    questions = json.loads((folder / "questions.json").read_text())
    return folder / "store", {one["name"]: one for one in questions if one["table"] == "container_nodes"}


def open_spark(request, world):
    spark = request.getfixturevalue("spark")
    return lambda sql: [row.asDict() for row in spark.sql(sql).collect()]


def open_views(request, world):
    """DuckDB, in a time zone in which a mistake shows."""
    connection = open_duckdb()
    connection.execute("SET TimeZone = 'Asia/Shanghai'; ATTACH ':memory:' AS lake; CREATE SCHEMA lake.answers")
    for suffix in ("", "_changes", "_snapshots"):
        location = world.load(suffix).metadata_location
        connection.execute(f"CREATE VIEW lake.{world.table}{suffix} AS SELECT * FROM iceberg_scan('{location}')")
    return lambda sql: connection.sql(sql).to_arrow_table().to_pylist()


@pytest.fixture(scope="module")
def answered(questions, rest):
    world = World(questions[0], rest, "answers.container_nodes")
    process = world.start()
    _, error = process.communicate()
    assert process.returncode == 0, error
    return world


def statements_of(world):
    """The statements of `Query them` for another table than the page names."""
    found = [block.strip().rstrip(";") for block in blocks_of("sql lake") if block.startswith("SELECT")]
    return [one.replace("lake.security.container_nodes", f"lake.{world.table}") for one in found]


def count_by(rows, *names):
    return Counter(tuple(row[name] for name in names) for row in rows)


def iso(moment):
    return moment and moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


@pytest.mark.parametrize("engine", [open_spark, open_views])
def test_the_five_questions_are_answered_like_the_oracle(questions, answered, request, engine):
    ask = engine(request, answered)
    told = {name: question["rows"] for name, question in questions[1].items()}
    unprotected, as_of, changes, coverage, check = statements_of(answered)

    found = ask(unprotected)
    newest = told["the newest complete snapshots"]
    assert count_by(found, "region", "project_id") == {tuple(row[:2]): row[5] for row in newest if row[5]}
    since = Counter()
    for row in told["since when rows of the newest complete snapshots have their status"]:
        since[(row[0], row[3])] += row[6]
    found = [{**row, "protect_status_since": iso(utc(row["protect_status_since"]))} for row in found]
    assert count_by(found, "region", "protect_status_since") == +since

    times = [name.removeprefix("as of ") for name in told if name.startswith("as of ")]
    assert len(times) == 3
    for time in times:
        name = re.sub(r"[-:]|\.\d+", "", time)
        rows = ask(as_of.replace("20261124T120000Z", name))
        expected = {tuple(row[:2]): (row[2], row[3], row[4]) for row in told[f"as of {time}"]}
        sums = Counter()
        for row in rows:
            sums[(row["region"], row["project_id"])] += row["asset"] or 0
        moments = {(row["region"], row["project_id"]): iso(utc(row["snapshot_at"])) for row in rows}
        counts = count_by(rows, "region", "project_id")
        assert {target: (moments[target], counts[target], sums[target]) for target in counts} == expected

    found = [{**row, "snapshot_at": iso(utc(row["snapshot_at"]))} for row in ask(changes)]
    expected = {(row[0], row[1], row[2], row[4]): row[5] for row in told["the changes of each snapshot"]}
    assert count_by(found, "region", "project_id", "snapshot_at", "change") == expected

    found = sorted(tuple(row.values()) for row in ask(coverage))
    expected = [(*row[:4], *row[5:]) for row in told["what the snapshots cover"]]
    assert found == sorted(expected)
    assert {row[4] for row in found} == {"complete", "drifted"}
    assert 0 in {row[5] for row in found}

    found = [(row["region"], row["project_id"], row["snapshot"]) for row in ask(check)]
    assert sorted(found) == sorted(map(tuple, told["the pruned snapshots"])) != []


def utc(moment):
    """Spark gives times without a zone, here in UTC. DuckDB gives them in the zone of the session."""
    return moment and (moment if moment.tzinfo is None else moment.astimezone(timezone.utc))


def test_the_maintenance_runs_in_spark(folder, rest, spark, capsys):
    world = World(folder / "demo-out", rest, "security.container_nodes")
    assert run(capsys, world.arguments("commit", "--json"))[0] == 0
    before, announced = count_rows(world.load()), world.announced()
    blocks = [block for block in blocks_of("sql lake") if block.startswith("CALL")]
    statements = [one for block in blocks for one in block.split(";\n") if one.strip()]
    assert len(statements) == 4
    for statement in statements:
        spark.sql(statement.strip()).collect()
    assert spark.sql("SELECT count(*) AS n FROM lake.security.container_nodes").first().n == before > 1500
    assert world.announced() == announced
    assert len(announced) == 3
    assert run(capsys, world.arguments("commit", "--json"))[1]["status"] == "nothing"
