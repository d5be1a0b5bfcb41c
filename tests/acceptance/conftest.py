"""Servers for the tests: one that most share, and those that a test starts for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate


class StartServer(Protocol):
    """Starts a server and answers it when it is up."""

    def __call__(self, config: Path, environment: dict[str, str] | None = None) -> Server: ...


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(write_configuration(tmp_path_factory.mktemp("shared"), queue_manager={"max_concurrent_jobs": 4}))
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.dispose()


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The server that most tests share: it must survive each of them, and none leaves a job to the next."""
    yield shared_server
    assert shared_server.process.poll() is None, shared_server.log_text()[-3000:]
    shared_server.delete_unfinished_jobs()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """What a job waits for; at the end of the test it is open, whatever happened."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


@pytest.fixture
def start() -> Iterator[StartServer]:
    """Starts servers from configuration files; at the end of the test none of their processes may be left."""
    with ExitStack() as servers:

        def start_server(config: Path, environment: dict[str, str] | None = None) -> Server:
            server = Server(config, environment=environment)
            servers.callback(server.dispose)
            server.wait_until_ready()
            return server

        yield start_server


@pytest.fixture
def job_id(request: pytest.FixtureRequest) -> str:
    """An id that no other test uses."""
    return str(request.node.nodeid)[-200:]
