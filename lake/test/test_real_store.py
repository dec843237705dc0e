"""Tests the committer on two stores of the exporter.

One has 60 days with a drifted day, missed slots and a pruned month. The other has two datasets, three versions of their
columns, and whole numbers that a double cannot hold. Its rows are calculated without the exporter.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from conftest import sql_properties
from support.rest_server import open_duckdb
from support.world import World, run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sixty_days(tmp_path_factory):
    """Written by test/support/write-sixty-days.ts."""
    folder = tmp_path_factory.mktemp("sixty") / "store"
    writer = ["npx", "tsx", "test/support/write-sixty-days.ts", str(folder)]
    subprocess.run(writer, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def lake_world(tmp_path_factory):
    """Written by test/support/write-lake-world.ts: `store`, and `rows.json` with the rows that were listed."""
    folder = tmp_path_factory.mktemp("world")
    writer = ["npx", "tsx", "test/support/write-lake-world.ts", str(folder)]
    subprocess.run(writer, cwd=ROOT, check=True, capture_output=True)
    return folder


def read_parts(store, table="container_nodes"):
    """All rows of the files in the store, but of drifted ones, read by pyarrow. The pruned files are deleted."""
    rows = ds.dataset(store / table, format="parquet").to_table().to_pylist()
    return sort([row for row in rows if row.get("verdict") != "drifted"])


def sort(rows):
    return sorted(rows, key=lambda row: (row["region"], row["project_id"], row["snapshot_at"], row["host_id"]))


def test_the_table_has_every_row_and_value_of_the_store(sixty_days, tmp_path, capsys):
    world = World(sixty_days, sql_properties(tmp_path), "security.container_nodes")
    code, result = run(capsys, world.arguments("commit", "--json", "--verify"))
    assert (code, result["tables"][0]["skipped"]) == (0, {"drifted": 1, "empty": 0, "pruned": 89})
    assert sort(world.load().scan().to_arrow().to_pylist()) == read_parts(sixty_days)
    changes = sort(world.load("_changes").scan().to_arrow().to_pylist())
    assert changes == read_parts(sixty_days, "container_nodes_changes")
    assert len(changes) > 50


def test_an_altered_part_of_a_real_store_stops_its_target(sixty_days, tmp_path, capsys):
    store = tmp_path / "altered"
    shutil.copytree(sixty_days, store)
    path = sorted(store.glob("container_nodes/dt=*/rgn=*/prj=9f8e7d6c5b4a/*.parquet"))[-1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    world = World(store, sql_properties(tmp_path), "security.container_nodes")
    code, result = run(capsys, world.arguments("commit", "--json", "--verify"))
    assert (code, [error["code"] for error in result["errors"]]) == (5, ["CORRUPT"])
    altered = path.name[:16]
    assert ("cn-south-4", "9f8e7d6c5b4a", altered) not in world.rows()
    assert ("cn-south-4", "0f1e2d3c4b5a", altered) in world.rows()


def test_spark_and_duckdb_read_the_real_files(sixty_days, rest, spark, capsys):
    expected = sort(map(without_zone, read_parts(sixty_days)))
    world = World(sixty_days, rest, "real.container_nodes")
    assert run(capsys, world.arguments("commit", "--json"))[0] == 0
    found = [row.asDict() for row in spark.sql("SELECT * FROM lake.real.container_nodes").collect()]
    assert sort(map(without_zone, found)) == expected
    table = open_duckdb().sql(f"SELECT * FROM iceberg_scan('{world.load().metadata_location}')").to_arrow_table()
    assert sort(map(without_zone, table.to_pylist())) == expected


def to_answer(cell):
    """As rows.json has it: times in ISO 8601, whole numbers that a double cannot hold as text."""
    if hasattr(cell, "isoformat"):
        return cell.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    is_large = isinstance(cell, int) and abs(cell) > 2**53 - 1
    return str(cell) if is_large else cell


@pytest.mark.parametrize("source", ["container_clusters", "container_nodes"])
def test_all_readers_find_the_listed_values_in_three_versions(lake_world, rest, spark, capsys, source):
    world = World(lake_world / "store", rest, f"listed.{source}")
    _, result = run(capsys, world.arguments("commit", "--json", f"--from={source}", "--verify"))
    # The store has a manifest in a wrong place.
    assert all("cn-nowhere-1" in error["message"] for error in result["errors"]), result["errors"]
    listed = json.loads((lake_world / "rows.json").read_text())[source]
    # The partition keys are not in the files.
    columns = [name for name in listed["columns"] if name not in ("dt", "rgn", "prj")]
    rows = [dict(zip(listed["columns"], row, strict=True)) for row in listed["rows"]]
    kept = {tuple(row[name] for name in columns) for row in rows if row["verdict"] == "complete"}
    names = ", ".join(columns)
    table = world.load()
    found = {
        "PyIceberg": table.scan(selected_fields=tuple(columns)).to_arrow().select(columns).to_pylist(),
        "DuckDB": open_duckdb()
        .sql(f"SELECT {names} FROM iceberg_scan('{table.metadata_location}')")
        .to_arrow_table()
        .to_pylist(),
        "Spark": [row.asDict() for row in spark.sql(f"SELECT {names} FROM lake.listed.{source}").collect()],
    }
    for reader, read in found.items():
        values = [tuple(to_answer(row[name]) for name in columns) for row in read]
        assert len(values) == len(kept), reader
        assert set(values) == kept, reader


def without_zone(row):
    """Spark gives times without a zone, in that of the process; pytest runs in UTC."""
    return {name: value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value for name, value in row.items()}
