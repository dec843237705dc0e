"""Tests that DuckDB and Spark read the tables, and that commits after Spark's maintenance are still exactly once."""

import json
import shutil
from datetime import datetime, timezone

import pytest
from support.rest_server import open_duckdb
from support.store_writer import Target
from support.world import World, run, truth_of


@pytest.fixture
def filled(rest, store, capsys, request):
    """A world with two targets, of which everything is committed."""
    name = f"lake_{abs(hash(request.node.nodeid)) % 10**9}.nodes"
    world = World(store, rest, name)
    targets = [Target(store), Target(store, project="1e5")]
    for target in targets:
        for place in range(6):
            verdict = "drifted" if place == 3 else "complete"
            target.seal([f"h{place}", "é", ""], verdict=verdict, changed=["é"], more={"protect_status": ""})
        target.seal([])
    assert run(capsys, world.arguments("commit", "--json"))[0] == 0
    return world, targets


def spark_rows(spark, table):
    rows = {}
    for row in spark.sql(f"SELECT region, project_id, snapshot_at, host_id FROM lake.{table}").collect():
        name = row.snapshot_at.strftime("%Y%m%dT%H%M%SZ")
        rows.setdefault((row.region, row.project_id, name), []).append(row.host_id)
    return {key: sorted(hosts) for key, hosts in rows.items()}


def test_duckdb_reads_the_rows(filled):
    world, targets = filled
    location = world.load().metadata_location
    found = (
        open_duckdb()
        .sql(
            f"""SELECT region, project_id, strftime(snapshot_at AT TIME ZONE 'UTC', '%Y%m%dT%H%M%SZ') AS snapshot,
                   list(host_id ORDER BY host_id) AS hosts, sum(total)::HUGEINT AS total
            FROM iceberg_scan('{location}') GROUP BY ALL"""
        )
        .fetchall()
    )
    assert {row[:3]: sorted(row[3]) for row in found} == truth_of(*targets)
    assert {row[4] for row in found} == {3 * 2**60}


def test_spark_reads_the_rows_and_the_values(spark, filled):
    world, targets = filled
    assert spark_rows(spark, world.table) == truth_of(*targets)
    assert spark_rows(spark, f"{world.table}_changes") == truth_of(*targets, changes=True)
    row = spark.sql(
        f"SELECT count(*) AS n, sum(CAST(total AS DECIMAL(38, 0))) AS total, count(asset) AS assets, "
        f"count_if(protect_status = '') AS empty FROM lake.{world.table} WHERE project_id = '1e5'"
    ).first()
    assert (row.n, row.total, row.assets, row.empty) == (15, 15 * 2**60, 0, 15)


def test_spark_refuses_to_expire_by_default_because_it_would_delete_files_of_the_store(spark, filled):
    world, _ = filled
    with pytest.raises(Exception, match="GC is disabled"):
        spark.sql(f"CALL lake.system.expire_snapshots(table => '{world.table}')")


def compact(spark, world):
    spark.sql(
        f"CALL lake.system.rewrite_data_files(table => '{world.table}', options => map('rewrite-all', 'true'))"
    ).collect()


def expire_all_but_newest(spark, world):
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
    return spark.sql(
        f"CALL lake.system.expire_snapshots(table => '{world.table}', "
        f"older_than => TIMESTAMP '{now}', retain_last => 1)"
    ).collect()


def test_compaction_and_expiry_by_spark_lead_to_no_second_commit(spark, filled, capsys, store, tmp_path):
    world, targets = filled
    shutil.copytree(store, tmp_path / "copy")
    compact(spark, world)
    assert targets[0].part_file(next(iter(targets[0].truth))).exists()
    spark.sql(f"ALTER TABLE lake.{world.table} SET TBLPROPERTIES ('gc.enabled' = 'true')")
    expire_all_but_newest(spark, world)
    # This is why the default is false: with it, Spark deletes files of the store that a compaction replaced.
    assert not targets[0].part_file(next(iter(targets[0].truth))).exists()
    assert len(world.load().snapshots()) == 1
    code, result = run(capsys, world.arguments("commit", "--json"))
    assert (code, result["status"]) == (0, "nothing")
    for target in targets:
        target.seal(["new"])
    code, result = run(capsys, world.arguments("commit", "--json"))
    assert (code, len(result["tables"][0]["committed"])) == (0, 2)
    assert spark_rows(spark, world.table) == world.rows() == truth_of(*targets)


def test_pruning_after_a_compaction_drops_rows_in_spark_too(spark, filled, capsys):
    world, targets = filled
    compact(spark, world)
    pruned = list(targets[0].truth)[1]
    targets[0].prune(pruned)
    code, result = run(capsys, world.arguments("commit", "--json"))
    assert (code, [entry["snapshot"] for entry in result["tables"][0]["dropped"]]) == (0, [pruned])
    assert spark_rows(spark, world.table) == truth_of(*targets)


def test_expiry_by_pyiceberg_keeps_the_files_and_the_record(filled, capsys):
    world, targets = filled
    targets[0].seal(["new"])
    assert run(capsys, world.arguments("commit", "--json"))[0] == 0
    world.load().maintenance.expire_snapshots().older_than(datetime.now(timezone.utc).replace(tzinfo=None)).commit()
    assert len(world.load().snapshots()) == 1
    code, result = run(capsys, world.arguments("commit", "--json"))
    assert (code, result["status"]) == (0, "nothing")
    assert world.rows() == truth_of(*targets)
    assert json.dumps(result["errors"]) == "[]"
