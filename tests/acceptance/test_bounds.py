"""What a client may send has bounds, what has no one meaning is refused, and secrets are not shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest

from tests.acceptance.harness.client import Client, json_rpc_call
from tests.acceptance.harness.configuration import APP, MODULES, write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.socket import connected

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602
PARAMS_BYTES, RESULT_BYTES, BODY_BYTES, DEPTH = 4096, 2048, 65_536, 16
SECRET = "hunter2-in-the-environment"


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = write_configuration(
        tmp_path_factory.mktemp("bounded"),
        queue_plugin={
            "limits": {"params_bytes": PARAMS_BYTES, "result_bytes": RESULT_BYTES},
            "security": {"max_body_bytes": BODY_BYTES, "max_depth": DEPTH, "env_deny": ["SECRET_*"]},
        },
        modules=(*MODULES, f"{APP}.guarded"),
    )
    environment = {"SECRET_KEY": SECRET, "API_KEY_OF_A_JOB": "needed", "MCP_QUEUE__LIMITS__LOG_BYTES": "65536"}
    with Server(config, environment=environment).serving() as server:
        yield server


def call(method: str, **params: Any) -> dict[str, Any]:
    return json_rpc_call(method, params)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b'{"jsonrpc":"2.0",', PARSE_ERROR, "not JSON"),
        (b"\xff\xfe", PARSE_ERROR, "UTF-8"),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"help"}', PARSE_ERROR, "NaN"),
        (b'{"jsonrpc":"2.0","id":1,"method":"help","params":{"a":1e999}}', PARSE_ERROR, "1e999"),
        (b'{"jsonrpc":"2.0","id":1,"method":"help","params":{"a":' + b"9" * 5000 + b"}}", PARSE_ERROR, "too long"),
        (b'{"jsonrpc":"2.0","id":1,"method":"help","method":"echo"}', PARSE_ERROR, "'method' stands twice"),
        (b'{"jsonrpc":"2.0","id":1,"method":"help","params":{"a":"\\ud800"}}', PARSE_ERROR, "surrogate"),
        (b'{"jsonrpc":"2.0","id":1,"method":"help","params":[1]}', INVALID_REQUEST, "params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"help","params":"x"}', INVALID_REQUEST, "params"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"help"}', INVALID_REQUEST, "id"),
        (b'{"jsonrpc":"2.0","id":1,"method":{}}', INVALID_REQUEST, "method"),
        (b'{"command":["help"]}', INVALID_REQUEST, "method"),
        (b"[]", INVALID_REQUEST, "object"),
        (b"1", INVALID_REQUEST, "object"),
        (b"[" * 50_000, INVALID_REQUEST, f"deeper than {DEPTH}"),
        (json.dumps(call("help", a=nested(DEPTH))).encode(), INVALID_REQUEST, f"deeper than {DEPTH}"),
    ],
)
def test_a_request_that_has_no_one_meaning_is_refused_with_the_reason(
    bounded: Server, body: bytes, code: int, says: str
) -> None:
    answer = bounded.post("/api/jsonrpc", body)
    assert answer.status_code == 400
    reply = answer.json()
    assert (reply["jsonrpc"], reply["id"], reply["error"]["code"]) == ("2.0", None, code)
    assert says in reply["error"]["message"]


def test_an_item_that_is_no_request_refuses_its_batch_and_is_named(bounded: Server) -> None:
    batch = [call("queue_health"), {"jsonrpc": "2.0", "id": 2, "method": "queue_health", "params": [1]}]
    answer = bounded.post("/api/jsonrpc/batch", json.dumps(batch))
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "the params of request 1 of the batch must be an object"
    assert [reply["id"] for reply in bounded.post("/api/jsonrpc/batch", json.dumps(batch[:1])).json()] == [1]


@pytest.mark.parametrize("path", ["/api/async", "/tools/x"])
def test_routes_that_speak_no_jsonrpc_refuse_in_their_own_words(bounded: Server, path: str) -> None:
    answer = bounded.post(path, b'{"a": NaN}')
    assert answer.status_code == 400
    assert answer.json()["code"] == PARSE_ERROR


@pytest.mark.parametrize(
    "payload", [{}, {"command": "help", "x": 1}, {"command": "help", "params": [1]}, {"command": "help", "params": "x"}]
)
def test_what_a_tool_does_not_take_is_refused(bounded: Server, payload: dict[str, Any]) -> None:
    answer = bounded.post("/tools/tst_execute_command", json.dumps(payload))
    assert answer.status_code == 400
    assert "tst_execute_command" in answer.json()["error"]["message"]


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "10", "Transfer-Encoding": "chunked"}], ids=["", "lying"])
def test_a_request_that_is_too_large_is_refused_while_it_comes(bounded: Server, headers: dict[str, str]) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"jsonrpc":"2.0","id":1,"method":"queue_health","params":{"a":"'
        for _ in range(10):
            yield b"x" * BODY_BYTES
        yield b'"}}'

    answer = httpx.post(f"{bounded.url}/api/jsonrpc", content=parts(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["data"] == {"max_body_bytes": BODY_BYTES}


def test_parameters_have_a_size(bounded: Server) -> None:
    before = bounded.job_ids()
    fits = bounded.submit("guarded_echo", value="x" * (PARAMS_BYTES // 2 - 200))
    assert len(bounded.completed(fits)["value"]) == PARAMS_BYTES // 2 - 200
    large = bounded.refusal("guarded_echo", value="x" * PARAMS_BYTES)
    assert (large["code"], large["data"]["maximum"]) == (INVALID_PARAMS, PARAMS_BYTES)
    assert bounded.job_ids() - before == {fits}


def test_a_result_that_is_too_large_fails_its_job(bounded: Server) -> None:
    job_id = bounded.submit("guarded_echo", value="x" * RESULT_BYTES)
    record = bounded.ended(job_id)
    assert (record["status"], record["error_info"]["type"]) == ("failed", "ResultTooLarge")
    assert str(RESULT_BYTES) in record["error"]


async def test_a_message_over_the_websocket_that_cannot_be_read_is_answered_and_the_connection_goes_on(
    bounded: Server,
) -> None:
    async with connected(bounded.url) as socket:
        for message, code in (
            ("[" * 50_000, INVALID_REQUEST),
            ('{"action": NaN}', PARSE_ERROR),
            ("x" * (BODY_BYTES + 1), INVALID_REQUEST),
            ("7", INVALID_REQUEST),
        ):
            await socket.send_text(message)
            assert (await socket.next())["code"] == code
        job_id = await socket.run("add_numbers", a=1, b=1)
        assert (await socket.until_end(job_id))[-1]["event"] == "command_completed"


def test_jobs_inherit_what_they_need_and_not_what_is_withheld(bounded: Server) -> None:
    names = set(bounded.completed(bounded.submit("guarded_environment"))["names"])
    assert "API_KEY_OF_A_JOB" in names
    assert not {"SECRET_KEY", "MCP_QUEUE__LIMITS__LOG_BYTES"} & names


def test_no_process_shows_a_secret_in_its_arguments_and_no_worker_in_its_environment(bounded: Server) -> None:
    bounded.completed(bounded.submit("add_numbers", a=1, b=1))
    below = psutil.Process(bounded.pid).children(recursive=True)
    assert below
    for process in below:
        assert SECRET not in " ".join(process.cmdline())
        assert SECRET not in process.environ().values()


def test_a_secret_that_is_refused_is_not_repeated_by_the_queue(bounded: Server) -> None:
    wrong = {"password": "hunter2"}
    # The adapter's own refusal of a call quotes it, to the one who has sent it.
    assert "hunter2" in json.dumps(bounded.refusal("guarded_login", **wrong))
    params = {"command": "guarded_login", "params": wrong}
    refusal = bounded.refusal("queue_add_job", job_type="command_execution", job_id="login", params=params)
    assert refusal["code"] == INVALID_PARAMS
    assert refusal["message"] == "password is not valid (value); its value is not shown"
    assert "hunter2" not in json.dumps(refusal)


async def test_an_error_of_whatever_length_is_kept_cut_and_harms_nobody(bounded: Server) -> None:
    engine = bounded.engine_pid
    async with connected(bounded.url) as socket:
        for length in (40_000, 60_000):
            job_id = await socket.run("queue_list_jobs", status_filter="x" * length)
            assert (await socket.until_end(job_id))[-1]["event"] == "command_failed"
            record = await asyncio.to_thread(bounded.status, job_id)
            assert record["status"] == "failed"
            assert len(record["error"]) <= 2048
    assert bounded.engine_pid == engine


@pytest.mark.parametrize("key", ["context", "cls"])
async def test_what_the_server_passes_to_a_command_is_refused_by_name(bounded: Server, key: str) -> None:
    refusal = await asyncio.to_thread(lambda: bounded.refusal("queue_health", **{key: {}}))
    assert (refusal["code"], refusal["data"]["field"]) == (INVALID_PARAMS, key)
    async with connected(bounded.url) as socket:
        await socket.send(action="execute_command", command="queue_health", params={key: {}})
        assert (await socket.next())["error"]["data"]["field"] == key


@pytest.mark.parametrize("seconds", ["nan", "inf", -1, 1e308, "soon"])
def test_the_adapters_own_wait_has_an_end(bounded: Server, seconds: Any) -> None:
    refusal = bounded.refusal("job_status_wait", job_id="x", timeout_seconds=seconds)
    assert refusal["data"]["field"] == "timeout_seconds"


def test_one_owner_is_told_in_health(bounded: Client) -> None:
    assert bounded.health()["access"] == "one_owner"
