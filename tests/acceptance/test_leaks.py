"""What finished jobs leave behind: nothing. And an idle server does next to nothing."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness import processes
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server

JOBS = 300
IDLE_SECONDS = 3
IDLE_SHARE_OF_A_CORE = 0.05


@pytest.fixture
def quiet_server(start: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server of its own, which has both of its workers."""
    server = start(write_configuration(tmp_path_factory.mktemp("quiet"), queue_plugin={"workers": {"min": 2}}))
    run_jobs(server, 40)
    return server


def run_jobs(server: Server, count: int) -> None:
    jobs = [server.submit("print_lines", count=3) for _ in range(count)]
    for job_id in jobs:
        server.completed(job_id)


def footprints(server: Server) -> dict[int, processes.Footprint]:
    return {pid: processes.footprint(pid) for pid in server.processes()}


def test_finished_jobs_hold_no_descriptor_thread_or_process(quiet_server: Server) -> None:
    before = footprints(quiet_server)
    assert len(before) == 5, quiet_server.processes()
    run_jobs(quiet_server, JOBS)
    after = footprints(quiet_server)
    assert after.keys() == before.keys()
    grown = {pid: [now - then for now, then in zip(after[pid], before[pid], strict=True)] for pid in after}
    # What is made once, at its first use, may have come: the thread that keeps the store's file short, for example.
    assert all(growth < JOBS / 50 for each in grown.values() for growth in each), grown


def test_an_idle_server_is_quiet(quiet_server: Server) -> None:
    quiet_server.add("clock", command="add_numbers", params={"a": 1, "b": 1}, start=False)
    pids = quiet_server.processes().keys()
    before = sum(map(processes.cpu_seconds, pids))
    assert quiet_server.status("clock", wait_seconds=IDLE_SECONDS)["timed_out"]
    assert sum(map(processes.cpu_seconds, pids)) - before < IDLE_SECONDS * IDLE_SHARE_OF_A_CORE
