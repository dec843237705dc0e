"""Tests the committer on the S3 gateway that test/support/rgw.sh started: store and tables in buckets."""

import os
import random
import shutil
import uuid

import pytest
from conftest import sql_properties
from pyarrow.fs import LocalFileSystem, S3FileSystem, copy_files
from support.store_writer import Target
from support.world import World, announced_of, run, truth_of

# As prepare_s3 does in the committer.
os.environ["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
pytestmark = pytest.mark.rgw
ENDPOINT = f"http://127.0.0.1:{os.environ.get('RGW_PORT', 7480)}"
KEYS = ("rgw-test-key", "rgw-test-secret")


@pytest.fixture
def files():
    return S3FileSystem(
        access_key=KEYS[0],
        secret_key=KEYS[1],
        endpoint_override=ENDPOINT,
        # The gateway creates buckets in no other region.
        region="us-east-1",
        allow_bucket_creation=True,
    )


@pytest.fixture
def bucket(files):
    name = f"lake-{uuid.uuid4().hex[:12]}"
    files.create_dir(name)
    return name


@pytest.fixture
def upload(store, files, bucket):
    """Copies the store to the bucket again, without what is no longer in the folder."""

    def copy():
        files.delete_dir_contents(f"{bucket}/cgs", missing_dir_ok=True)
        copy_files(str(store), f"{bucket}/cgs", LocalFileSystem(), files)

    return copy


@pytest.fixture
def properties(tmp_path, bucket):
    return {
        **sql_properties(tmp_path),
        "warehouse": f"s3://{bucket}/warehouse",
        "s3.endpoint": ENDPOINT,
        "s3.region": "cn-south-4",
        "s3.access-key-id": KEYS[0],
        "s3.secret-access-key": KEYS[1],
    }


@pytest.mark.parametrize("scheme", ["s3", "obs"])
def test_commits_and_drops_in_a_bucket(store, bucket, properties, upload, capsys, scheme):
    world = World(f"{scheme}://{bucket}/cgs", properties)
    targets = [Target(store), Target(store, project="1e5")]
    for target in targets:
        first = target.seal(["a"])
        target.seal(["b"], changed=["b"])
        target.seal(["c"], verdict="drifted")
    upload()
    code, _ = run(capsys, world.arguments("commit", "--json", "--verify"))
    assert code == 0
    assert world.rows() == truth_of(*targets)
    (path,) = {task.file.file_path[: len(f"s3://{bucket}/cgs/nodes/")] for task in world.load().scan().plan_files()}
    assert path == f"s3://{bucket}/cgs/nodes/"
    targets[0].prune(first)
    targets[1].seal(["d"])
    upload()
    code, result = run(capsys, world.arguments("commit", "--json"))
    assert (code, len(result["tables"][0]["dropped"])) == (0, 1)
    assert world.rows() == truth_of(*targets)
    assert world.rows("_changes") == truth_of(*targets, changes=True)
    assert world.announced() == announced_of(*targets)


def test_a_lost_part_in_a_bucket_stops_its_target(store, bucket, properties, upload, capsys, target):
    world = World(f"s3://{bucket}/cgs", properties)
    target.seal(["a"])
    bad = target.seal(["b"])
    path = target.part_file(bad)
    shutil.move(path, path.with_suffix(".gone"))
    upload()
    code, result = run(capsys, world.arguments("commit", "--json"))
    assert (code, result["errors"][0]["code"]) == (5, "CORRUPT")
    del target.truth[bad]
    assert world.rows() == truth_of(target)


def test_a_wrong_key_is_exit_3(store, bucket, properties, upload, capsys, target):
    target.seal()
    upload()
    world = World(f"s3://{bucket}/cgs", {**properties, "s3.secret-access-key": "wrong"})
    code, result = run(capsys, world.arguments("commit", "--json"))
    assert (code, result["errors"][0]["code"]) == (3, "PERMISSION")


def test_an_endpoint_without_a_region_is_exit_2(bucket, properties, capsys):
    world = World(f"s3://{bucket}/cgs", {name: value for name, value in properties.items() if name != "s3.region"})
    code, result = run(capsys, world.arguments("commit", "--json"))
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")


def test_two_committers_at_once_commit_each_snapshot_once(store, bucket, properties, upload):
    world = World(f"s3://{bucket}/cgs", properties)
    rand = random.Random(1)
    targets = [Target(store, project=f"p{place}") for place in range(3)]
    for target in targets:
        for place in range(rand.randint(3, 6)):
            target.seal([f"h{place}"])
    upload()
    processes = [world.start(), world.start()]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
    assert world.rows() == truth_of(*targets)
