"""``mcp-queue serve --stdio``: what a client reads, what it does not, and how the server ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness import processes
from tests.acceptance.harness.configuration import APP, MODULES, write_configuration
from tests.acceptance.harness.server import MCP_QUEUE, ROOT
from tests.acceptance.harness.waiting import until

END_SECONDS = 20.0
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Pipes:
    """A server that was started with ``--stdio``, spoken to line by line."""

    def __init__(self, config: Path, errors: Path) -> None:
        self.mark = f"stdio {config}"
        with errors.open("w") as file:
            self.process = subprocess.Popen(
                [MCP_QUEUE, "serve", "--stdio", "--config", str(config)],
                cwd=config.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT), processes.MARK: self.mark},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
            )

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def ask(self, number: int, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a request, which is the next line there is."""
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": META}}
        self.send(json.dumps(message).encode())
        answer = self.next_message()
        assert answer["id"] == number
        return answer

    def next_message(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        message: dict[str, Any] = json.loads(self.process.stdout.readline())
        return message

    def end(self) -> tuple[int, bytes]:
        """Close its input; its exit code, and what it has written beyond its answers."""
        rest, _ = self.process.communicate(timeout=END_SECONDS)
        return self.process.returncode, rest


@contextmanager
def serving(config: Path) -> Iterator[Pipes]:
    pipes = Pipes(config, config.parent / "errors")
    try:
        yield pipes
    finally:
        pipes.process.kill()
        pipes.process.communicate()
        until(lambda: not processes.marked_processes(pipes.mark), "nothing of the server is left")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_configuration(tmp_path, modules=(*MODULES, f"{APP}.tooling"))


def test_nothing_but_the_protocol_is_on_standard_output(config: Path) -> None:
    with serving(config) as pipes:
        noise = pipes.ask(1, "tools/call", name="tool_noisy", arguments={})
        assert noise["result"]["structuredContent"] == {"noise": 3}
        started = pipes.ask(2, "tools/call", name="print_lines", arguments={"count": 3})["result"]["structuredContent"]
        arguments = {"job_id": started["job_id"]}
        ended = pipes.ask(3, "tools/call", name="queue_wait_job", arguments=arguments)["result"]["structuredContent"]
        assert ended["status"] == "completed"
        assert pipes.end() == (0, b"")
    assert {"printed", "written", "echoed"} <= set((config.parent / "errors").read_text().splitlines())


def test_a_line_that_is_no_message_does_no_harm(config: Path) -> None:
    config.write_text(
        json.dumps({**json.loads(config.read_text()), "queue_plugin": {"security": {"max_body_bytes": 4096}}})
    )
    with serving(config) as pipes:
        for line in (b"", b"no json", b"[]", b"\xff\xfe", b'{"jsonrpc": "2.0"}', b" " * 100_000):
            pipes.send(line)
        assert pipes.ask(1, "server/discover")["result"]["capabilities"]["tools"]
        assert pipes.end()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_orderly_though_its_client_stays(config: Path, number: signal.Signals) -> None:
    with serving(config) as pipes:
        pipes.ask(1, "server/discover")
        pipes.process.send_signal(number)
        assert pipes.process.wait(END_SECONDS) == 0


def test_a_store_that_is_in_use_is_said_on_standard_error(config: Path, start: StartServer) -> None:
    start(config)
    with serving(config) as pipes:
        assert pipes.end() == (2, b"")
    assert "mcp-queue: " in (config.parent / "errors").read_text().splitlines()[-1]


def test_it_listens_nowhere(config: Path) -> None:
    arguments = [MCP_QUEUE, "serve", "--stdio", "--port", "8080", "--config", str(config)]
    refused = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "leave --host and --port out" in refused.stderr
