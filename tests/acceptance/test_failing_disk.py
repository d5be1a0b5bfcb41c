"""A disk that is full, read-only or broken under a running server, and what is left of that when it is well again."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.faults import Fault, Faults, is_degraded, is_well
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until

MEGABYTE = 1024 * 1024
STILL_SECONDS = 0.5


def refused_for(server: Server, words: str) -> None:
    """A submission is refused, with what is wrong and what to do, and health says the same in both its places."""
    refusal = server.refusal("add_numbers", a=1, b=1)
    assert refusal["data"]["domain_code"] == "STORE_UNAVAILABLE", refusal
    assert words in refusal["message"]
    assert is_degraded(server, words)


FAULTS: dict[Fault, str] = {
    "disk_full": "free some space on its disk",
    "disk_read_only": "whether its file system has become read-only",
}


def test_jobs_go_on_and_their_results_are_stored_when_the_disk_is_well_again(
    start: StartServer, tmp_path: Path, faults: Faults
) -> None:
    config = write_configuration(tmp_path)
    server = start(config, faults.environment)
    engine = server.engine_pid
    for fault, words in FAULTS.items():
        gate = Gate(tmp_path / f"gate of {fault}")
        held, told = server.submit("hold", gate=str(gate)), server.submit("narrate", gate=str(gate))
        server.running(held)
        server.running(told, "half way")
        with faults.during(fault):
            refused_for(server, words)
            known = server.job_ids()
            gate.open()
            until(lambda: server.health()["workers"]["idle"] == 2, "both jobs have ended")
            assert [server.status(job_id)["status"] for job_id in (held, told)] == ["running"] * 2
            refused_for(server, words)
            assert server.refusal("queue_stop_job", job_id=held)["data"]["domain_code"] == "STORE_UNAVAILABLE"

        # Whatever is asked for makes the store try again at once.
        after = server.submit("add_numbers", a=1, b=1)
        assert server.completed(held) == {"attempt": 1}
        assert server.completed(told) == {"told": True}
        assert server.logs(told)["stdout"] == ["first half", "second half"]
        assert server.completed(after) == {"sum": 2}
        assert is_well(server)
        assert server.engine_pid == engine
        assert server.job_ids() == known | {after}
    there = server.job_ids()
    server.kill()
    assert start(config).job_ids() == there


TIMES, TIMES_HELD, TIMES_STUCK = 80, 40, 60
"""The job writes 100 kB each time, and has to wait once 4 MiB are not stored."""


def test_a_job_that_writes_much_has_to_wait_and_the_engine_stays_small(
    start: StartServer, tmp_path: Path, faults: Faults
) -> None:
    server = start(write_configuration(tmp_path), faults.environment)
    written = tmp_path / "written"
    engine = psutil.Process(server.engine_pid)
    before = engine.memory_info().rss
    job_id = server.submit("flood", count=TIMES, path=str(written))
    with faults.during("disk_full"):
        until(lambda: is_degraded(server, "free some space"), "the fault is noticed")
        until(lambda: written.exists() and int(written.read_text() or 0) >= TIMES_HELD, "4 MiB are written")
        wait_until_still(written)
        assert int(written.read_text()) < TIMES_STUCK
        assert engine.memory_info().rss - before < 24 * MEGABYTE
    server.submit("add_numbers", a=1, b=1)
    server.completed(job_id)
    assert server.logs(job_id, limit=1)["stdout_lines"] == TIMES * 100
    assert is_well(server)


def wait_until_still(file: Path) -> None:
    """Wait until the text in a file has not changed for a while."""
    seen, since = "", time.monotonic()

    def is_still() -> bool:
        nonlocal seen, since
        if (now := file.read_text()) != seen:
            seen, since = now, time.monotonic()
        return bool(seen) and time.monotonic() - since > STILL_SECONDS

    until(is_still, f"{file} does not change any more")


def test_what_cannot_be_read_is_said_and_nothing_more_is_lost(
    start: StartServer, tmp_path: Path, faults: Faults
) -> None:
    server = start(write_configuration(tmp_path), faults.environment)
    job_id = server.submit("print_lines", count=2000)
    server.completed(job_id)
    with faults.during("disk_unreadable"):
        refusal = server.refusal("queue_get_job_logs", job_id=job_id)
        assert refusal["data"]["domain_code"] == "STORE_UNAVAILABLE", refusal
        assert "cannot be read: IOError" in refusal["message"]
        assert server.health()["running"]
    assert is_well(server)
    assert server.logs(job_id)["stdout_lines"] == 2000
