"""The MCP endpoint answers whatever it is sent: with a result, or with an error that says what was wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.acceptance.harness.client import Client
from tests.acceptance.test_mcp_tasks import HEADERS, envelope
from tests.fuzz.cases import fuzzing, numbers, texts, values
from tests.fuzz.servers import sound_server
from tests.fuzz.test_fuzz_commands import calls

INTERNAL_ERROR = -32603

job_ids = st.sampled_from(["a", "b", "nobody's"]) | texts
uris = st.builds("job://{}{}".format, job_ids, st.sampled_from(["", "/logs", "/result", "/else"])) | texts
responses = st.dictionaries(
    st.sampled_from(["first", "second"]) | texts,
    st.fixed_dictionaries({"action": st.sampled_from(["accept", "decline"]) | texts, "content": values}) | values,
    max_size=3,
)
notifications = st.fixed_dictionaries(
    {},
    optional={
        "taskIds": st.lists(job_ids, max_size=3) | values,
        "resourceSubscriptions": st.lists(uris, max_size=3) | values,
        "toolsListChanged": st.booleans() | values,
    },
)


def request(method: str, **params: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(method), st.fixed_dictionaries(params))


requests = (
    calls.map(lambda call: ("tools/call", {"name": call[0], "arguments": call[1]}))
    | request("tools/call", name=texts, arguments=values)
    | request("tasks/get", taskId=job_ids)
    | request("tasks/cancel", taskId=job_ids)
    | request("tasks/update", taskId=job_ids, inputResponses=responses | values)
    | request("resources/read", uri=uris)
    | request("resources/list", cursor=texts | numbers)
    | request("tools/list", cursor=texts | values)
    | request("subscriptions/listen", notifications=notifications | values)
    | st.tuples(st.sampled_from(["tools/list", "tasks/get", "ping", "prompts/list"]) | texts, values)
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with sound_server(tmp_path_factory.mktemp("mcp")) as server:
        yield server


@pytest.fixture(scope="module")
def http(server: Client) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={**server.headers, **HEADERS}, timeout=60) as client:
        yield client


def first_message(http: httpx.Client, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    """The status of an answer, and its first message, whether it comes alone or begins a stream."""
    with http.stream("POST", "/mcp", headers=headers, content=body) as response:
        if response.headers.get("Content-Type", "").startswith("text/event-stream"):
            line = next(line for line in response.iter_lines() if line.startswith("data: "))
            return response.status_code, json.loads(line.removeprefix("data: "))
        text = response.read()
        return response.status_code, json.loads(text) if text else {}


@fuzzing
@given(requests, st.booleans(), st.sampled_from([1, "a"]) | values)
def test_every_message_is_answered(http: httpx.Client, asked: tuple[str, Any], is_modern: bool, number: Any) -> None:
    method, params = asked
    if is_modern and isinstance(params, dict):
        params = envelope(**params)
    named = params if isinstance(params, dict) else {}
    name = next((named[key] for key in ("name", "taskId", "uri") if isinstance(named.get(key), str)), "")
    headers = {"Mcp-Method": method, "Mcp-Name": name} if is_modern else {"MCP-Protocol-Version": "2025-11-25"}
    # What no header can hold cannot be sent as one.
    sent = {
        key: value
        for key, value in headers.items()
        if value.isascii() and value.isprintable() and value == value.strip()
    }
    body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()
    status, message = first_message(http, sent, body)
    assert status < 500, message
    assert message.get("error", {}).get("code") != INTERNAL_ERROR, message
    assert status in (202, 406) or message["jsonrpc"] == "2.0"


@fuzzing
@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_no_message_is_refused(http: httpx.Client, body: bytes) -> None:
    status, message = first_message(http, {}, body)
    assert 200 <= status < 500
    assert "result" not in message
