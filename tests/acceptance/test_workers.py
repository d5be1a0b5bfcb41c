"""Workers come and go as the jobs need them, and ``queue_health`` shows each."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import APP, MODULES, write_configuration
from tests.acceptance.harness.processes import is_alive
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until

StartWith = Callable[..., Server]


@pytest.fixture
def start_with(start: StartServer, tmp_path: Path) -> StartWith:
    """Starts a server with so many slots, and these ``workers`` and other settings of ``queue_plugin``."""

    def start_server(slots: int, workers: dict[str, Any], **plugin: Any) -> Server:
        return start(
            write_configuration(
                tmp_path,
                queue_manager={"max_concurrent_jobs": slots},
                queue_plugin={"workers": workers, "auto_import_modules": [*MODULES, f"{APP}.processes"], **plugin},
            )
        )

    return start_server


def pid_of(server: Server, job_id: str) -> int:
    return int(server.completed(job_id)["pid"])


def test_it_grows_with_the_jobs_and_shrinks_when_nothing_is_to_do(start_with: StartWith, gate: Gate) -> None:
    server = start_with(3, {"min": 1, "idle_timeout_seconds": 0.5})
    jobs = [server.submit("hold", gate=str(gate)) for _ in range(3)]
    for job_id in jobs:
        server.running(job_id)
    busy = server.health()["workers"]
    assert (busy["busy"], busy["idle"], len(busy["pids"])) == (3, 0, 3)
    assert {worker["job_id"] for worker in busy["processes"]} == set(jobs)
    gate.open()
    for job_id in jobs:
        server.completed(job_id)
    until(lambda: len(server.worker_pids()) == 1, "the workers beyond the minimum have left")
    left = server.health()["workers"]
    assert (left["idle"], left["idle_ended_total"], left["crashed_total"]) == (1, 2, 0)
    (worker,) = left["processes"]
    assert (worker["state"], worker["job_id"], worker["frozen"]) == ("idle", None, False)
    assert worker["rss_bytes"] > 1_000_000
    assert worker["uptime_seconds"] > 0


def test_a_worker_is_replaced_while_jobs_go_on(start_with: StartWith) -> None:
    server = start_with(1, {"min": 1, "recycle_after_jobs": 10})
    pids = [pid_of(server, server.submit("who"))]
    while len(set(pids)) == 1 and len(pids) < 3000:
        pids.append(pid_of(server, server.submit("who")))
    first, second = dict.fromkeys(pids)
    # Had the jobs waited for the new process, the old one would have run no more than it may.
    assert pids.count(first) > 12
    assert pids[-1] == second
    assert server.health()["workers"]["recycled_total"] == 1
    until(lambda: not is_alive(first), "the old worker is gone")


def test_fresh_jobs_share_no_process(start_with: StartWith) -> None:
    server = start_with(2, {"min": 1, "isolation": "fresh"})
    one_by_one = [pid_of(server, server.submit("who")) for _ in range(3)]
    together = [pid_of(server, job_id) for job_id in [server.submit("who") for _ in range(3)]]
    assert len({*one_by_one, *together}) == 6
    until(lambda: not any(map(is_alive, [*one_by_one, *together])), "the processes have ended with their jobs")
    assert server.health()["workers"]["crashed_total"] == 0


def test_a_job_whose_time_is_over_fails_by_name_wherever_it_hangs(start_with: StartWith, gate: Gate) -> None:
    server = start_with(3, {"min": 3}, job_defaults={"timeout_seconds": 1.5, "stop_grace_seconds": 0.5})
    jobs = {
        "wait_for_file": server.submit("hold", gate=str(gate)),
        "in execute": server.submit("block"),
        "": server.submit("stuck"),
    }
    for where, job_id in jobs.items():
        record = server.ended(job_id)
        assert (record["status"], record["error_info"]["type"]) == ("failed", "JobTimeout")
        assert record["error"] == "the attempt ran longer than its timeout_seconds of 1.5"
        log = "\n".join(server.logs(job_id)["stderr"])
        assert log.startswith("The attempt has run for its timeout_seconds of 1.5 and is stopped.")
        assert where in log
    assert pid_of(server, server.submit("who")) in server.worker_pids()
    assert server.health()["workers"]["crashed_total"] == 0


def test_a_frozen_worker_shows_in_health_and_comes_back(start_with: StartWith, gate: Gate) -> None:
    server = start_with(1, {"min": 1})
    job_id = server.submit("hold", gate=str(gate))
    server.running(job_id)
    (pid,) = server.worker_pids()
    os.kill(pid, signal.SIGSTOP)
    until(lambda: server.health()["issues"], "the worker is frozen")
    report = server.health()
    (worker,) = report["workers"]["processes"]
    assert (worker["frozen"], worker["state"], worker["job_id"]) == (True, "busy", job_id)
    assert (report["status"], report["issues"][0].partition(" is frozen")[0]) == (
        "degraded",
        f"the worker with pid {pid} (busy, with job {job_id})",
    )
    gate.open()
    assert server.status(job_id)["status"] == "running"
    os.kill(pid, signal.SIGCONT)
    server.completed(job_id)
    assert server.health()["status"] == "healthy"
    assert server.worker_pids() == [pid]


def test_without_memory_one_worker_runs_all_jobs_and_health_says_why(start_with: StartWith, gate: Gate) -> None:
    server = start_with(3, {"min": 2, "min_free_memory_mb": 900_000_000})
    held = server.submit("hold", gate=str(gate))
    server.running(held)
    waiting = [server.submit("who") for _ in range(5)]
    report = server.health()
    assert "min_free_memory_mb, 900000000, are to stay free" in report["workers"]["held_back_by"]
    assert (report["status"], report["running_jobs"], len(report["workers"]["pids"])) == ("healthy", 1, 1)
    gate.open()
    assert {pid_of(server, job_id) for job_id in waiting} == set(server.worker_pids())
