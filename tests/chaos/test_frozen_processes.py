"""SIGSTOP and SIGCONT: what is frozen is reported or waited for, never guessed dead, and nothing gets lost by it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.client import Client
from tests.acceptance.harness.configuration import MODULES, write_configuration
from tests.acceptance.harness.processes import is_alive
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until
from tests.acceptance.test_refused_start import refused

CALLS = 8
FROZEN_SECONDS = 0.5
"""For how long nobody may be answered by what is frozen."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = write_configuration(
        tmp_path_factory.mktemp("frozen"),
        queue_plugin={"workers": {"min": 2}},
        modules=(*MODULES, "tests.chaos.commands"),
    )
    with Server(config).serving() as server:
        yield server


@pytest.fixture
def calls() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2 * CALLS) as threads:
        yield threads


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_frozen_worker_is_reported_and_its_job_goes_on_in_the_same_attempt(
    server: Server, gate: Gate, tmp_path: Path
) -> None:
    job_id = server.submit("attempt", gate=str(gate), path=str(tmp_path / "written"))
    server.running(job_id)
    (worker,) = [worker for worker in server.health()["workers"]["processes"] if worker["job_id"] == job_id]
    with frozen(worker["pid"]):
        issue = until(lambda: server.health()["issues"], "the worker is reported")[0]
        assert issue.startswith(f"the worker with pid {worker['pid']} (busy, with job {job_id}) is frozen")
        gate.open()
        # The other worker is not in its way, and nobody takes the job away from the frozen one.
        assert server.completed(server.submit("add_numbers", a=1, b=2)) == {"sum": 3}
        assert server.status(job_id)["status"] == "running"
    assert server.completed(job_id) == {"attempt": 1}
    assert (tmp_path / "written").read_text() == "1"
    assert server.health()["issues"] == []
    assert worker["pid"] in server.worker_pids()


def test_a_frozen_worker_of_a_killed_server_is_gone_before_its_job_runs_again(
    start: StartServer, gate: Gate, tmp_path: Path
) -> None:
    """It cannot be revived to speak for an attempt that is over."""
    config = write_configuration(tmp_path, modules=(*MODULES, "tests.chaos.commands"))
    first = start(config)
    job_id = first.submit("attempt", gate=str(gate), path=str(tmp_path / "written"))
    first.running(job_id)
    (worker,) = first.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    first.kill()
    assert not is_alive(worker)
    second = start(config)
    gate.open()
    assert second.completed(job_id) == {"attempt": 2}
    assert (tmp_path / "written").read_text() == "2"


@pytest.mark.parametrize("who", ["engine", "server"])
def test_calls_to_a_frozen_queue_wait_and_nothing_gets_lost(
    who: str, server: Server, calls: ThreadPoolExecutor, gate: Gate, tmp_path: Path
) -> None:
    running = server.submit("attempt", gate=str(gate), path=str(tmp_path / "written"))
    server.running(running)
    before = server.job_ids()
    with frozen(server.engine_pid if who == "engine" else server.pid):
        asked = [calls.submit(add, server.url, f"{who} {number}") for number in range(CALLS)]
        looked = [calls.submit(look, server.url, running) for _ in range(CALLS)]
        gate.open()
        # The job itself is not in their hands.
        until((tmp_path / "written").exists, "the job goes on")
        assert not wait([*asked, *looked], FROZEN_SECONDS).done
    added = {answer["job_id"] for answer in answers(asked)}
    assert added == {f"{who} {number}" for number in range(CALLS)}
    assert {answer["job_id"] for answer in answers(looked)} == {running}
    assert server.completed(running) == {"attempt": 1}
    assert (tmp_path / "written").read_text() == "1"
    assert [server.completed(job_id) for job_id in sorted(added)] == [{"sum": 3}] * CALLS
    assert server.job_ids() == before | added
    assert server.health()["status"] == "healthy"


def test_a_frozen_engine_keeps_its_store(server: Server, tmp_path: Path) -> None:
    store = server.config.parent / "queue.db"
    second = write_configuration(tmp_path, queue_manager={"registry_path": str(store)})
    with frozen(server.engine_pid):
        assert f"process id {server.pid}" in refused(second)
    assert server.completed(server.submit("add_numbers", a=1, b=2)) == {"sum": 3}


def add(url: str, job_id: str) -> dict[str, Any]:
    return with_client(url, lambda client: client.add(job_id, command="add_numbers", params={"a": 1, "b": 2}))


def look(url: str, job_id: str) -> dict[str, Any]:
    return with_client(url, lambda client: client.status(job_id))


def with_client(url: str, ask: Callable[[Client], dict[str, Any]]) -> dict[str, Any]:
    client = Client(url)
    try:
        return ask(client)
    finally:
        client.close()


def answers(futures: list[Future[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [future.result(timeout=20) for future in futures]
