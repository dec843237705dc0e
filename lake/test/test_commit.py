"""Tests `commit` and `status` with an SQL catalog on stores in folders."""

import os
import shutil
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitStateUnknownException, TableAlreadyExistsError
from support.store_writer import COLUMNS, Target
from support.world import names_of, run, truth_of

from cgs_lake import committing


def test_commits_exactly_the_complete_snapshots_with_rows(world, target, commit, store):
    other = Target(store, region="cn-south-4", project="1e5")
    target.seal(["a"])
    target.seal(["a", "b"], changed=["b"])
    target.seal(["a"], verdict="drifted")
    target.seal([])
    target.seal(["b"])
    other.seal(["x"])
    other.seal(["x", "y"], verdict="drifted")
    code, result = commit()
    assert (code, result["status"], result["errors"]) == (0, "committed", [])
    rows, changes, _ = result["tables"]
    assert rows["skipped"] == {"drifted": 2, "empty": 1, "pruned": 0}
    assert [entry["snapshot"] for entry in rows["committed"]] == [*target.truth, *other.truth]
    assert world.rows() == truth_of(target, other)
    assert world.rows("_changes") == truth_of(target, other, changes=True)
    assert len(changes["committed"]) == 1


def test_a_second_run_commits_nothing_and_a_later_one_only_what_is_new(world, target, commit):
    target.seal()
    target.seal(["a"], verdict="drifted")
    commit()
    before = world.load().metadata_location
    code, result = commit()
    assert (code, result["status"]) == (0, "nothing")
    assert world.load().metadata_location == before
    name = target.seal(["c"])
    _, result = commit()
    assert names_of(result["tables"][0]["committed"]) == {name: 1}
    assert world.rows() == truth_of(target)


def test_registers_the_files_of_the_store_and_writes_no_data(world, target, commit, tmp_path):
    name = target.seal()
    commit()
    files = [task.file.file_path for task in world.load().scan().plan_files()]
    assert files == [f"file://{target.part_file(name)}"]
    assert world.own_files() == []
    fields = {field.name: str(field.transform) for field in world.load().spec().fields}
    assert fields == {"snapshot_day": "day", "region": "identity", "project_id": "identity"}


def test_values_are_those_of_the_files(world, target, commit):
    target.seal(["a"], more={"protect_status": "", "is_container_node": None})
    commit()
    (row,) = world.load().scan().to_arrow().to_pylist()
    assert (row["protect_status"], row["is_container_node"], row["asset"]) == ("", None, None)
    assert (row["total"], row["extra"], row["project_id"]) == (2**60, "", "0" * 31 + "1")
    assert row["snapshot_at"] == target.moment
    names = [name for name, _ in COLUMNS]
    assert [field.name for field in world.load().schema().fields] == names


def test_many_snapshots_are_committed_in_several_commits(world, target, commit, monkeypatch):
    monkeypatch.setattr(committing, "FILES_MAX", 3)
    for place in range(10):
        target.seal([f"h{place}"], verdict="drifted" if place == 4 else "complete")
    _, result = commit()
    assert result["tables"][0]["commits"] == 3
    assert world.rows() == truth_of(target)


def test_a_copy_in_a_wrong_place_is_ignored_with_a_warning(world, target, commit, store):
    name = target.seal()
    wrong = store / "_manifests/nodes/rgn=cn-south-4/prj=9" / f"{name}.json"
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(target.manifest_file(name).read_bytes())
    code, result = commit()
    assert code == 0
    assert "a copy of another manifest" in result["warnings"][0]
    assert world.rows() == truth_of(target)


def test_a_snapshot_of_a_wrong_clock_is_committed_but_never_the_newest(world, target, commit):
    first = target.seal()
    moment = target.moment
    target.seal(["z"], moment=datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=40))
    code, result = commit()
    assert code == 0
    assert "wrong clock" in result["warnings"][0]
    target.moment = moment
    last = target.seal(["c"])
    commit()
    assert world.rows() == truth_of(target)
    commit()
    (record,) = committing.read_records(world.load().properties).values()
    assert record.complete[0] == last != first
    assert world.rows() == truth_of(target)


def test_a_name_that_is_ahead_for_less_than_a_day_loses_no_later_snapshot(world, target, commit):
    """It was more than 24 hours ahead when the next snapshot was sealed, which so has an older name."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    names = [target.seal([f"h{hours}"], moment=now + timedelta(hours=hours)) for hours in (-9, 23, -2)]
    commit()
    (record,) = committing.read_records(world.load().properties).values()
    assert record.complete[0] == names[1]
    target.seal(["later"], moment=now - timedelta(minutes=5))
    # It is newer in the chain than the newest complete snapshot, but not by name: `prune` can have chosen it.
    target.prune(names[2])
    assert commit()[0] == 0
    assert world.rows() == truth_of(target)


def test_a_lost_manifest_stops_its_target_and_no_other(world, target, commit, store):
    other = Target(store, project="2")
    target.seal(["a"])
    commit()
    lost = target.seal(["b"])
    last = target.seal(["c"])
    other.seal(["x"])
    target.manifest_file(lost).unlink()
    code, result = commit()
    assert code == 5
    assert [error["code"] for error in result["errors"]] == ["CORRUPT"]
    assert target.manifest_key(last) in result["errors"][0]["message"]
    assert names_of(result["tables"][0]["committed"]) == {next(iter(other.truth)): 1}
    code, _ = commit("--skip-missing")
    assert code == 0
    del target.truth[lost]
    assert world.rows() == truth_of(target, other)


def break_missing(path):
    path.unlink()


def break_truncated(path):
    path.write_bytes(path.read_bytes()[:-1])


def break_byte(path):
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(("damage", "more"), [(break_missing, []), (break_truncated, []), (break_byte, ["--verify"])])
def test_a_damaged_part_stops_its_target_there(world, target, commit, store, damage, more):
    other = Target(store, project="2")
    target.seal(["a"])
    bad = target.seal(["b"])
    later = target.seal(["c"])
    other.seal(["x"])
    damage(target.part_file(bad))
    code, result = commit(*more)
    assert code == 5
    key = next(part["key"] for part in target.manifests[bad]["parts"])
    assert key in result["errors"][0]["message"]
    del target.truth[bad], target.truth[later]
    assert world.rows() == truth_of(target, other)


def test_verify_finds_an_altered_manifest_that_was_committed_before(world, target, commit):
    old = target.seal(["a"])
    target.seal(["b"])
    commit()
    target.seal(["c"])
    path = target.manifest_file(old)
    path.write_bytes(path.read_bytes().replace(b'"rejects":0', b'"rejects":1'))
    code, result = commit("--verify")
    assert (code, result["tables"][0]["committed"]) == (5, [])


def write_key(folder, key):
    path = folder / "auditor.pem"
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return f"--public-key={path}"


def test_public_key_accepts_what_it_signed(world, target, commit, tmp_path):
    target.seal(["unsigned"])
    target.key = Ed25519PrivateKey.generate()
    pruned = target.seal(["a"])
    target.seal(["b"])
    target.prune(pruned)
    code, _ = commit(write_key(tmp_path, target.key))
    assert code == 0
    assert world.rows() == truth_of(target)


def test_public_key_refuses_other_signatures(world, target, commit, store, tmp_path):
    good, wrong = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    others = [Target(store, project=project) for project in ("foreign", "unsigned", "forged", "removed")]
    target.key = others[2].key = others[3].key = good
    others[0].key = wrong
    for one in (target, *others):
        name = one.seal(["a"])
    forged = store / f"_signatures/nodes/{others[2].path}/{name}.sig"
    forged.write_bytes(wrong.sign(others[2].manifest_file(name).read_bytes()))
    (store / f"_signatures/nodes/{others[3].path}/{name}.sig").unlink()
    code, result = commit(write_key(tmp_path, good))
    assert (code, len(result["errors"])) == (5, 4)
    assert world.rows() == truth_of(target)


def test_an_unsigned_tombstone_does_not_drop_rows_if_a_key_is_given(world, target, commit, tmp_path):
    target.key = Ed25519PrivateKey.generate()
    name = target.seal(["a"])
    target.seal(["b"])
    commit()
    truth = truth_of(target)
    key, target.key = target.key, None
    target.prune(name, delete=False)
    code, _ = commit(write_key(tmp_path, key))
    assert code == 5
    assert world.rows() == truth


def test_pruned_snapshots_are_dropped_without_writing_data(world, target, commit, tmp_path, store):
    other = Target(store, project="2")
    names = [target.seal([f"h{place}"], changed=["c"]) for place in range(8)]
    other.seal(["x"])
    other.seal(["y"])
    commit()
    for name in names[1:5]:
        target.prune(name, delete=name != names[2])
    code, result = commit()
    assert code == 0
    assert [entry["snapshot"] for entry in result["tables"][0]["dropped"]] == names[1:5]
    assert world.rows() == truth_of(target, other)
    assert len(world.rows("_changes")) == 8
    assert world.own_files() == []
    assert target.part_file(names[2]).exists()
    before = world.load().metadata_location
    commit()
    assert world.load().metadata_location == before


def test_pruned_snapshots_are_dropped_from_a_compacted_file(world, target, commit):
    names = [target.seal([f"h{place}"]) for place in range(3)]
    commit()
    table = world.load()
    table.overwrite(table.scan().to_arrow())
    for name in names[:2]:
        target.prune(name)
    target.seal(["last"])
    _, result = commit()
    assert names_of(result["tables"][0]["dropped"]) == {names[0]: 1, names[1]: 1}
    assert world.rows() == truth_of(target)


def test_a_snapshot_that_was_pruned_before_it_was_committed_is_skipped(world, target, commit):
    name = target.seal(["a"])
    target.seal(["b"])
    target.prune(name)
    code, result = commit()
    assert (code, result["tables"][0]["skipped"]["pruned"]) == (0, 1)
    assert world.rows() == truth_of(target)


def test_a_tombstone_of_the_newest_complete_snapshot_is_refused(world, target, commit):
    target.seal(["a"])
    name = target.seal(["b"])
    target.seal(["b"], verdict="drifted")
    commit()
    truth = truth_of(target)
    target.prune(name, delete=False)
    code, _ = commit()
    assert code == 5
    assert world.rows() == truth


WIDER = [*COLUMNS[:7], ("since_version_2", pa.string()), *COLUMNS[7:]]


def test_a_new_column_is_added_and_is_null_in_older_files(world, target, commit):
    old = target.seal(["a"])
    commit()
    target.seal(["b"], columns=WIDER, version=2, more={"since_version_2": "new"})
    target.seal(["c"])
    code, _ = commit()
    assert code == 0
    assert [field.name for field in world.load().schema().fields] == [name for name, _ in WIDER]
    found = world.load().scan().to_arrow().to_pylist()
    assert {row["host_id"]: row["since_version_2"] for row in found} == {"a": None, "b": "new", "c": None}
    assert world.rows() == truth_of(target)
    target.prune(old)
    commit()
    assert world.rows() == truth_of(target)


def test_both_versions_in_the_first_run_give_all_columns(world, target, commit):
    target.seal(["a"])
    target.seal(["b"], columns=WIDER, version=2)
    assert commit()[0] == 0
    assert [field.name for field in world.load().schema().fields] == [name for name, _ in WIDER]
    assert world.rows() == truth_of(target)


def test_a_changed_type_is_an_error_and_nothing_is_committed(world, target, commit):
    target.seal(["a"])
    commit()
    before = world.load().metadata_location
    changed = [(name, pa.int64() if name == "asset" else kind) for name, kind in COLUMNS]
    target.seal(["b"], columns=changed, version=2)
    code, result = commit()
    assert (code, result["errors"][0]["code"]) == (1, "SCHEMA_CONFLICT")
    assert "asset is int in the table, and long" in result["errors"][0]["message"]
    assert world.load().metadata_location == before


def test_a_file_with_other_rows_than_stated_is_not_committed(world, target, commit, monkeypatch):
    from support import store_writer

    encode = store_writer.encode
    monkeypatch.setattr(store_writer, "encode", lambda columns, rows: encode(columns, rows[:-1]))
    target.seal(["a", "b"])
    code, result = commit()
    assert (code, result["errors"][0]["code"]) == (5, "CORRUPT")
    assert "has 1 rows, and" in result["errors"][0]["message"]


def test_a_lost_record_does_not_commit_twice(world, target, commit):
    target.seal()
    commit()
    table = world.load()
    name = next(name for name in table.properties if name.startswith("cgs-export.committed."))
    with table.transaction() as transaction:
        transaction.remove_properties(name)
    code, result = commit()
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
    assert name in result["errors"][0]["message"]
    assert world.rows() == truth_of(target)


def test_a_lost_answer_of_the_catalog_is_no_second_commit(world, target, commit, monkeypatch):
    target.seal()
    original, calls = SqlCatalog.commit_table, []

    def lose_answer(self, *arguments):
        calls.append(original(self, *arguments))
        raise CommitStateUnknownException("the answer was lost")

    def lose_first(self, *arguments):
        return lose_answer(self, *arguments) if not calls else original(self, *arguments)

    monkeypatch.setattr(SqlCatalog, "commit_table", lose_first)
    code, result = commit()
    assert (code, len(calls)) == (0, 1)
    assert [len(table["committed"]) for table in result["tables"]] == [1, 0, 1]
    assert world.rows() == truth_of(target)


def test_a_commit_that_is_refused_after_it_was_accepted_keeps_its_manifests(world, target, commit, monkeypatch):
    """The catalog sees one request twice: the first one is accepted, and its answer is lost."""
    pruned = target.seal(["a"])
    original = SqlCatalog.commit_table

    def repeat_first(self, *arguments):
        monkeypatch.setattr(SqlCatalog, "commit_table", original)
        original(self, *arguments)
        return original(self, *arguments)

    monkeypatch.setattr(SqlCatalog, "commit_table", repeat_first)
    code, result = commit()
    assert (code, names_of(result["tables"][0]["committed"])) == (0, {pruned: 1})
    assert world.rows() == truth_of(target)
    target.seal(["b"])
    commit()
    target.prune(pruned)
    monkeypatch.setattr(SqlCatalog, "commit_table", repeat_first)
    assert commit()[0] == 0
    assert world.rows() == truth_of(target)


def test_a_catalog_that_never_answers_ends_with_unreachable(world, target, commit, monkeypatch):
    target.seal()
    commit()
    target.seal(["c"])

    def fail(*_):
        raise CommitStateUnknownException("no answer")

    monkeypatch.setattr(SqlCatalog, "commit_table", fail)
    monkeypatch.setattr(committing, "WAIT_MAX_SECONDS", 0)
    code, result = commit()
    assert (code, result["errors"][0]["code"]) == (4, "UNREACHABLE")
    monkeypatch.undo()
    assert commit()[0] == 0
    assert world.rows() == truth_of(target)


def test_a_result_names_what_was_committed_before_an_unknown_error(world, target, commit, monkeypatch):
    name = target.seal(["a"], changed=["a"])
    original = SqlCatalog.create_table

    def fail_for_changes(self, identifier, *arguments, **options):
        if identifier.endswith("_changes"):
            raise RuntimeError("of a library")
        return original(self, identifier, *arguments, **options)

    monkeypatch.setattr(SqlCatalog, "create_table", fail_for_changes)
    code, result = commit()
    assert (code, result["status"], result["errors"][0]["code"]) == (1, "failed", "INTERNAL")
    assert names_of(result["tables"][0]["committed"]) == {name: 1}


def test_another_dataset_needs_another_table(world, target, commit, store):
    target.seal()
    commit()
    Target(store, table="clusters", dataset="container_clusters").seal()
    code, result = commit("--from=clusters")
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")


def test_dry_run_and_status_write_nothing(world, target, commit, capsys, tmp_path):
    name = target.seal()
    code, result = commit("--dry-run")
    assert (code, result["status"]) == (0, "previewed")
    assert names_of(result["tables"][0]["pending"]) == {name: 1}
    assert list((tmp_path / "warehouse").iterdir()) == []
    commit()
    newer = target.seal(["c"])
    code, result = run(capsys, world.arguments("status", "--json"))
    assert code == 0
    expected = {
        "account": "prod",
        "region": target.region,
        "projectId": target.project,
        "seen": name,
        "newestComplete": name,
        "pending": 1,
    }
    assert result["tables"][0]["targets"] == [expected]
    assert newer not in world.rows()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--store=/does/not/exist"], "is not a folder"),
        (["--store=ftp://x"], "unknown scheme"),
        (["--from=other"], "It has: nodes"),
        (["--table=plain"], "has no namespace"),
        (["--property=type"], "has no ="),
        (["--property=type=what"], "cannot be opened"),
        (["--public-key=/dev/null"], "is not an Ed25519 public key"),
    ],
)
def test_wrong_usage_is_exit_2_with_a_hint(target, commit, more, text):
    target.seal()
    code, result = commit(*more)
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
    assert text in result["errors"][0]["message"]
    assert result["errors"][0]["hint"]


def test_text_output_names_tables_and_counts(world, target, capsys, monkeypatch):
    from cgs_lake import cli

    target.seal()
    assert cli.main(world.arguments("commit")) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "security.nodes: committed 1 snapshots with 2 rows"
    assert "commit 1 with 1 snapshots, 2 rows" in printed.err
    monkeypatch.chdir(os.path.dirname(world.store))
    assert cli.main([*world.arguments("status"), "--store=file:./store"]) == 0
    assert "0 snapshots pending" in capsys.readouterr().out


def test_a_table_that_another_committer_created_and_filled_meanwhile_is_loaded_again(
    world, target, commit, store, monkeypatch
):
    target.seal()
    original, calls = SqlCatalog.create_table, []

    def be_late(self, *arguments, **options):
        if not calls:
            calls.append(1)
            process = world.start()
            process.communicate(timeout=60)
            assert process.returncode == 0
        return original(self, *arguments, **options)

    monkeypatch.setattr(SqlCatalog, "create_table", be_late)
    code, _ = commit()
    assert (code, calls) == (0, [1])
    assert world.rows() == truth_of(target)


def test_a_name_that_is_taken_by_something_that_is_no_table_ends_with_an_error(world, target, commit, monkeypatch):
    """For example a view: a REST catalog then says that there is no table, and that the name exists."""

    def refuse(*_, **__):
        raise TableAlreadyExistsError("View with same name already exists")

    target.seal()
    monkeypatch.setattr(SqlCatalog, "create_table", refuse)
    monkeypatch.setattr(committing, "WAIT_MAX_SECONDS", 0)
    code, result = commit()
    assert (code, result["errors"][0]["code"]) == (4, "CONFLICT")
    assert "something else of this name" in result["errors"][0]["message"]


def test_a_namespace_that_another_committer_created_meanwhile_is_used(world, target, commit, monkeypatch):
    from sqlalchemy.exc import IntegrityError

    target.seal()
    original, calls = SqlCatalog.create_namespace_if_not_exists, []

    def be_late(self, *arguments):
        original(self, *arguments)
        calls.append(1)
        if len(calls) == 1:
            raise IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed"))

    monkeypatch.setattr(SqlCatalog, "create_namespace_if_not_exists", be_late)
    assert commit()[0] == 0
    assert world.rows() == truth_of(target)


def spoil(path):
    path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.parametrize("role", ["rows", "changes"])
def test_a_part_of_the_same_size_that_is_no_parquet_stops_only_its_target(world, target, commit, store, role):
    other = Target(store, project="2")
    spoil(target.part_file(target.seal(["a"], changed=["a"]), role))
    target.seal(["b"], changed=["b"])
    for host in ("x", "y"):
        other.seal([host], changed=[host])
    code, result = commit()
    assert (code, [error["code"] for error in result["errors"]]) == (5, ["CORRUPT"])
    assert "is altered" in result["errors"][0]["message"]
    suffix = "" if role == "rows" else "_changes"
    assert world.rows(suffix) == truth_of(other, changes=role == "changes")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"bytes":', '"bytes":1e999,"x":', "CORRUPT"),
        ('{"manifestVersion":1', "[" * 100_000, "CORRUPT"),
        ('"manifestVersion":1', '"manifestVersion":9', "USAGE"),
    ],
)
def test_a_manifest_that_cannot_be_read_stops_only_its_target(world, target, commit, store, old, new, expected):
    other = Target(store, project="2")
    path = target.manifest_file(target.seal())
    other.seal()
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    _, result = commit()
    assert [error["code"] for error in result["errors"]] == [expected]
    assert world.rows() == truth_of(other)


def test_names_that_are_no_times_stop_only_their_target(world, target, commit, store):
    other = Target(store, project="2")
    name = target.seal(["a"])
    other.seal(["x"])
    wrong = "20269999T000000Z"
    text = target.manifest_file(name).read_text().replace(name, wrong).replace("dt=2026-11-01", "dt=2026-99-99")
    (target.manifest_file(name).parent / f"{wrong}.json").write_text(text)
    other.write(f"_pruned/nodes/{other.path}/{wrong}.json", b"{}")
    code, result = commit()
    assert (code, [error["code"] for error in result["errors"]]) == (5, ["CORRUPT"])
    assert wrong in result["errors"][0]["message"]
    assert world.rows() == truth_of(other)


def test_a_lost_part_of_the_changes_of_a_pruned_snapshot_stops_only_its_target(world, target, commit, store):
    other = Target(store, project="2")
    name = target.seal(["a"], changed=["a"])
    target.seal(["b"])
    other.seal(["x"], changed=["x"])
    target.prune(name)
    target.part_file(name, "changes").unlink()
    code, result = commit()
    assert (code, [error["code"] for error in result["errors"]]) == (5, ["CORRUPT"])
    assert world.rows("_changes") == truth_of(other, changes=True)


def test_the_table_of_the_changes_takes_no_rows(world, target, commit):
    target.seal(["a"], changed=["a"])
    commit()
    target.seal(["b"], changed=["b"])
    code, result = commit("--table=security.nodes_changes")
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
    commit()
    assert world.rows("_changes") == truth_of(target, changes=True)


def test_a_table_takes_no_files_of_another_store(world, target, commit, tmp_path):
    target.seal(["a"])
    commit()
    (tmp_path / "copy").mkdir()
    Target(tmp_path / "copy", project="2").seal(["x"])
    code, result = commit(f"--store={tmp_path}/copy")
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
    assert f"file://{world.store}" in result["errors"][0]["message"]
    assert world.rows() == truth_of(target)


@pytest.mark.parametrize("where", ["file://{}", "file://{}/", "file:{}/warehouse", "{}/x"])
def test_a_warehouse_in_the_store_is_refused_before_anything_is_written(world, target, commit, store, where):
    target.seal()
    before = sorted(store.rglob("*"))
    world.properties["warehouse"] = where.format(store)
    code, result = commit()
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
    assert "outside of the store" in result["errors"][0]["hint"]
    assert sorted(store.rglob("*")) == before


def test_a_table_in_the_store_is_refused(world, target, commit, store):
    target.seal()
    world.catalog().create_namespace("security")
    world.catalog().create_table(
        "security.nodes", pa.schema([("host_id", pa.string())]), location=f"file://{store}/_iceberg"
    )
    code, result = commit()
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
    assert f"file://{store}/_iceberg" in result["errors"][0]["message"]


def test_verify_finds_a_target_that_is_lost(world, target, commit, store):
    other = Target(store, project="2")
    other.seal()
    target.seal()
    commit()
    shutil.rmtree(target.manifest_file("x").parent)
    code, result = commit("--verify")
    assert (code, [error["code"] for error in result["errors"]]) == (5, ["CORRUPT"])
    assert commit()[0] == 0


def test_a_store_without_a_manifest_that_can_be_read_is_corrupt(world, target, commit):
    path = target.manifest_file(target.seal())
    commit()
    path.write_text("{}")
    code, result = commit("--verify")
    assert (code, result["errors"][0]["code"]) == (5, "CORRUPT")


@pytest.mark.parametrize("text", ["garbage", "{}", "[]", "null"])
def test_a_record_that_was_edited_is_refused(world, target, commit, text):
    target.seal()
    commit()
    name = next(name for name in world.load().properties if name.startswith("cgs-export.committed."))
    with world.load().transaction() as transaction:
        transaction.set_properties({name: text})
    code, result = commit()
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
    assert name in result["errors"][0]["message"]


def test_pruned_snapshots_are_dropped_from_a_file_without_bounds(world, target, commit):
    name = target.seal(["a"])
    target.seal(["b"])
    commit()
    with world.load().transaction() as transaction:
        transaction.set_properties({"write.metadata.metrics.default": "none"})
    table = world.load()
    table.overwrite(table.scan().to_arrow())
    target.prune(name)
    code, result = commit()
    assert (code, names_of(result["tables"][0]["dropped"])) == (0, {name: 1})
    assert world.rows() == truth_of(target)


def test_pruned_snapshots_of_many_targets_are_dropped_in_one_commit(world, commit, store):
    targets = [Target(store, project=f"p{place}") for place in range(5)]
    first = [target.seal(["a"]) for target in targets]
    for target in targets:
        target.seal(["b"])
    commit()
    for target, name in zip(targets, first, strict=True):
        target.prune(name)
    _, result = commit()
    assert (result["tables"][0]["commits"], len(result["tables"][0]["dropped"])) == (1, 5)
    assert world.rows() == truth_of(*targets)


def test_drops_and_missing_records_are_found_after_the_partitions_were_changed(world, target, commit, store):
    other = Target(store, project="2")
    name = target.seal(["a"])
    target.seal(["b"])
    other.seal(["x"])
    commit()
    with world.load().update_spec() as update:
        update.remove_field("region")
        update.remove_field("project_id")
    table = world.load()
    table.overwrite(table.scan().to_arrow())
    target.prune(name)
    code, result = commit()
    assert (code, names_of(result["tables"][0]["dropped"])) == (0, {name: 1})
    assert world.rows() == truth_of(target, other)
    Target(store, project="3").seal(["new"])
    assert commit()[0] == 0
    record = next(name for name in world.load().properties if name.endswith("/2"))
    with world.load().transaction() as transaction:
        transaction.remove_properties(record)
    code, result = commit()
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
