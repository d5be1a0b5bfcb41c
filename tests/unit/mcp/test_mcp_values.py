"""Small decisions of the endpoint: hosts, URIs, answers to questions, capabilities, and what fits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp import MCPError

from mcp_queue_plugin.errors import InvalidParameters, JobNotFound, QueueFull
from mcp_queue_plugin.mcp.failures import as_mcp_error
from mcp_queue_plugin.mcp.fitting import Fitting
from mcp_queue_plugin.mcp.hosts import transport_security
from mcp_queue_plugin.mcp.questions import answer_of
from mcp_queue_plugin.mcp.resources import log_tail, parsed, uri_of
from mcp_queue_plugin.model.job import Question
from mcp_queue_plugin.model.queries import LogEntry, LogPage
from mcp_queue_plugin.model.questions import AnswerAction
from mcp_queue_plugin.settings.mcp import McpSettings


@pytest.mark.parametrize(
    ("host", "settings", "checks", "served"),
    [
        ("127.0.0.1", {}, True, "localhost:*"),
        ("::1", {}, True, "[::1]:*"),
        ("0.0.0.0", {}, False, None),
        (None, {}, False, None),
        ("0.0.0.0", {"allowed_hosts": ("queue.example",)}, True, "queue.example"),
    ],
)
def test_hosts_are_checked_where_it_is_known_which_there_are(
    host: str | None, settings: dict[str, Any], checks: bool, served: str | None
) -> None:
    security = transport_security(McpSettings(**settings), host)
    assert security.enable_dns_rebinding_protection is checks
    assert served is None or served in security.allowed_hosts
    assert served is None or f"https://{served}" in security.allowed_origins


@pytest.mark.parametrize("job_id", ["plain", "with space", "a/b", "job://x", "ä%2F", "?q#f"])
@pytest.mark.parametrize("part", ["", "logs", "result"])
def test_a_uri_names_any_job(job_id: str, part: str) -> None:
    uri = f"{uri_of(job_id)}/{part}".rstrip("/")
    assert parsed(uri) == (job_id, part)


@pytest.mark.parametrize("uri", ["job://", "job:///logs", "test://a", "job://a/else", "job://a/logs/x", "a"])
def test_other_uris_name_nothing(uri: str) -> None:
    with pytest.raises(MCPError, match="there is no resource") as refusal:
        parsed(uri)
    assert refusal.value.code == -32602


def page_of(*lines: str, written: int) -> LogPage:
    entries = tuple(LogEntry("stdout", 0.0, line) for line in lines)
    return LogPage(entries=entries, next_cursor=0, end_cursor=0, stdout_lines=written, stderr_lines=0, dropped_lines=0)


def test_a_log_shows_its_last_lines_that_fit() -> None:
    assert log_tail(page_of("one", "two", written=2), 100) == "one\ntwo"
    note = "[{} earlier lines: read them with queue_get_job_logs]"
    assert log_tail(page_of("one", "two", written=2), 6) == f"{note.format(1)}\ntwo"
    assert log_tail(page_of("one", "two", written=9), 100) == f"{note.format(7)}\none\ntwo"
    assert log_tail(page_of(written=0), 100) == ""


TEXT, OBJECT = (
    Question(key="k", prompt="?", attempt=1, schema=None),
    Question(key="k", prompt="?", attempt=1, schema='{"type": "object"}'),
)


@pytest.mark.parametrize(
    ("question", "response", "answer"),
    [
        (TEXT, {"action": "accept", "content": {"answer": "x"}}, (AnswerAction.ACCEPT, "x")),
        (OBJECT, {"action": "accept", "content": {"n": 1}}, (AnswerAction.ACCEPT, {"n": 1})),
        (TEXT, {"action": "decline"}, (AnswerAction.DECLINE, None)),
        (OBJECT, {"action": "cancel", "content": {"n": 1}}, (AnswerAction.CANCEL, None)),
    ],
)
def test_a_response_answers_a_question(question: Question, response: Any, answer: Any) -> None:
    assert answer_of(question, response) == answer


@pytest.mark.parametrize(
    "response",
    [None, [], {}, {"action": "yes"}, {"action": "accept"}, {"action": "accept", "content": 1}, {"action": ["accept"]}],
)
def test_what_is_no_response_is_refused_by_the_key(response: Any) -> None:
    for question in (TEXT, OBJECT):
        with pytest.raises(InvalidParameters, match="'k' is no answer"):
            answer_of(question, response)


def test_a_text_is_looked_for_in_its_field() -> None:
    with pytest.raises(InvalidParameters, match="must hold 'answer'"):
        answer_of(TEXT, {"action": "accept", "content": {"text": "x"}})


def test_errors_keep_their_code_and_facts() -> None:
    full = as_mcp_error(QueueFull("full", queue="llm"))
    assert (full.code, full.data["domain_code"], full.data["queue"]) == (-32000, "QUEUE_FULL", "llm")
    missing = as_mcp_error(JobNotFound("x"))
    assert (missing.code, missing.message) == (-32602, "Job not found: x")


class Commands:
    """A log and a record, asked for in pages and in pieces."""

    def __init__(self, line_length: int) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._line = "x" * line_length

    async def __call__(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((name, params))
        if name == "queue_get_job_logs":
            entries = [{"line": self._line}] * params.get("limit", 1000)
            return {"success": True, "data": {"entries": entries, "next_cursor": str(len(entries))}}
        if name == "queue_get_job_result":
            return {"success": True, "data": {"text": "r" * params["limit_bytes"], "next_cursor": "9"}}
        return {"success": True, "data": {"job_id": "a", "result": {"text": "r" * 9000}}}


async def test_a_page_is_asked_for_again_until_it_fits() -> None:
    commands = Commands(line_length=10)
    page = (await Fitting(2048, commands)("queue_get_job_logs", {"job_id": "a"}))["data"]
    assert len(json.dumps(page)) <= 2048
    assert page["next_cursor"] == str(len(page["entries"]))
    assert [name for name, _ in commands.calls] == ["queue_get_job_logs"] * len(commands.calls)


async def test_one_line_that_does_not_fit_is_told_all_the_same() -> None:
    page = (await Fitting(2048, Commands(line_length=5000))("queue_get_job_logs", {}))["data"]
    assert len(page["entries"]) == 1


async def test_a_record_that_does_not_fit_has_the_first_piece_of_its_result() -> None:
    record = (await Fitting(2048, Commands(1))("record", {}))["data"]
    assert (record["result"], record["result_piece"]["next_cursor"]) == (None, "9")
    assert len(json.dumps(record)) <= 2048
    assert "queue_get_job_result" in record["result_note"]
