"""Tests the table of the snapshots: one row a manifest, after the rows and changes of its snapshot."""

import json
import shutil
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException
from support.store_writer import Target
from support.world import announced_of, names_of, run, truth_of

from cgs_lake import announcing, cli

OPENED = {"protect_status": "opened"}


def test_each_manifest_has_a_row_also_of_drifted_empty_and_future_snapshots(world, target, commit, store):
    other = Target(store, region="cn-south-4", project="1e5")
    target.seal(["a", "b"], more={"protect_status": "closed", "agent_status": "offline"})
    target.seal(["a"], changed=["b"], more=OPENED)
    target.seal(["a"], verdict="drifted", version=2)
    target.seal([])
    other.seal(["x", "y"], verdict="drifted")
    other.seal(["z"], moment=datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=900))
    code, result = commit()
    assert code == 0
    assert world.announced() == announced_of(target, other)
    third = result["tables"][2]
    assert (third["table"], third["role"], third["commits"]) == ("security.nodes_snapshots", "snapshots", 1)
    assert names_of(third["committed"]) == names_of([{"snapshot": name} for name in [*target.sealed, *other.sealed]])
    assert [entry["rows"] for entry in third["committed"]] == [1] * 6
    assert third["skipped"] == {"drifted": 0, "empty": 0, "pruned": 0}


def test_a_store_of_drifted_snapshots_alone_has_this_table_only(world, target, commit):
    target.seal(["a"], verdict="drifted")
    assert commit()[0] == 0
    assert world.catalog().list_tables("security") == [("security", "nodes_snapshots")]
    assert world.announced() == announced_of(target)


def test_columns_are_those_of_the_views_and_of_64_bits(world, target, commit, store):
    target.seal()
    commit()
    schema = world.load("_snapshots").schema().as_arrow()
    assert [field.name for field in schema] == list(target.sealed[next(iter(target.sealed))])
    assert {str(schema.field(name).type) for name in ("rows", "rejects", "schema_version", "added")} == {"int64"}
    assert schema.field("snapshot_at").type == pa.timestamp("us", tz="UTC")
    clusters = Target(store, table="clusters", dataset="container_clusters")
    clusters.seal()
    world.table = "security.clusters"
    assert run_again(world) == 0
    names = [field.name for field in world.load("_snapshots").schema().fields]
    assert names == [
        name for name in target.sealed[next(iter(target.sealed))] if name not in ("unprotected", "offline")
    ]


def run_again(world, *more):
    return cli.main(world.arguments("commit", *more))


def test_tables_of_an_earlier_version_get_all_rows_in_the_next_run(world, target, commit):
    target.seal(["a"])
    target.seal(["a"], verdict="drifted")
    commit()
    world.catalog().drop_table("security.nodes_snapshots")
    target.seal(["b"])
    _, result = commit()
    assert [len(table["committed"]) for table in result["tables"]] == [1, 0, 3]
    assert world.announced() == announced_of(target)


def test_a_second_run_writes_nothing_and_many_snapshots_are_several_commits(world, target, commit, monkeypatch):
    monkeypatch.setattr(announcing, "ROWS_MAX", 3)
    for place in range(7):
        target.seal([f"h{place}"])
    _, result = commit()
    assert result["tables"][2]["commits"] == 3
    before = world.load("_snapshots").metadata_location
    assert commit()[1]["status"] == "nothing"
    assert world.load("_snapshots").metadata_location == before
    assert world.announced() == announced_of(target)


def test_a_damaged_target_stops_and_is_announced_up_to_its_damage(world, target, commit, store):
    other = Target(store, project="2")
    first = target.seal(["a"])
    bad = target.seal(["b"])
    target.seal(["c"], verdict="drifted")
    other.seal(["x"])
    target.part_file(bad).unlink()
    code, _ = commit()
    assert code == 5
    target.sealed = {first: target.sealed[first]}
    assert world.announced() == announced_of(target, other)


@pytest.mark.parametrize("role", ["rows", "changes"])
def test_a_snapshot_that_is_sealed_while_the_run_works_waits_for_its_rows(world, target, commit, monkeypatch, role):
    """The manifests are listed again after the other tables were committed, as after a fault."""
    target.seal(["a"], changed=["a"])
    late = {}
    original = announcing.Announcer.commit_next

    def seal_and_list_again(self, table):
        if not late:
            late["name"] = target.seal(["b"] if role == "rows" else [], verdict="complete", changed=["c"])
            target.seal(["b"], verdict="drifted")
            self.source.list()
        return original(self, table)

    monkeypatch.setattr(announcing.Announcer, "commit_next", seal_and_list_again)
    assert commit()[0] == 0
    assert [row["snapshot"] for row in world.announced()] == [name for name in target.sealed if name < late["name"]]
    monkeypatch.undo()
    assert commit()[0] == 0
    assert world.announced() == announced_of(target)


def test_pruned_snapshots_keep_their_row_also_if_they_were_never_committed(world, target, commit):
    names = [target.seal(["a"]) for _ in range(2)]
    target.seal([])
    for name in names:
        target.prune(name)
    assert commit()[0] == 0
    assert not world.catalog().table_exists("security.nodes")
    assert world.announced() == announced_of(target)
    names = [target.seal(["b"]), target.seal(["c"])]
    commit()
    target.prune(names[0])
    _, result = commit()
    assert names_of(result["tables"][0]["dropped"]) == {names[0]: 1}
    assert world.rows() == truth_of(target)
    assert world.announced() == announced_of(target)


@pytest.mark.parametrize("error", [CommitStateUnknownException, CommitFailedException])
def test_a_lost_answer_and_a_lost_race_write_no_row_twice(world, target, commit, monkeypatch, error):
    target.seal()
    commit()
    target.seal()
    original, calls = SqlCatalog.commit_table, []

    def fail_once(self, table, *arguments):
        if table.name()[-1] == "nodes_snapshots" and not calls:
            calls.append(1)
            if error is CommitStateUnknownException:
                original(self, table, *arguments)
            raise error("lost")
        return original(self, table, *arguments)

    monkeypatch.setattr(SqlCatalog, "commit_table", fail_once)
    code, result = commit()
    assert (code, calls, len(result["tables"][2]["committed"])) == (0, [1], 1)
    assert world.announced() == announced_of(target)


def test_a_lost_record_is_refused_and_a_new_target_between_others_is_not(world, target, commit, store):
    """The bounds of the one file include the new target, but no row is of it."""
    targets = [Target(store, project=project) for project in ("1", "9")]
    for one in targets:
        one.seal()
    commit()
    target = Target(store, project="5")
    target.seal()
    assert commit()[0] == 0
    assert world.announced() == announced_of(target, *targets)
    with world.load("_snapshots").transaction() as transaction:
        transaction.remove_properties("cgs-export.committed.cn-north-4/5")
    code, result = commit()
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
    assert "nodes_snapshots has rows of cn-north-4, 5" in result["errors"][0]["message"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"startedAt":"2026', '"startedAt":"x'),
        ('"sealedAt":"2026', '"sealedAt":1,"x":"'),
        ('"rejects":0', '"rejects":"many"'),
        ('"rejects":0', f'"rejects":{2**63}'),
        ('"account":"prod"', r'"account":"\ud800"'),
        ('"account":"prod"', '"account":7'),
        ('"values":{', '"values":7,"x":{'),
        ('"changes":null', '"changes":{"added":1}'),
    ],
)
def test_a_manifest_with_a_wrong_member_stops_only_its_target(world, target, commit, store, old, new):
    other = Target(store, project="2")
    other.seal()
    path = target.manifest_file(target.seal())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    code, result = commit()
    assert (code, [error["code"] for error in result["errors"]]) == (5, ["CORRUPT"])
    assert world.announced() == announced_of(other)


def test_a_dry_run_shows_what_a_run_would_announce(world, target, commit):
    target.seal(["a"])
    target.seal(["a"], verdict="drifted")
    code, result = commit("--dry-run")
    assert code == 0
    assert names_of(result["tables"][2]["pending"]) == names_of([{"snapshot": name} for name in target.sealed])


def status_of(world, capsys):
    capsys.readouterr()
    code = cli.main(world.arguments("status"))
    return code, capsys.readouterr().out.splitlines()


def test_status_tells_seen_from_complete_and_names_the_account(world, target, commit, capsys, store):
    drifted = target.seal(["a"], verdict="drifted")
    code, lines = status_of(world, capsys)
    assert code == 0
    assert lines == [
        "security.nodes  does not exist. Nothing is pending for it",
        "security.nodes_changes  does not exist. Nothing is pending for it",
        "security.nodes_snapshots  does not exist. `commit` creates it: 1 snapshots are pending",
    ]
    Target(store, project="2").seal()
    commit()
    _, lines = status_of(world, capsys)
    start = f"prod cn-north-4 {target.project}  seen up to {drifted}, newest complete none, 0 snapshots pending"
    assert [line for line in lines if target.project in line] == [
        f"security.nodes  {start}",
        f"security.nodes_snapshots  {start}",
    ]


def test_status_lists_no_target_that_has_only_a_copy(world, target, commit, capsys, store):
    name = target.seal()
    wrong = store / "_manifests/nodes/rgn=cn-south-4/prj=9" / f"{name}.json"
    wrong.parent.mkdir(parents=True)
    shutil.copy(target.manifest_file(name), wrong)
    commit()
    code, result = run(capsys, world.arguments("status", "--json"))
    assert (code, len(result["warnings"])) == (0, 1)
    assert [one["projectId"] for one in result["tables"][0]["targets"]] == [target.project]


def test_a_table_of_another_source_prints_no_count_before_its_error(world, target, commit, capsys, store):
    target.seal()
    commit()
    Target(store, table="clusters", dataset="container_clusters").seal()
    assert cli.main(world.arguments("commit", "--from=clusters")) == 2
    assert capsys.readouterr().out == ""


def test_compacted_rows_are_not_written_again(world, target, commit):
    for place in range(3):
        target.seal([f"h{place}"])
        commit()
    table = world.load("_snapshots")
    assert len(list(table.scan().plan_files())) == 3
    table.overwrite(table.scan().to_arrow())
    assert commit()[1]["status"] == "nothing"
    target.seal([])
    commit()
    assert world.announced() == announced_of(target)
    assert json.dumps(sorted(table.properties)).count("gc.enabled") == 0
