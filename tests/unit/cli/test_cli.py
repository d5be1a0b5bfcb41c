"""The command line, in real processes where it serves and in ours where it only reads."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mcp_queue_plugin.cli.main import main
from mcp_queue_plugin.settings import settings_schema
from mcp_queue_plugin.version import __version__
from tests.unit.cli.program import execute

SERVER = {
    "uuid": "20919984-3b3f-451c-a7e8-5662012b1aeb",
    "server": {"host": "127.0.0.1", "port": 8080, "protocol": "http", "debug": False, "log_level": "INFO"},
    "logging": {"level": "INFO", "log_dir": "./log", "console_output": False, "file_output": False},
}


def write(folder: Path, config: Any) -> Path:
    path = folder / "config.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return path


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_the_commands(option: str) -> None:
    result = invoke(option)
    assert result.exit_code == 0
    for command in ("serve", "bench", "config", "jobs", "store"):
        assert command in result.output


@pytest.mark.parametrize("command", [("serve",), ("bench",), ("config",), ("config", "check"), ("config", "show")])
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_the_version_is_the_packages() -> None:
    assert invoke("--version").output.strip() == f"mcp-queue, version {__version__}"


def test_the_installed_program_is_this_one(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("mcp-queue")
    output = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert output.strip() == f"mcp-queue, version {__version__}"


def test_a_valid_configuration_is_called_so(tmp_path: Path) -> None:
    path = write(tmp_path, {"queue_manager": {"max_concurrent_jobs": 3}})
    prose, document = invoke("config", "check", "--config", path), invoke("config", "check", "--json", "--config", path)
    assert (prose.exit_code, prose.output) == (0, f"{path}: valid\n")
    assert (document.exit_code, json.loads(document.output)) == (0, {"valid": True, "problems": []})


def test_every_mistake_is_named_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_QUEUE__WORKERS__MIN", "many")
    path = write(tmp_path, {"queue_manager": {"max_concurrent_jbos": 3}, "queue_plugin": {"durability": "some"}})
    prose, document = invoke("config", "check", "--config", path), invoke("config", "check", "--json", "--config", path)
    assert (prose.exit_code, document.exit_code) == (2, 2)
    for words in ("max_concurrent_jbos", "max_concurrent_jobs", "durability", "MCP_QUEUE__WORKERS__MIN", "config.json"):
        assert words in prose.stdout
    answer = json.loads(document.stdout)
    assert answer["valid"] is False
    assert len(answer["problems"]) == 3


def test_the_settings_in_force_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_QUEUE__QUEUE_MANAGER__MAX_CONCURRENT_JOBS", "7")
    path = write(tmp_path, {"queue_manager": {"in_memory": False, "registry_path": "var/queue.db"}})
    result = invoke("config", "show", "--config", path)
    settings = json.loads(result.output)
    assert result.exit_code == 0
    assert settings["queue_manager"]["max_concurrent_jobs"] == 7
    assert settings["queue_manager"]["registry_path"] == str(tmp_path / "var/queue.db")
    assert settings["queue_plugin"]["durability"] == "full"


def test_the_schema_is_the_settings() -> None:
    result = invoke("config", "schema")
    assert json.loads(result.output) == settings_schema()


@pytest.mark.parametrize("command", ["check", "show"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("{not json", "is not JSON"),
        ("[1]", "holds list, not a JSON object"),
        ("\xff\xfe", "JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, command: str, content: str | None, words: str) -> None:
    path = tmp_path / "config.json" if content is None else write(tmp_path, content)
    prose = invoke("config", command, "--config", path)
    assert (prose.exit_code, prose.stdout) == (2, "")
    assert words in prose.stderr
    assert str(path) in prose.stderr
    document = invoke("config", command, "--json", "--config", path)
    assert document.exit_code == 2
    error = json.loads(document.stdout)["error"]
    assert (error["type"], error["domain_code"]) == ("ConfigurationError", "CONFIGURATION_INVALID")


def test_show_refuses_a_configuration_that_is_not_valid(tmp_path: Path) -> None:
    path = write(tmp_path, {"queue_manager": {"max_concurrent_jobs": 0}})
    document = invoke("config", "show", "--json", "--config", path)
    assert document.exit_code == 2
    assert json.loads(document.stdout)["error"]["problems"]


def refusal(folder: Path, config: Any, *arguments: str) -> str:
    """The last words of a server that could not be started because of its configuration, port or store."""
    if config is not None:
        write(folder, config)
    done = execute("serve", *arguments, folder=folder)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr.splitlines()[-1] if "mcp-queue: the configuration" not in done.stderr else done.stderr


def test_serve_without_a_file_says_which(tmp_path: Path) -> None:
    words = refusal(tmp_path, None)
    assert words == ("mcp-queue: config.json cannot be read: No such file or directory; name the file with --config")


@pytest.mark.parametrize(("config", "words"), [("{", "is not JSON"), ("[]", "holds list"), ("", "is not JSON")])
def test_serve_refuses_what_is_no_configuration(tmp_path: Path, config: str, words: str) -> None:
    assert words in refusal(tmp_path, config)


def test_serve_refuses_mistakes_in_our_sections_by_name(tmp_path: Path) -> None:
    words = refusal(tmp_path, {**SERVER, "queue_plugin": {"durabilty": "full"}})
    assert "durabilty" in words
    assert "durability" in words


def test_serve_refuses_a_module_that_cannot_be_imported(tmp_path: Path) -> None:
    words = refusal(tmp_path, {**SERVER, "queue_plugin": {"auto_import_modules": ["no_such_module"]}})
    assert "no_such_module cannot be imported" in words


@pytest.mark.parametrize("server", [None, [], "here", {"host": "127.0.0.1"}, {**SERVER["server"], "port": "x"}])  # type: ignore[dict-item]
def test_serve_refuses_a_server_section_that_is_none(tmp_path: Path, server: Any) -> None:
    refusal(tmp_path, {**SERVER, "server": server})


@pytest.mark.parametrize("level", ["chatty", "", 10, None, ["INFO"]])
def test_serve_refuses_a_log_level_that_is_none(tmp_path: Path, level: Any) -> None:
    words = refusal(tmp_path, {**SERVER, "server": {**SERVER["server"], "log_level": level}})  # type: ignore[dict-item]
    assert words == (f"mcp-queue: server.log_level must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not {level!r}")


def test_serve_refuses_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = refusal(tmp_path, SERVER, "--port", str(port))
    assert words == (
        f"mcp-queue: cannot listen on 127.0.0.1:{port}: it is in use; choose another with --host and --port"
    )


def test_serve_refuses_a_store_that_is_not_ours_and_leaves_it_alone(tmp_path: Path) -> None:
    (tmp_path / "queue.jsonl").write_text('{"job_id": "old"}\n')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    manager = {"in_memory": False, "registry_path": "queue.jsonl"}
    write(tmp_path, {**SERVER, "queue_manager": manager})
    done = execute("serve", "--port", str(port), folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "mcp-queue: the server did not start" in done.stderr
    assert "queue.jsonl" in done.stderr
    assert (tmp_path / "queue.jsonl").read_text() == '{"job_id": "old"}\n'


@pytest.mark.parametrize("port", ["0", "65536", "many"])
def test_serve_refuses_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    result = invoke("serve", "--port", port)
    assert result.exit_code == 2
    assert "--port" in result.stderr
