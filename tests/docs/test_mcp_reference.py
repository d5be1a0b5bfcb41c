"""The reference of the MCP endpoint says what the code says: states, fields, attributes, resources and bounds."""

from __future__ import annotations

import re

import msgspec
import pytest

from mcp_queue_plugin.adapter.bridge.tools import CommandDescription
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.mcp.catalog import PAGE_TOOLS, _offered
from mcp_queue_plugin.mcp.listening import JOBS_PER_STREAM
from mcp_queue_plugin.mcp.resources import _TEMPLATES, PAGE_JOBS, SCHEME
from mcp_queue_plugin.mcp.task_state import NO_ANSWER_OF_A_TOOL, TaskTerms, task_status
from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.estimate import Place
from mcp_queue_plugin.model.job import ErrorInfo, Job, Submission
from mcp_queue_plugin.model.operations import Add
from mcp_queue_plugin.model.states import State
from tests.docs.clients import entries_of_bash, entries_of_json, entries_of_toml
from tests.docs.pages import REPOSITORY, Page, table, tables

PAGE = Page(REPOSITORY / "docs/reference/mcp.md")


def code_words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def job_in(state: State, error: str = "ValueError") -> Job:
    add = Add(submission=Submission(job_id="1", job_type="t", target="m:C"), params=b"{}", start=True)
    job = decide.add(add, uid=1, at=decide.Moment(0.0, 0.0, 1))
    return msgspec.structs.replace(job, state=state, error=ErrorInfo(type=error, message="it failed"))


def test_every_state_has_the_status_that_the_page_says() -> None:
    documented = {
        state: code_words(row[1])[0]
        for row in table(PAGE.section("### The status of a task"))
        if "came to no end" not in row[0]
        for state in code_words(row[0])
    }
    assert documented == {state.value: task_status(job_in(state)) for state in State}


def test_the_errors_that_no_tool_has_made_are_named() -> None:
    (sentence,) = re.findall(r"^The errors of the last but one are (.*)\.$", PAGE.text, re.MULTILINE)
    assert set(code_words(sentence)) == NO_ANSWER_OF_A_TOOL
    assert {task_status(job_in(State.FAILED, error)) for error in NO_ANSWER_OF_A_TOOL} == {"failed"}


def test_every_field_of_a_task_is_documented() -> None:
    waiting = Answer(job_in(State.QUEUED), place=Place(position=1, estimated_wait_seconds=0.0))
    told = TaskTerms(retention_seconds=1.0, max_output_bytes=1024).created(waiting, now=0.0)
    rows = table(PAGE.section("### The fields of a task"))
    assert [row[0].strip("`") for row in rows] == [key for key in told if key != "resultType"]


def test_what_a_tool_says_is_documented() -> None:
    described = CommandDescription(
        name="n",
        description="d",
        parameters={},
        result={"properties": {"data": {"type": "object", "properties": {}}}},
        use_queue=True,
        ends_in_time=False,
        annotations={"readOnlyHint": True},
        requires={},
        asks_for={},
    )
    told = _offered(described).tool.model_dump(by_alias=True, exclude_none=True)
    rows = tables(PAGE.section("## Tools"))[0]
    assert {row[0].strip("`") for row in rows} == set(told)


def test_the_resources_are_documented() -> None:
    documented = [(code_words(uri)[0], code_words(kind)[0]) for uri, _, kind in table(PAGE.section("## Resources"))]
    assert documented == [(f"{SCHEME}{{job_id}}{part}", kind) for _, part, _, kind in _TEMPLATES]


def test_the_bounds_are_documented() -> None:
    assert f"by name, {PAGE_TOOLS} on a page" in PAGE.text
    assert f"newest first, {PAGE_JOBS} on a page" in PAGE.text
    assert f"about {JOBS_PER_STREAM:,} jobs at most" in PAGE.text


def test_what_a_client_cannot_read_is_refused() -> None:
    with pytest.raises(AssertionError, match="does not know"):
        entries_of_json('{"mcpServers": {"jobs": {"url": "http://127.0.0.1/mcp", "header": {}}}}')
    with pytest.raises(AssertionError, match="does not know"):
        entries_of_json('{"servers": {}, "mcpServers": {}}')
    with pytest.raises(AssertionError, match="no input is called 'other'"):
        entries_of_json('{"servers": {"jobs": {"type": "http", "url": "u", "headers": {"A": "${input:other}"}}}}')
    with pytest.raises(AssertionError, match="does not know all"):
        entries_of_toml('[mcp_servers.jobs]\nurl = "u"\nheaders = {}\n')
    with pytest.raises(AssertionError, match="the client does not know --headers"):
        entries_of_bash("claude mcp add --transport http jobs u --headers 'A: b'")
    with pytest.raises(AssertionError, match="is not explained"):
        entries_of_bash("claude mcp add --transport http jobs u --header 'A: $OTHER'")
    with pytest.raises(AssertionError, match="nothing checks"):
        entries_of_bash("codex mcp list")
