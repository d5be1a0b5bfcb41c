"""The configurations of MCP clients that pages show: what a client would make of each works with the page's server.

A block of the language ``json client``, ``toml client`` or ``bash client`` names servers. One that is reached by its
URL must be the endpoint of a running server, with the headers that the block says and not without; one that is started
must answer over its standard input and output.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

INSTALLED = "/srv/jobs"
"""Where pages say that an application is installed: in the tests, the folder of the page."""

TOKEN_VARIABLE, TOKEN = "QUEUE_TOKEN", "a-long-random-token"
"""Pages say that clients find their token in this variable, and what it is."""

CLIENT_TIMEOUT_SECONDS = 60.0
TOOLS = {"queue_wait_job", "queue_get_job_result"}
"""What every server offers."""

_VARIABLE = re.compile(r"\$\{(?:env:)?(?P<name>\w+)\}|\$(?P<bare>\w+)|\$\{input:(?P<input>[\w-]+)\}")


class ServerEntry(NamedTuple):
    """One server as a client knows it: reached at ``url``, or started with ``command``."""

    url: str | None = None
    headers: Mapping[str, str] = {}
    command: Sequence[str] = ()
    environ: Mapping[str, str] = {}


def entries_of_json(text: str) -> list[ServerEntry]:
    """The servers of ``.mcp.json``, ``.cursor/mcp.json`` or ``.vscode/mcp.json``."""
    config = json.loads(text)
    kind, inputs = ("servers", config.pop("inputs", [])) if "servers" in config else ("mcpServers", [])
    assert set(config) == {kind}, f"a client does not know {sorted(config)}"
    asked = {entry["id"] for entry in inputs if entry["type"] == "promptString" and entry["description"]}
    return [_json_entry(entry, asked, typed=kind == "servers") for entry in config[kind].values()]


def _json_entry(entry: dict[str, Any], asked: AbstractSet[str], *, typed: bool) -> ServerEntry:
    known = {"type", "url", "headers"} if "url" in entry else {"type", "command", "args", "env"}
    assert set(entry) <= known, f"a client does not know {sorted(set(entry) - known)}"
    assert entry.get("type") in ({"http", "stdio"} if typed else {"http", "stdio", None})
    if "url" in entry:
        headers = entry.get("headers", {})
        return ServerEntry(entry["url"], {name: expanded(text, asked) for name, text in headers.items()})
    return ServerEntry(command=[entry["command"], *entry.get("args", [])], environ=entry.get("env", {}))


def entries_of_toml(text: str) -> list[ServerEntry]:
    """The servers of Codex's ``config.toml``."""
    config = tomllib.loads(text)
    assert set(config) == {"mcp_servers"}
    return [_toml_entry(entry) for entry in config["mcp_servers"].values()]


def _toml_entry(entry: dict[str, Any]) -> ServerEntry:
    known = {"url", "bearer_token_env_var"} if "url" in entry else {"command", "args", "env"}
    assert set(entry) <= known | {"tool_timeout_sec", "startup_timeout_sec"}, f"Codex does not know all of {entry}"
    if "url" in entry:
        variable = entry.get("bearer_token_env_var")
        return ServerEntry(entry["url"], {"Authorization": expanded(f"Bearer ${{{variable}}}")} if variable else {})
    return ServerEntry(command=[entry["command"], *entry.get("args", [])], environ=entry.get("env", {}))


def entries_of_bash(text: str) -> list[ServerEntry]:
    """The servers of ``claude mcp add`` and of the Inspector's command line."""
    commands = [shlex.split(line) for line in text.replace("\\\n", " ").splitlines()]
    return [entry for words in commands for entry in _command_entry(words)]


def _command_entry(words: Sequence[str]) -> Iterator[ServerEntry]:
    if words[:3] == ["claude", "mcp", "add"]:
        options, names, command = options_of(words[3:], {"--transport", "--header", "--scope"}, set())
        assert options["--transport"] == ["stdio" if command else "http"]
        assert len(names) == (1 if command else 2)
        yield ServerEntry(command=command) if command else ServerEntry(names[1], _headers(options))
    else:
        assert words[:2] == ["npx", "@modelcontextprotocol/inspector"], f"nothing checks {words}"
        valued = {"--transport", "--header", "--method", "--tool-name", "--tool-arg", "--protocol-era", "--server-url"}
        options, names, command = options_of(words[2:], valued, {"--cli"})
        assert ("--cli" in options) == ("--method" in options)
        yield ServerEntry(command=command) if command else _address(options, names)


def _address(options: Mapping[str, list[str]], names: Sequence[str]) -> ServerEntry:
    assert options["--transport"] == ["http"]
    (url,) = [*names, *options.get("--server-url", [])]
    return ServerEntry(url, _headers(options))


def options_of(
    words: Sequence[str], valued: set[str], flags: set[str]
) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """Options with their values, what stands between them, and the command behind ``--``."""
    before, command = list(words), []
    if "--" in before:
        place = before.index("--")
        before, command = before[:place], before[place + 1 :]
    options: dict[str, list[str]] = {}
    names: list[str] = []
    rest = iter(before)
    for word in rest:
        if word in valued:
            options.setdefault(word, []).append(next(rest))
        elif word in flags:
            options[word] = []
        else:
            assert not word.startswith("-"), f"the client does not know {word}"
            names.append(word)
    return options, names, command


def _headers(options: Mapping[str, list[str]]) -> dict[str, str]:
    pairs = (expanded(header).partition(": ") for header in options.get("--header", []))
    return {name: value for name, _, value in pairs}


def expanded(text: str, asked: AbstractSet[str] = frozenset()) -> str:
    """``text`` with the token in the place of the variable, or of what a person is asked for."""

    def value(found: re.Match[str]) -> str:
        if found["input"] is not None:
            assert found["input"] in asked, f"no input is called {found['input']!r}"
        else:
            assert (found["name"] or found["bare"]) == TOKEN_VARIABLE, f"{found[0]} is not explained"
        return TOKEN

    return _VARIABLE.sub(value, text)


def require_server(entry: ServerEntry, folder: Path, environ: Mapping[str, str]) -> None:
    """Fail unless a client with this entry lists the tools of a server."""
    if entry.url is not None:
        asyncio.run(_require_reached(entry))
        return
    with folder.with_name(f"{folder.name}-stdio-log").open("w") as log:
        asyncio.run(_require_started(entry, folder, environ, log))


async def _require_reached(entry: ServerEntry) -> None:
    assert entry.url is not None
    async with (
        httpx2.AsyncClient(headers=dict(entry.headers), timeout=CLIENT_TIMEOUT_SECONDS) as http,
        Client(streamable_http_client(entry.url, http_client=http)) as client,
    ):
        await _require_tools(client)
    if entry.headers:
        async with httpx2.AsyncClient(timeout=CLIENT_TIMEOUT_SECONDS) as http:
            answer = await http.post(entry.url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert answer.status_code == 401, "the headers are not needed"


async def _require_started(entry: ServerEntry, folder: Path, environ: Mapping[str, str], log: TextIO) -> None:
    program, *arguments = entry.command
    name = Path(program).name
    assert program == f"{INSTALLED}/.venv/bin/{name}", f"a client that starts {program} may not find it"
    found = shutil.which(name, path=environ["PATH"])
    assert found is not None
    parameters = StdioServerParameters(
        command=found,
        args=[argument.replace(INSTALLED, str(folder)) for argument in arguments],
        env={**environ, **{key: value.replace(INSTALLED, str(folder)) for key, value in entry.environ.items()}},
        # Nobody knows where a client is.
        cwd=folder.parent,
    )
    async with Client(stdio_client(parameters, errlog=log)) as client:
        await _require_tools(client)


async def _require_tools(client: Client) -> None:
    names = {tool.name for tool in (await client.list_tools()).tools}
    assert names >= TOOLS, f"the server offers {sorted(names)} alone"
