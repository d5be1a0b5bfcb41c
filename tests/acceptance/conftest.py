"""Servers for the tests: one that most share, and those that a test starts for itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.acceptance.harness.callers import ALICE, BOB, ROOT, write_guarded_configuration
from tests.acceptance.harness.client import Client
from tests.acceptance.harness.configuration import APP, MODULES, write_configuration
from tests.acceptance.harness.faults import Faults
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate


class StartServer(Protocol):
    """Starts a server and answers it when it is up."""

    def __call__(self, config: Path, environment: dict[str, str] | None = None) -> Server: ...


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = write_configuration(tmp_path_factory.mktemp("shared"), queue_manager={"max_concurrent_jobs": 4})
    with Server(config).serving() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The server that most tests share: it must survive each of them, and none leaves a job to the next."""
    yield shared_server
    assert shared_server.process.poll() is None, shared_server.log_text()[-3000:]
    shared_server.delete_unfinished_jobs()


QUEUES = {
    "llm": {
        "max_concurrent_jobs": 1,
        "min_pause_seconds": 0.4,
        "backoff_base_seconds": 0.6,
        "backoff_max_seconds": 1.0,
        "max_queue_size": 4,
        "overflow": "reject",
    },
    "short": {"max_concurrent_jobs": 1, "max_queue_size": 1, "overflow": "reject"},
    "aside": {},
}


@pytest.fixture(scope="session")
def shared_application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = write_configuration(
        tmp_path_factory.mktemp("application"),
        queue_manager={"max_concurrent_jobs": 3},
        queue_plugin={"workers": {"min": 2}, "queues": QUEUES},
        modules=(*MODULES, f"{APP}.queueing", f"{APP}.tooling"),
    )
    with Server(config, (sys.executable, "-m", f"{APP}.own_server")).serving() as server:
        yield server


@pytest.fixture
def application(shared_application: Server) -> Iterator[Server]:
    """An application with ``QUEUES`` and routes of its own, shared like ``server``."""
    yield shared_application
    assert shared_application.process.poll() is None, shared_application.log_text()[-3000:]
    shared_application.delete_unfinished_jobs()


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
def faults(tmp_path: Path) -> Faults:
    """The faults that a server's host can have, if the server is started with their environment."""
    return Faults(tmp_path / "faults")


@pytest.fixture
def job_id(request: pytest.FixtureRequest) -> str:
    """An id that no other test uses."""
    return str(request.node.nodeid)[-200:]


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for tokens."""
    with Server(write_guarded_configuration(tmp_path_factory.mktemp("guarded"))).serving() as server:
        yield server


@pytest.fixture
def caller(guarded: Server) -> Iterator[Callable[[str], Client]]:
    with ExitStack() as opened:

        def of(token: str) -> Client:
            client = Client(guarded.url, token)
            opened.callback(client.close)
            return client

        yield of


@pytest.fixture
def alice(caller: Callable[[str], Client]) -> Client:
    return caller(ALICE)


@pytest.fixture
def bob(caller: Callable[[str], Client]) -> Client:
    return caller(BOB)


@pytest.fixture
def root(caller: Callable[[str], Client]) -> Client:
    return caller(ROOT)
