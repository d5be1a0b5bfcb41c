"""A call of its own takes a shorter way than one of a batch; what a client sees must not tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.harness.client import json_rpc_call
from tests.acceptance.harness.server import Server

Call = dict[str, Any]


def call(method: str, number: object = 1, **params: Any) -> Call:
    return json_rpc_call(method, params, number)


CALLS = {
    "a job that does not exist": call("queue_get_job_status", job_id="nobody"),
    "a parameter that is missing": call("queue_get_job_status"),
    "a parameter of the wrong type": call("queue_list_jobs", limit="ten"),
    "an unknown parameter of a command that would be queued": call("add_numbers", a=1, b=2, c=3),
    "a command that nobody has": call("nothing_like_it", "text"),
    "a call without an id": {"jsonrpc": "2.0", "method": "queue_get_job_status", "params": {"job_id": "nobody"}},
    "a call without parameters": {"jsonrpc": "2.0", "id": 7, "method": "queue_list_jobs"},
    "the adapter's short form": {"command": "queue_get_job_status", "params": {"job_id": "nobody"}},
    "another version": {"jsonrpc": "1.0", "id": 1, "method": "queue_list_jobs"},
    "a job id beside the parameters": {"jsonrpc": "2.0", "id": 1, "method": "queue_get_job_status", "job_id": "nobody"},
}


def answers(server: Server, called: Call) -> tuple[str, str]:
    """What the call answers alone, and what it answers in a batch."""
    alone = server.post("/api/jsonrpc", json.dumps(called))
    together = server.post("/api/jsonrpc/batch", json.dumps([called]))
    assert (alone.status_code, together.status_code) == (200, 200)
    assert alone.headers["content-type"] == together.headers["content-type"] == "application/json"
    assert together.text[0] + together.text[-1] == "[]"
    return alone.text, together.text[1:-1]


@pytest.mark.parametrize("called", CALLS.values(), ids=CALLS)
def test_a_refusal_is_the_same_to_the_byte(server: Server, called: Call) -> None:
    alone, together = answers(server, called)
    assert alone == together


NUMBERS = [2**70, -(2**63), 1.0, -0.0, 0.1, 1e-4, 1e-5, 1.5e-7, 1e15, 1e16, 1e22, 1e300, 5e-324]
TEXTS = ["text ✓ \u2028 </script>", '\x7f\x01\b\f\t\n"\\/']


@pytest.mark.parametrize("value", [*NUMBERS, *TEXTS, None, True, [], {"": [{}]}])
def test_a_result_is_the_same_to_the_byte(server: Server, job_id: str, value: Any) -> None:
    server.add(job_id, "hooks", value=value)
    assert server.ended(job_id)["result"]["params"] == {"value": value}
    alone, together = answers(server, call("queue_get_job_status", job_id=job_id))
    assert alone == together


def test_what_happens_to_a_call_is_logged_with_the_id_of_its_request(server: Server) -> None:
    body = json.dumps(call("add_numbers", a=1, b=2))
    job_id = server.post("/api/jsonrpc", body, **{"X-Request-ID": "traced"}).json()["result"]["job_id"]
    server.wait_for_log("[traced] Executing command: add_numbers")
    server.wait_for_log(f"[traced] Queued command add_numbers as job {job_id}")


def test_the_answer_carries_the_id_of_its_request(server: Server) -> None:
    body = json.dumps(call("queue_health"))
    answer = server.post("/api/jsonrpc", body, **{"X-Request-ID": "mine"})
    assert answer.headers["X-Request-ID"] == "mine"
    assert answer.json()["result"]["success"] is True
