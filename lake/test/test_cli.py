"""Tests how the program starts, stops and prints, as a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from support.world import LAKE, run, truth_of

from cgs_lake import cli


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_libraries_are_loaded_is_exit_4(world, target, number):
    target.seal()
    process = world.start()
    # The handlers are set when these bits are. Then PyIceberg is loaded, which takes a second or more.
    bits = 1 << (number - 1)
    deadline = time.monotonic() + 20
    while not bits & caught_signals(process.pid, number):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert json.loads(out)["errors"][0]["code"] == "INTERRUPTED"
    assert b"Traceback" not in err


def caught_signals(pid, number):
    with open(f"/proc/{pid}/status") as file:
        caught = int(re.search(r"SigCgt:\s*(\w+)", file.read())[1], 16)
    # Python itself catches SIGINT from the start on. Both are set together.
    return caught if caught & 1 << (signal.SIGTERM - 1) else 0


def in_shell(world, redirection):
    """Run `commit` in a shell with an output that cannot be written. Returns (exit code, stderr)."""
    command = " ".join([sys.executable, "-m", "cgs_lake", *(f"'{one}'" for one in world.arguments("commit"))])
    process = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {redirection}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(LAKE)},
        timeout=60,
    )
    return process.returncode, process.stderr


@pytest.mark.parametrize("redirection", ["| true", "2>&1 | true"])
def test_output_that_nothing_reads_does_not_stop_a_commit(world, target, redirection):
    target.seal()
    code, err = in_shell(world, redirection)
    assert code == 0
    assert "Traceback" not in err
    assert world.rows() == truth_of(target)


def test_a_catalog_that_never_answers_is_unreachable(world, target, capsys, monkeypatch):
    monkeypatch.setattr(cli, "CATALOG_SECONDS", (1, 0.2))
    target.seal()
    with socket.create_server(("127.0.0.1", 0)) as server:
        world.properties = {"type": "rest", "uri": f"http://127.0.0.1:{server.getsockname()[1]}"}
        code, result = run(capsys, world.arguments("commit", "--json"))
    assert (code, result["errors"][0]["code"]) == (4, "UNREACHABLE")


@pytest.mark.parametrize(
    "properties",
    [
        {"uri": "nonsense://host/db"},
        {"uri": "no address"},
        {"type": "hive", "uri": "thrift://127.0.0.1:1"},
        {"warehouse": None},
        {"warehouse": "abc://somewhere"},
    ],
)
def test_a_catalog_that_is_configured_wrong_is_exit_2(world, target, capsys, properties):
    target.seal()
    wanted = {**world.properties, **properties}
    world.properties = {name: value for name, value in wanted.items() if value is not None}
    code, result = run(capsys, world.arguments("commit", "--json"))
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, (2, "USAGE")), (400, (2, "USAGE")), (403, (3, "PERMISSION")), (500, (4, "UNREACHABLE"))],
)
def test_an_address_that_answers_with_an_error(world, target, capsys, status, expected):
    target.seal()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(status)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        world.properties = {"type": "rest", "uri": f"http://127.0.0.1:{server.server_port}"}
        code, result = run(capsys, world.arguments("commit", "--json"))
        server.shutdown()
    assert (code, result["errors"][0]["code"]) == expected


@pytest.mark.parametrize(
    "more",
    [
        ["--property=s3.secret-access-key:SECRET"],
        ["--store=s3://key:SECRET@bucket/cgs"],
        ["--property=type=rest", "--property=uri=ftp://user:SECRET@127.0.0.1:1"],
    ],
)
def test_errors_show_no_secret(world, target, capsys, more):
    target.seal()
    code = cli.main(world.arguments("commit", "--json", *more))
    printed = capsys.readouterr()
    assert code == 2
    assert "SECRET" not in printed.out + printed.err


@pytest.mark.parametrize("name", ["a#b", "a?b"])
def test_a_store_whose_address_readers_would_cut_off_is_refused(world, capsys, tmp_path, name):
    (tmp_path / name).mkdir()
    code, result = run(capsys, world.arguments("commit", "--json", f"--store={tmp_path / name}"))
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
    assert f"{tmp_path / name} has {name[1]}" in result["errors"][0]["message"]


@pytest.mark.parametrize("table", [".nodes", "security.", "a..b", " .x"])
def test_a_table_needs_a_namespace_and_a_name(world, target, capsys, table):
    target.seal()
    code, result = run(capsys, world.arguments("commit", "--json", f"--table={table}"))
    assert (code, result["errors"][0]["code"]) == (2, "USAGE")
