"""A server that cannot start says why and exits with 2, and what was there is left as it was."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import HOST, write_configuration
from tests.acceptance.harness.server import MCP_QUEUE, ROOT, START_SECONDS

UNUSABLE = 2


def refused(config: Path, **environment: str) -> str:
    """What a server says that must not start."""
    ended = subprocess.run(
        [MCP_QUEUE, "serve", "--config", str(config)],
        cwd=config.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert ended.returncode == UNUSABLE, (ended.returncode, ended.stderr[-3000:])
    return ended.stderr.splitlines()[-1]


def test_a_port_that_is_in_use(tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    port = json.loads(config.read_text())["server"]["port"]
    with socket.socket() as other:
        other.bind((HOST, port))
        other.listen()
        assert f"cannot listen on {HOST}:{port}: it is in use" in refused(config)
    assert not (tmp_path / "queue.db").exists()


def test_a_second_server_on_the_same_store_names_the_first(start: StartServer, tmp_path: Path) -> None:
    first = start(write_configuration(tmp_path))
    second = write_configuration(tmp_path / "second", queue_manager={"registry_path": str(tmp_path / "queue.db")})
    said = refused(second)
    assert str(tmp_path / "queue.db") in said
    assert f"the server with process id {first.pid}, which started at 20" in said
    assert "Redis" in said
    assert first.completed(first.submit("add_numbers", a=1, b=1)) == {"sum": 2}


def test_a_store_of_a_newer_release(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    server = start(config)
    server.completed(server.submit("add_numbers", a=1, b=1))
    assert server.terminate() == 0
    store = tmp_path / "queue.db"
    newer = bytearray(store.read_bytes())
    newer[60:64] = (999).to_bytes(4, "big")
    store.write_bytes(newer)
    said = refused(config)
    assert f"{store} cannot be the queue's store" in said
    assert "999" in said
    assert store.read_bytes() == newer


def make_registry(path: Path) -> None:
    path.write_text('{"job_id": "old", "status": "completed"}\n')


def make_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE customers (name TEXT)")
    database.close()


def make_text(path: Path) -> None:
    path.write_text("a shopping list")


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("registry.jsonl", make_registry, "a registry of the adapter's own queue"),
        ("customers.db", make_database, "the SQLite database of another program"),
        ("list.db", make_text, "not an SQLite database"),
        ("folder.db", Path.mkdir, "a directory"),
    ],
)
def test_a_store_that_is_not_ours(tmp_path: Path, name: str, make: Any, reason: str) -> None:
    store = tmp_path / name
    make(store)
    before = content(store)
    said = refused(write_configuration(tmp_path, queue_manager={"registry_path": name}))
    assert str(store) in said
    assert reason in said
    assert "choose another registry_path" in said
    assert content(store) == before
    assert sorted(path.name for path in tmp_path.glob(f"{name}*")) == [name]


def content(path: Path) -> bytes | None:
    return None if path.is_dir() else path.read_bytes()


def test_a_jsonl_path_that_does_not_exist_yet_is_fine(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path, queue_manager={"registry_path": "data/registry.jsonl"}))
    assert server.completed(server.submit("add_numbers", a=1, b=1)) == {"sum": 2}
    assert (tmp_path / "data" / "registry.jsonl").exists()


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"queue_plugin": {"workers": {"min": "two"}}}, ("config.json", "queue_plugin.workers.min", '"two"')),
        (
            {"queue_plugin": {"worker": {}}},
            ("config.json", "queue_plugin.worker", "did you mean queue_plugin.workers?"),
        ),
        ({"queue_manager": {"max_concurrent_jobs": 0}}, ("config.json", "queue_manager.max_concurrent_jobs", "0")),
        ({"queue_manager": {"in_memory": False, "registry_path": None}}, ("queue_manager.registry_path", "null")),
        ({"queue_manager": {"max_jobs": 2}}, ("config.json", "queue_manager.max_jobs: unknown key")),
        ({"modules": ("tests.acceptance.app.nowhere",)}, ("auto_import_modules", "tests.acceptance.app.nowhere")),
    ],
)
def test_a_mistake_in_the_configuration(tmp_path: Path, sections: dict[str, Any], said: tuple[str, ...]) -> None:
    line = refused(write_configuration(tmp_path, **sections))
    for part in said:
        assert part in line


def test_a_mistake_in_the_environment_names_its_variable(tmp_path: Path) -> None:
    line = refused(write_configuration(tmp_path), MCP_QUEUE__WORKERS__MIN="many")
    assert "MCP_QUEUE__WORKERS__MIN" in line
    assert "many" in line


def test_a_configuration_that_is_not_there_or_not_json(tmp_path: Path) -> None:
    assert "absent.json cannot be read: No such file or directory" in refused(tmp_path / "absent.json")
    (tmp_path / "broken.json").write_text("{")
    assert "broken.json is not JSON" in refused(tmp_path / "broken.json")


def test_a_mistake_in_a_section_of_the_adapters(tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    document = json.loads(config.read_text())
    document["server"]["protocol"] = "gopher"
    config.write_text(json.dumps(document))
    assert "server.protocol" in refused(config)


def test_a_log_level_that_there_is_not(tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    document = json.loads(config.read_text())
    document["server"]["log_level"] = "chatty"
    config.write_text(json.dumps(document))
    assert refused(config) == (
        "mcp-queue: server.log_level must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'chatty'"
    )
