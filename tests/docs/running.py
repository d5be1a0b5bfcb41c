"""Runs or checks every code block of a page, in order, in one folder. The words behind a fence say how:

``python``, ``bash``          run it; ``exit=N`` expects that exit code instead of 0
``bash repository``           run it in the repository instead of the page's folder
``bash server``               start it and go on as soon as it is up; it is stopped at the end of the page
``python file=NAME``          write it to that file, as ``json file=NAME`` and ``text file=NAME`` do
``text output``               what the block before has printed, as doctest compares it: ``...`` stands for anything
``json output``               the same for JSON; as a key ``...`` stands for further keys
``json``                      parse it; the queue's sections in it must be valid
``json client``               the configuration of an MCP client: each server in it must answer, as clients.py says;
                              the same for ``toml client`` and ``bash client``
``sh``                        variables of the environment, which must be valid
``ini``                       a systemd unit, whose command line must be valid
``mermaid``                   the diagram that test_lifecycle checks
``text``                      not code
"""

from __future__ import annotations

import configparser
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from mcp import MCPError

from mcp_queue_plugin.cli.main import main as mcp_queue
from mcp_queue_plugin.settings import check_settings
from tests.docs.clients import ServerEntry, entries_of_bash, entries_of_json, entries_of_toml, require_server
from tests.docs.outputs import require_json, require_text
from tests.docs.pages import REPOSITORY, SAMPLE_APPLICATION, Block, Page
from tests.docs.server import PageServer, free_port

PORT, OTHER_PORT = "8080", "8081"
"""The ports that pages use; in the tests they are two that are free."""

RUN_TIMEOUT_SECONDS = 120.0
DIAGRAM_PAGE = "docs/reference/job-lifecycle.md"

_WRONG = (
    AssertionError,
    SyntaxError,
    ValueError,
    KeyError,
    click.ClickException,
    configparser.Error,
    subprocess.TimeoutExpired,
    ExceptionGroup,
    MCPError,
    OSError,
)
"""What is raised when a block is wrong."""

# The variables, functions and directory of one block are there in the next, as in the reader's terminal.
_SHELL = """
[[ -f {state} ]] && source {state}
set -aeuo pipefail
{text}
{{ export -p; declare -f; printf 'cd %q\\n' "$PWD"; }} > {state}
"""


class PageRun:
    """One pass over a page."""

    def __init__(self, path: Path, folder: Path) -> None:
        """Run the page at ``path`` in the empty ``folder``."""
        self._port = free_port()
        self._page = Page(path, {PORT: str(self._port), OTHER_PORT: str(free_port())})
        self._folder = folder
        self._state = folder.with_name(f"{folder.name}-shell-state")
        self._environ = _environment()
        self._output: str | None = None
        self._servers: list[PageServer] = []

    def run(self) -> None:
        """Run and check every block; fails with the place of the first that is wrong, or that nothing checks."""
        if SAMPLE_APPLICATION in self._page.text:
            for name in ("config.json", "commands", "jobs"):
                (self._folder / name).symlink_to(REPOSITORY / name)
        try:
            for block in self._page.blocks():
                try:
                    self.check(block)
                except _WRONG as error:
                    raise AssertionError(f"{block.place}: {error}") from error
        finally:
            for server in self._servers:
                server.stop()

    def check(self, block: Block) -> None:
        """Run or check one block."""
        kind = " ".join([block.language, *(flag for flag in block.flags if flag != "exit")])
        check = _CHECKS.get(kind)
        assert check is not None, f"nothing checks a block of the kind {kind!r}"
        check(self, block)

    def run_python(self, block: Block) -> None:
        self._execute([sys.executable, "-"], block, self._folder, text=block.text)

    def run_bash(self, block: Block) -> None:
        script = _SHELL.format(state=shlex.quote(str(self._state)), text=block.text)
        self._execute(["bash", "-c", script], block, self._folder)

    def run_in_repository(self, block: Block) -> None:
        # Not the store of a server that may be running there.
        environ = {**self._environ, "MCP_QUEUE__QUEUE_MANAGER__REGISTRY_PATH": str(self._folder / "repository.db")}
        self._execute(["bash", "-euo", "pipefail", "-c", block.text], block, REPOSITORY, environ=environ)

    def start_server(self, block: Block) -> None:
        self._servers.append(PageServer(block.text, self._folder, self._environ, self._port))

    def write_file(self, block: Block) -> None:
        if block.language == "python":
            compile(block.text, block.flags["file"], "exec")
        if block.language == "json":
            check_json(self, block)
        path = self._folder / block.flags["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    def compare_text(self, block: Block) -> None:
        require_text(block.text, self._take_output())

    def compare_json(self, block: Block) -> None:
        require_json(block.text, self._take_output())

    def try_client(self, block: Block) -> None:
        entries = _CLIENTS[block.language](block.text)
        assert entries, "it names no server"
        for entry in entries:
            require_server(entry, self._folder, self._environ)

    def check_diagram(self, _: Block) -> None:
        assert self._page.name == DIAGRAM_PAGE

    def _take_output(self) -> str:
        output, self._output = self._output, None
        assert output is not None, "no block before it has an output"
        return output

    def _execute(
        self,
        command: list[str],
        block: Block,
        folder: Path,
        *,
        text: str = "",
        environ: dict[str, str] | None = None,
    ) -> None:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environ or self._environ,
            input=text,
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_SECONDS,
            check=False,
        )
        expected = int(block.flags.get("exit", "0"))
        assert done.returncode == expected, f"it ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        self._output = done.stdout


def check_json(_: PageRun, block: Block) -> None:
    require_settings(json.loads(block.text), {})


def check_variables(_: PageRun, block: Block) -> None:
    require_settings({}, dict(assignment.split("=", 1) for assignment in shlex.split(block.text)))


def require_settings(config: dict[str, Any], environ: dict[str, str]) -> None:
    problems = check_settings(config, environ=environ, source="the block")
    assert not problems, "\n".join(map(str, problems))


def check_unit(_: PageRun, block: Block) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # the documented way to keep capitals
    unit.read_string(block.text)
    assert set(unit.sections()) <= {"Unit", "Service", "Install"}
    program, subcommand, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "mcp-queue"
    command: Any = mcp_queue.get_command(click.Context(mcp_queue), subcommand)
    command.make_context(subcommand, arguments)


def ignore(_: PageRun, __: Block) -> None:
    """Prose in a fence."""


_CLIENTS: dict[str, Callable[[str], list[ServerEntry]]] = {
    "bash": entries_of_bash,
    "json": entries_of_json,
    "toml": entries_of_toml,
}

_CHECKS: dict[str, Callable[[PageRun, Block], None]] = {
    "python": PageRun.run_python,
    "python file": PageRun.write_file,
    "bash": PageRun.run_bash,
    "bash repository": PageRun.run_in_repository,
    "bash server": PageRun.start_server,
    "bash client": PageRun.try_client,
    "json": check_json,
    "json file": PageRun.write_file,
    "json output": PageRun.compare_json,
    "json client": PageRun.try_client,
    "toml client": PageRun.try_client,
    "text": ignore,
    "text file": PageRun.write_file,
    "text output": PageRun.compare_text,
    "sh": check_variables,
    "ini": check_unit,
    "mermaid": PageRun.check_diagram,
}


def _environment() -> dict[str, str]:
    """This process's variables, with our programs first and without settings of the queue."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MCP_QUEUE__")}
    return {**inherited, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
