"""Each of the eight documented keys of ``queue_manager`` does what it says: one test for each, named after its key.

Some are held by others too: ``enabled`` and the environment over it by ``test_server_settings``, what is left of a
store in memory by ``test_kill``, the time of a shutdown by ``test_shutdown``, slots by ``test_concurrency``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_queue_plugin.settings.queue_manager import QueueManagerSettings
from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.client import Record
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until

KEYS = (
    "enabled",
    "in_memory",
    "registry_path",
    "shutdown_timeout",
    "max_concurrent_jobs",
    "max_queue_size",
    "per_job_type_limits",
    "completed_job_retention_seconds",
)
RETENTION_SECONDS = 4


def test_every_key_has_its_test() -> None:
    assert [name.removeprefix("test_") for name in globals() if name.removeprefix("test_") in KEYS] == list(KEYS)
    assert list(QueueManagerSettings.model_fields)[: len(KEYS)] == list(KEYS)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in whose configuration the last four keys stand."""
    keys: dict[str, Any] = {
        "max_concurrent_jobs": 2,
        "max_queue_size": 5,
        "per_job_type_limits": {"double": 1, "add_numbers": 2},
        "completed_job_retention_seconds": RETENTION_SECONDS,
    }
    with Server(write_configuration(tmp_path_factory.mktemp("limited"), queue_manager=keys)).serving() as server:
        yield server


@pytest.fixture
def server(limited: Server) -> Iterator[Server]:
    yield limited
    limited.delete_unfinished_jobs()


def evicted(server: Server, job_id: str) -> bool:
    record: Record = server.status(job_id)
    return (record["status"], record["reason"]) == ("stopped", "evicted")


def created(server: Server, job_id: str, command: str = "print_lines", **params: Any) -> Record:
    """A job that waits for its start."""
    return server.add(job_id, command=command, params=params, start=False)


def test_enabled(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path, queue_manager={"enabled": False}))
    for error in (server.refusal("add_numbers", a=1, b=2), server.refusal("queue_health")):
        assert (error["code"], error["data"]["domain_code"]) == (-32000, "QUEUE_DISABLED")
    assert len(server.processes()) == 1
    assert not (tmp_path / "queue.db").exists()


def test_in_memory(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(tmp_path, queue_manager={"in_memory": True})
    server = start(config)
    created(server, "a")
    assert server.health()["durable"] is False
    assert not (tmp_path / "queue.db").exists()
    assert server.terminate() == 0
    server = start(config)
    assert server.refusal("queue_get_job_status", job_id="a")["data"]["domain_code"] == "JOB_NOT_FOUND"


def test_registry_path(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(tmp_path, queue_manager={"registry_path": "kept here.db"})
    server = start(config)
    created(server, "a")
    assert server.health()["registry_path"] == str(tmp_path / "kept here.db")
    assert (tmp_path / "kept here.db").read_bytes().startswith(b"SQLite format 3")
    assert server.terminate() == 0
    assert start(config).status("a")["phase"] == "created"


def test_shutdown_timeout(start: StartServer, tmp_path: Path, gate: Gate) -> None:
    config = write_configuration(tmp_path, queue_manager={"shutdown_timeout": 1.0})
    server = start(config)
    job_id = server.submit("hold", gate=str(gate))
    server.running(job_id)
    begin = time.monotonic()
    assert server.terminate() == 0
    # The job got its second, and not the 30 of the default.
    assert 1.0 <= time.monotonic() - begin < 15.0
    gate.open()
    assert start(config).completed(job_id) == {"attempt": 2}


def test_max_concurrent_jobs(server: Server, gate: Gate) -> None:
    jobs = [server.submit("hold", gate=str(gate)) for _ in range(3)]
    for job_id in jobs[:2]:
        server.running(job_id)
    assert server.status(jobs[2])["phase"] == "queued"
    assert server.health()["running_jobs"] == 2
    gate.open()
    assert [server.completed(job_id) for job_id in jobs] == [{"attempt": 1}] * 3


def test_max_queue_size(server: Server, gate: Gate) -> None:
    running = server.submit("hold", gate=str(gate))
    server.running(running)
    for number in range(4):
        created(server, f"size {number}")
    assert server.health()["pending_jobs"] == 4
    created(server, "size 4")
    assert evicted(server, "size 0")
    another = server.submit("hold", gate=str(gate))
    assert evicted(server, "size 1")
    assert [server.status(f"size {number}")["status"] for number in (2, 3, 4)] == ["pending"] * 3
    gate.open()
    assert [server.completed(job_id) for job_id in (running, another)] == [{"attempt": 1}] * 2
    # What has ended counts no more.
    created(server, "size 5")
    created(server, "size 6")
    assert server.status("size 2")["status"] == "pending"


def test_per_job_type_limits(server: Server) -> None:
    for number in range(3):
        created(server, f"command {number}", "add_numbers", a=number, b=0)
    assert [evicted(server, f"command {number}") for number in range(3)] == [True, False, False]
    for number in range(2):
        server.add(f"type {number}", "double", start=False, number=number)
    assert [evicted(server, f"type {number}") for number in range(2)] == [True, False]
    assert not evicted(server, "command 1")


def test_completed_job_retention_seconds(server: Server) -> None:
    created(server, "waits on")
    finished = server.submit("print_lines", count=1)
    completed_at = time.monotonic()
    server.ended(finished)
    until(lambda: finished not in server.job_ids(), "the job is forgotten")
    assert time.monotonic() - completed_at >= RETENTION_SECONDS
    assert server.refusal("queue_get_job_status", job_id=finished)["data"]["domain_code"] == "JOB_NOT_FOUND"
    assert server.status("waits on")["status"] == "pending"
