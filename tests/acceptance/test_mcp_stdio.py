"""``mcp-queue serve --stdio``: what a client reads, what it does not, and how the server ends."""

from __future__ import annotations

import array
import fcntl
import json
import os
import signal
import subprocess
import termios
import threading
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

ANSWER_SECONDS = 40.0
END_SECONDS = 20.0
BOUNDED_END_SECONDS = 10.0
PIPE_BYTES = 65_536
OWN_COMMANDS = '''
import subprocess

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import SuccessResult


class Greedy(Command):
    """Read standard input to its end, in a process of its own and in Python, and print what stays in a buffer."""

    name = "own_greedy"
    result_class = SuccessResult

    async def execute(self, **_):
        print("kept")
        read = subprocess.run(["cat"], check=True, capture_output=True, timeout=5).stdout.decode()
        try:
            read += input()
        except EOFError:
            pass
        return SuccessResult(data={"read": read})


class Large(Command):
    """Answer a megabyte."""

    name = "own_large"
    result_class = SuccessResult

    async def execute(self, **_):
        return SuccessResult(data={"text": "x" * 1_000_000})


class Lone(Command):
    """Answer what no JSON can hold."""

    name = "own_lone"
    result_class = SuccessResult

    async def execute(self, **_):
        return SuccessResult(data={"text": chr(0xD800)})


for command in (Greedy, Large, Lone):
    registry.register(command, "custom")
'''
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Pipes:
    """A server that was started with ``--stdio``, spoken to line by line."""

    def __init__(self, config: Path, errors: Path, redirection: str) -> None:
        self.mark = f"stdio {config}"
        shell = ("sh", "-c", f'exec "$@" {redirection}', "sh")
        with errors.open("w") as file:
            self.process = subprocess.Popen(
                [*shell, MCP_QUEUE, "serve", "--stdio", "--config", str(config)],
                cwd=config.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "", processes.MARK: self.mark},
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
        self.send(request(number, method, **params))
        answer = self.next_message()
        assert answer["id"] == number
        return answer

    def next_message(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        patience = threading.Timer(ANSWER_SECONDS, self.process.kill)
        patience.start()
        try:
            message: dict[str, Any] = json.loads(self.process.stdout.readline())
        finally:
            patience.cancel()
        return message

    def go(self, *, closes_input: bool, closes_output: bool) -> None:
        for stream, closes in ((self.process.stdin, closes_input), (self.process.stdout, closes_output)):
            if closes:
                assert stream is not None
                stream.close()

    def end(self) -> tuple[int, bytes]:
        """Close its input; its exit code, and what it has written beyond its answers."""
        rest, _ = self.process.communicate(timeout=END_SECONDS)
        return self.process.returncode, rest


def request(number: int, method: str, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": META}}
    return json.dumps(message).encode()


def call(number: int, tool: str, **arguments: Any) -> bytes:
    return request(number, "tools/call", name=tool, arguments=arguments)


@contextmanager
def serving(config: Path, redirection: str = "") -> Iterator[Pipes]:
    pipes = Pipes(config, config.parent / "errors", redirection)
    try:
        yield pipes
    finally:
        pipes.process.kill()
        pipes.process.wait()
        pipes.go(closes_input=True, closes_output=True)
        until(lambda: not processes.marked_processes(pipes.mark), "nothing of the server is left")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "own_commands.py").write_text(OWN_COMMANDS)
    return write_configuration(tmp_path, modules=(*MODULES, f"{APP}.tooling", "own_commands"))


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


def test_standard_input_is_empty_for_all_but_the_protocol(config: Path) -> None:
    with serving(config) as pipes:
        pipes.ask(1, "server/discover")
        pipes.send(call(2, "own_greedy") + b"\n" + request(3, "server/discover"))
        answers = {answer["id"]: answer["result"] for answer in (pipes.next_message(), pipes.next_message())}
        assert answers[2]["structuredContent"] == {"read": ""}
        assert answers[3]["capabilities"]["tools"]
        assert pipes.end() == (0, b"")


def test_a_line_that_is_no_message_is_answered_as_such(config: Path) -> None:
    config.write_text(
        json.dumps({**json.loads(config.read_text()), "queue_plugin": {"security": {"max_body_bytes": 4096}}})
    )
    with serving(config) as pipes:
        too_long = b" " * 100_000 + request(7, "server/discover")
        for line in (b"no json", b"[]", b"\xff\xfe", b'{"jsonrpc": "2.0"}', too_long):
            pipes.send(line)
            answer = pipes.next_message()
            assert (answer["id"], answer["error"]["code"]) == (None, -32700)
        pipes.send(b"")
        assert pipes.ask(1, "server/discover")["result"]["capabilities"]["tools"]
        assert pipes.end() == (0, b"")


def test_an_answer_that_no_json_can_hold_does_not_end_the_others(config: Path) -> None:
    with serving(config) as pipes:
        pipes.ask(1, "tools/call", name="own_lone", arguments={})
        assert pipes.ask(2, "server/discover")["result"]["capabilities"]["tools"]
        assert pipes.end() == (0, b"")


@pytest.mark.parametrize("closes_input", [True, False])
@pytest.mark.parametrize("takes_log", [True, False])
def test_a_client_that_dies_during_a_call_is_no_failure(
    config: Path, tmp_path: Path, closes_input: bool, takes_log: bool
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log of the client"
    os.mkfifo(log)
    reading = os.open(log, os.O_RDWR | os.O_CLOEXEC)
    with serving(config, f"2>'{log}'" if takes_log else "") as pipes:
        pipes.ask(1, "tools/call", name="own_greedy", arguments={})
        pipes.send(call(2, "tool_slow_in_server", gate=str(gate), path=str(tmp_path / "ended")))
        os.close(reading)
        pipes.go(closes_input=closes_input, closes_output=True)
        gate.touch()
        assert pipes.process.wait(END_SECONDS) == 0
    assert "Traceback" not in (config.parent / "errors").read_text()


@pytest.mark.parametrize("closes_input", [True, False])
def test_a_client_that_does_not_read_cannot_keep_it(config: Path, closes_input: bool) -> None:
    with serving(config) as pipes:
        pipes.ask(1, "server/discover")
        pipes.send(call(2, "own_large"))
        until(lambda: readable_bytes(pipes) >= PIPE_BYTES, "the pipe is full")
        pipes.go(closes_input=closes_input, closes_output=False)
        if not closes_input:
            pipes.process.send_signal(signal.SIGTERM)
        assert pipes.process.wait(BOUNDED_END_SECONDS) == 0


def readable_bytes(pipes: Pipes) -> int:
    assert pipes.process.stdout is not None
    count = array.array("i", [0])
    fcntl.ioctl(pipes.process.stdout, termios.FIONREAD, count)
    return count[0]


@pytest.mark.parametrize("redirection", ["2>&-", "<&-", "0<&- 2>&-"])
def test_standard_streams_may_be_closed(config: Path, redirection: str) -> None:
    with serving(config, redirection) as pipes:
        if redirection == "2>&-":
            noise = pipes.ask(1, "tools/call", name="tool_noisy", arguments={})
            assert noise["result"]["structuredContent"] == {"noise": 3}
        assert pipes.end() == (0, b"")


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


@pytest.mark.parametrize(
    "change",
    [{"server": None}, {"queue_plugin": {"unknown": 1}}, {"queue_manager": {"max_concurrent_jobs": "many"}}, None],
    ids=["server", "unknown", "value", "no JSON"],
)
def test_a_configuration_that_cannot_be_used_is_said_on_standard_error(
    config: Path, change: dict[str, Any] | None
) -> None:
    changed = "{" if change is None else json.dumps({**json.loads(config.read_text()), **change})
    config.write_text(changed)
    with serving(config) as pipes:
        assert pipes.end() == (2, b"")
    assert (config.parent / "errors").read_text().startswith("mcp-queue: ")


def test_it_listens_nowhere(config: Path) -> None:
    arguments = [MCP_QUEUE, "serve", "--stdio", "--port", "8080", "--config", str(config)]
    refused = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "leave --host and --port out" in refused.stderr
