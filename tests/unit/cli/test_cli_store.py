"""``mcp-queue jobs`` and ``mcp-queue store``, on a store that no server has open."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mcp_queue_plugin.cli import jobs as jobs_commands
from mcp_queue_plugin.cli.main import main
from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import Delete, EndingKind
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.contract.samples import add, applied, finish, run_new

LOG = (LogPiece("stdout", 4.0, b"one\ntwo\n"), LogPiece("stderr", 5.0, b"oh\n"), LogPiece("stdout", 6.0, b"three\n"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a server that has left some jobs."""
    asyncio.run(_leave_jobs(tmp_path / "queue.db"))
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"queue_manager": {"in_memory": False, "registry_path": "queue.db"}}))
    return path


async def _leave_jobs(path: Path) -> None:
    store = SqliteStore(path, durability="normal", clock=system_clock())
    await store.open()
    job = await run_new(store, "done")
    await applied(store, finish(job.token, result=b'{"sum": 2}', log=LOG))
    failed = await run_new(store, "failed")
    await applied(store, finish(failed.token, EndingKind.FAILED))
    await store.apply([add("llm\x1b[2J", options=JobOptions(queue="llm")), add("gone"), Delete("gone")])
    await store.close()


def invoke(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(config)])


def document(config: Path, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    done = invoke(config, *arguments, "--json")
    assert done.exit_code == exit_code, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((), ["llm\x1b[2J", "failed", "done"]),
        (("--status", "completed"), ["done"]),
        (("--status", "deleted"), ["gone"]),
        (("--queue", "llm"), ["llm\x1b[2J"]),
        (("--queue", "llm", "--status", "failed"), []),
    ],
)
def test_jobs_are_listed_by_what_is_asked(config: Path, filters: tuple[str, ...], expected: list[str]) -> None:
    listing = document(config, "jobs", "list", *filters)
    assert [job["job_id"] for job in listing["jobs"]] == expected
    assert (listing["total_count"], listing["next_cursor"]) == (len(expected), None)


def test_pages_of_a_list_join(config: Path) -> None:
    first = document(config, "jobs", "list", "--limit", "2")
    second = document(config, "jobs", "list", "--limit", "2", "--cursor", first["next_cursor"])
    assert [job["job_id"] for job in first["jobs"] + second["jobs"]] == ["llm\x1b[2J", "failed", "done"]
    assert (first["total_count"], second["next_cursor"]) == (3, None)


def test_a_list_for_people_is_a_table_that_steers_no_terminal(config: Path) -> None:
    done = invoke(config, "jobs", "list")
    head, *rows = done.stdout.splitlines()
    assert head.split("  ")[0] == "JOB ID"
    assert [row.split()[:3] for row in rows] == [
        ["llm\\x1b[2J", "pending", "(queued)"],
        ["failed", "failed", "default"],
        ["done", "completed", "default"],
    ]
    assert done.stderr == "3 of 3\n"


def test_a_record_is_shown_with_its_result(config: Path) -> None:
    shown = document(config, "jobs", "show", "done")
    assert (shown["status"], shown["result"], shown["attempt"]) == ("completed", {"sum": 2}, 1)
    lines = invoke(config, "jobs", "show", "done").stdout.splitlines()
    assert "status: completed" in lines
    assert 'result: {"sum": 2}' in lines


@pytest.mark.parametrize(
    ("asked", "stdout", "stderr"),
    [
        ((), "one\ntwo\nthree\n", "oh\n"),
        (("--stream", "stderr"), "", "oh\n"),
        (("--tail", "1"), "three\n", ""),
        (("--stream", "stdout", "--tail", "2"), "two\nthree\n", ""),
    ],
)
def test_a_log_is_printed_to_the_streams_it_came_from(
    config: Path, asked: tuple[str, ...], stdout: str, stderr: str
) -> None:
    done = invoke(config, "jobs", "logs", "done", *asked)
    assert (done.stdout, done.stderr) == (stdout, stderr)


def test_a_long_log_is_read_page_by_page(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_commands, "PAGE_LINES", 1)
    log = document(config, "jobs", "logs", "done")
    assert [entry["line"] for entry in log["entries"]] == ["one", "two", "oh", "three"]
    assert (log["stdout_lines"], log["stderr_lines"], log["dropped_lines"]) == (3, 1, 0)


def test_a_line_longer_than_a_page_is_printed_as_one(tmp_path: Path, config: Path) -> None:
    asyncio.run(_write_long_line(tmp_path / "queue.db"))
    done = invoke(config, "jobs", "logs", "wordy")
    assert done.stdout == "x" * 3_000_000 + "\nend\n"


async def _write_long_line(path: Path) -> None:
    store = SqliteStore(path, durability="normal", clock=system_clock())
    await store.open()
    job = await run_new(store, "wordy")
    line = tuple(LogPiece("stdout", 1.0, b"x" * 100_000, continues=number > 0) for number in range(30))
    await applied(store, finish(job.token, log=(*line, LogPiece("stdout", 2.0, b"\nend\n", continues=True))))
    await store.close()


@pytest.mark.parametrize("command", ["show", "logs"])
def test_a_job_that_is_not_there_is_an_error(config: Path, command: str) -> None:
    done = invoke(config, "jobs", command, "nobody")
    assert (done.exit_code, done.stderr) == (1, "mcp-queue: there is no job 'nobody' in the store\n")
    assert document(config, "jobs", command, "nobody", exit_code=1)["error"]["domain_code"] == "JOB_NOT_FOUND"


def test_a_store_is_checked(config: Path) -> None:
    store = config.with_name("queue.db")
    assert document(config, "store", "check") == {"path": str(store), "sound": True, "problems": []}
    assert invoke(config, "store", "check").stdout == f"{store}: sound\n"
    with store.open("r+b") as file:
        file.seek(store.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)
    spoilt = document(config, "store", "check", exit_code=2)
    assert (spoilt["sound"], bool(spoilt["problems"])) == (False, True)
    done = invoke(config, "store", "check")
    assert (done.exit_code, done.stdout.splitlines()) == (2, spoilt["problems"])


def test_a_store_is_set_aside_and_then_there_is_none(config: Path) -> None:
    store = config.with_name("queue.db")
    content = store.read_bytes()
    moved = document(config, "store", "set-aside")
    assert (moved["path"], moved["files"]) == (str(store), ["queue.db"])
    assert Path(moved["folder"], "queue.db").read_bytes() == content
    assert not store.exists()
    again = document(config, "store", "set-aside", exit_code=2)
    assert again["error"]["domain_code"] == "STORE_UNAVAILABLE"
    assert "it is not there" in invoke(config, "jobs", "list").stderr


def test_where_it_was_set_aside_is_said(config: Path) -> None:
    done = invoke(config, "store", "set-aside")
    (folder,) = config.parent.glob("queue.db.set-aside-*")
    assert done.stdout == f"{config.with_name('queue.db')} lies in {folder} now; the next start makes a new store\n"


@pytest.mark.parametrize("command", [("jobs", "list"), ("store", "check"), ("store", "set-aside")])
def test_jobs_in_memory_can_only_be_shown_by_their_server(tmp_path: Path, command: tuple[str, ...]) -> None:
    config = tmp_path / "config.json"
    config.write_text("{}")
    done = invoke(config, *command)
    assert done.exit_code == 2
    assert f"{config} keeps its jobs in memory" in done.stderr
