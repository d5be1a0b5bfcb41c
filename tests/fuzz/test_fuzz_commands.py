"""The queue's commands answer whatever they are sent: with data, or with a typed error, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin import errors
from mcp_queue_plugin.commands.catalog import QUEUE_COMMANDS
from mcp_queue_plugin.errors import JSONRPC_INVALID_PARAMS, JSONRPC_INVALID_REQUEST, JSONRPC_PARSE_ERROR, QueueError
from tests.acceptance.harness.client import Client
from tests.acceptance.harness.socket import connected
from tests.fuzz.cases import fuzzing, numbers, texts, values
from tests.fuzz.servers import sound_server

METHOD_NOT_FOUND = -32601
OURS = {kind.domain_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, QueueError)}
WAITS: tuple[Any, ...] = (0, 0.01, -1, 56, 1e308, "1", True, [])
"""Of the waits that are allowed only short ones: each case would take as long."""

USUAL: dict[str, st.SearchStrategy[Any]] = {
    "job_id": st.sampled_from(["a", "b", "c"]),
    "job_type": st.sampled_from(["command_execution", "double", "os.system"]),
    "command": st.sampled_from(["add_numbers", "raise_error", "ask", "queue_health", "os.system"]),
    "params": st.fixed_dictionaries(
        {"command": st.just("add_numbers"), "params": st.fixed_dictionaries({"a": numbers, "b": numbers})}
    ),
    "queue": st.just("default"),
    "status_filter": st.sampled_from(["completed", "deleted"]),
    "order": st.sampled_from(["newest", "oldest"]),
    "stream": st.sampled_from(["stdout", "stderr"]),
    "run_at": st.sampled_from(["2030-01-01T00:00:00Z", "soon"]),
    "key": st.sampled_from(["first", "second"]),
    "value": st.sampled_from([1, "yes", {"a": [None]}]),
    "action": st.sampled_from(["accept", "decline", "cancel"]),
    "start": st.booleans(),
    "tail": st.booleans(),
    "limit": st.integers(1, 5),
}


def values_of(name: str) -> st.SearchStrategy[Any]:
    if name == "wait_seconds":
        return st.sampled_from(WAITS)
    return USUAL.get(name, texts | numbers) | USUAL.get(name, numbers) | values


def params_of(command: str) -> st.SearchStrategy[dict[str, Any]]:
    kind = QUEUE_COMMANDS[command]
    known = {name: values_of(name) for name in kind.properties}
    required = {name: known.pop(name) for name in kind.required}
    whole = st.fixed_dictionaries(required, optional=known)
    return whole | whole | st.fixed_dictionaries({}, optional={**required, **known}) | st.dictionaries(texts, values)


calls = st.sampled_from(sorted(QUEUE_COMMANDS)).flatmap(lambda name: st.tuples(st.just(name), params_of(name)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with sound_server(tmp_path_factory.mktemp("commands")) as server:
        yield server


Talk = Callable[[str], None]


@pytest.fixture(scope="module")
def talk(server: Client) -> Iterator[Talk]:
    """Sends a message over one connection that is kept, and reads what has come; in the end it still serves."""
    with asyncio.Runner() as runner, ExitStack() as opened:
        context = connected(server.url, server.headers)
        socket = runner.run(context.__aenter__())
        opened.callback(lambda: runner.run(context.__aexit__(None, None, None)))

        async def exchange(message: str) -> None:
            await socket.send_text(message)
            await socket.passed()

        yield lambda message: runner.run(exchange(message))
        job_id = runner.run(socket.run_among_others("add_numbers", a=1, b=1))
        assert server.ended(job_id)["status"] == "completed"


@fuzzing
@given(call=calls)
def test_every_call_is_answered_with_data_or_a_typed_error(server: Client, call: tuple[str, dict[str, Any]]) -> None:
    method, params = call
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    answer = server.post("/api/jsonrpc", body)
    assert answer.status_code in (200, 400), answer.text
    reply = answer.json()
    if "error" in reply:
        # The first is the adapter's, and ours of an option that cannot be stored.
        assert reply["error"]["code"] in (JSONRPC_INVALID_PARAMS, JSONRPC_INVALID_REQUEST, JSONRPC_PARSE_ERROR)
        return
    result = reply["result"]
    assert result["success"] or result["error"]["data"]["domain_code"] in OURS, result
    if "job_id" in params and result["success"] and method == "queue_get_job_status":
        assert result["data"]["job_id"] == params["job_id"]


ADAPTERS_OWN = (
    "job_status_register",
    "job_status_unregister",
    "job_status_get",
    "job_input_accepted",
    "job_processing_step",
    "artifact_ready",
    "transfer_ack",
)
"""What is asked and said of jobs without a command. Its wait is left out: it may last as long as it likes."""

messages = st.fixed_dictionaries(
    {},
    optional={
        "job_id": st.sampled_from(["a", "b"]) | values,
        "ws_id": texts,
        "step": values,
        "command": st.sampled_from(["help", "stamp"]) | values,
        "params": values,
        "context": values,
        "transfer_id": texts,
    },
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | values,
        "id": values,
        "method": st.sampled_from(["queue_health", "queue_list_jobs", "execute_async", "help", "stamp", *ADAPTERS_OWN])
        | values,
        "command": values,
        "params": values | messages,
        "job_id": values,
    },
)
bodies = (
    requests.map(lambda request: json.dumps(request).encode())
    | st.lists(requests, max_size=3).map(lambda batch: json.dumps(batch).encode())
    | st.binary(max_size=50)
    | st.builds(
        lambda request, place, byte: json.dumps(request).encode()[:place] + byte + json.dumps(request).encode()[place:],
        requests,
        st.integers(0, 60),
        st.binary(max_size=3),
    )
    | st.integers(1, 5000).map(lambda depth: b'{"jsonrpc":"2.0","method":"help","params":' + b'{"a":' * depth)
)


ACTIONS = ("execute_command", "cancel_command", "subscribe", "unsubscribe", "resume_command_events")
sessions = st.fixed_dictionaries(
    {"action": st.sampled_from(ACTIONS)},
    optional={
        "command": st.sampled_from(["add_numbers", "queue_health", "stamp"]) | values,
        "params": values | messages,
        "job_id": st.sampled_from(["a", "b"]) | values,
        "subscription_type": st.sampled_from(["queue_job", "command_session", "ws_delivery"]) | values,
        "ws_id": values,
        "request_id": values,
        "reason": values,
        "caller_loss": st.just("detach") | values,
    },
)


@fuzzing
@given(message=sessions.map(json.dumps) | values.map(json.dumps) | texts.filter(lambda text: text.isprintable()))
def test_no_message_over_the_websocket_ends_its_connection(talk: Talk, message: str) -> None:
    talk(message)


@fuzzing
@given(body=bodies, path=st.sampled_from(["/api/jsonrpc", "/api/jsonrpc/batch", "/api/async", "/tools/x"]))
def test_no_body_is_answered_with_a_failure_of_the_server(server: Client, body: bytes, path: str) -> None:
    answer = server.post(path, body)
    assert answer.status_code < 500, (path, body, answer.text)
    reply = answer.json()
    # What a role may not run the adapter refuses with an answer of its own.
    if path == "/api/jsonrpc" and answer.status_code != 403:
        assert reply["jsonrpc"] == "2.0", reply
        assert reply.get("error", {}).get("code") != errors.JSONRPC_INTERNAL_ERROR, reply
