"""A server that asks for tokens: each caller's jobs exist for that caller alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.harness.callers import ALICE
from tests.acceptance.harness.client import Client
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until

Ask = Callable[[Client, str], Any]


VERBS: dict[str, Ask] = {
    "status": lambda client, job_id: client.rpc("queue_get_job_status", {"job_id": job_id}),
    "wait": lambda client, job_id: client.rpc("queue_get_job_status", {"job_id": job_id, "wait_seconds": 0.1}),
    "logs": lambda client, job_id: client.rpc("queue_get_job_logs", {"job_id": job_id}),
    "follow": lambda client, job_id: client.rpc("queue_get_job_logs", {"job_id": job_id, "wait_seconds": 0.1}),
    "start": lambda client, job_id: client.rpc("queue_start_job", {"job_id": job_id}),
    "stop": lambda client, job_id: client.rpc("queue_stop_job", {"job_id": job_id}),
    "delete": lambda client, job_id: client.rpc("queue_delete_job", {"job_id": job_id}),
    "answer": lambda client, job_id: client.rpc("queue_answer_job", {"job_id": job_id, "key": "first", "value": 1}),
    "retry": lambda client, job_id: client.rpc("queue_retry_job", {"job_id": job_id}),
    "snapshot": lambda client, job_id: client.rpc("job_status_get", {"job_id": job_id}),
    "snapshot wait": lambda client, job_id: client.rpc("job_status_wait", {"job_id": job_id, "timeout_seconds": 0.1}),
    "say": lambda client, job_id: client.rpc("job_processing_step", {"job_id": job_id, "step": "forged"}),
    "say accepted": lambda client, job_id: client.rpc("job_input_accepted", {"job_id": job_id, "command": "forged"}),
    "register": lambda client, job_id: client.rpc("job_status_register", {"job_id": job_id, "ws_id": "mine"}),
    "unregister": lambda client, job_id: client.rpc("job_status_unregister", {"job_id": job_id}),
    "batch": lambda client, job_id: json.loads(
        client.post(
            "/api/jsonrpc/batch",
            json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "queue_get_job_status", "params": {"job_id": job_id}}]),
        ).content
    ),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", ["created", "running", "completed", "failed"])
def test_to_others_a_job_is_answered_byte_for_byte_as_one_that_there_is_not(
    alice: Client, bob: Client, gate: Gate, verb: str, state: str
) -> None:
    job_id = f"{state}-of-alice-{verb}"
    if state == "created":
        alice.add(job_id, command="add_numbers", params={"a": 1, "b": 2}, start=False)
    elif state == "running":
        alice.add(job_id, command="hold", params={"gate": str(gate)})
        alice.running(job_id)
    elif state == "completed":
        alice.add(job_id, command="add_numbers", params={"a": 1, "b": 2})
        alice.ended(job_id)
    else:
        alice.add(job_id, command="raise_error", params={})
        alice.ended(job_id)
    before = alice.status(job_id)
    asked = VERBS[verb](bob, job_id)
    unknown = f"{state}-of-nobody-{verb}"
    assert json.dumps(asked).replace(job_id, unknown) == json.dumps(VERBS[verb](bob, unknown))
    assert alice.status(job_id) == before
    alice.delete(job_id, grace_seconds=0)


def test_lists_hold_the_callers_jobs_alone_and_an_administrator_sees_all(
    alice: Client, bob: Client, root: Client
) -> None:
    mine = {alice.submit("add_numbers", a=1, b=number) for number in range(3)}
    theirs = {bob.submit("add_numbers", a=2, b=number) for number in range(2)}
    for client, job_ids in ((alice, mine), (bob, theirs)):
        for job_id in job_ids:
            client.ended(job_id)
    assert mine <= alice.job_ids()
    assert theirs <= bob.job_ids()
    assert not alice.job_ids() & bob.job_ids()
    assert alice.job_ids() | bob.job_ids() <= root.job_ids()
    assert alice.data("queue_list_jobs")["total_count"] == len(alice.job_ids())
    owners = {row["owner"] for row in root.data("queue_list_jobs", limit=1000)["jobs"]}
    assert len(owners) == 2
    assert root.status(mine.pop())["status"] == "completed"


def test_a_taken_id_is_refused_whoever_has_it_and_keys_are_everybodys_own(alice: Client, bob: Client) -> None:
    command: dict[str, Any] = {"command": "add_numbers", "params": {"a": 1, "b": 1}}
    alice.add("taken", **command, start=False)
    refusal = bob.refusal("queue_add_job", job_type="command_execution", job_id="taken", params=command)
    assert refusal["data"]["domain_code"] == "JOB_ALREADY_EXISTS"
    assert "owner" not in json.dumps(refusal)
    for client, job_id in ((alice, "keyed by alice"), (bob, "keyed by bob")):
        asked = {"job_type": "command_execution", "job_id": job_id, "params": command, "idempotency_key": "same"}
        assert client.data("queue_add_job", **asked)["job_id"] == job_id
    alice.delete("taken")


def test_queues_are_paused_by_administrators_alone_and_the_jobs_of_workers_are_not_told(
    alice: Client, root: Client, gate: Gate
) -> None:
    assert alice.refusal("queue_pause", queue="default")["data"]["domain_code"] == "ADMINS_ONLY"
    root.data("queue_pause", queue="default")
    root.data("queue_resume", queue="default")
    job_id = alice.submit("hold", gate=str(gate))
    alice.running(job_id)
    health = alice.health()
    assert health["access"] == "owner_only"
    assert {worker["job_id"] for worker in health["workers"]["processes"]} == {None}
    assert job_id in {worker["job_id"] for worker in root.health()["workers"]["processes"]}
    alice.delete(job_id, grace_seconds=0)


STAMP = {"method": "stamp", "params": {}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/jsonrpc/batch", [{"jsonrpc": "2.0", "id": 1, **STAMP}]),
        ("/api/jsonrpc", {"command": "stamp", "params": {}, "id": 1}),
        ("/api/jsonrpc", {"jsonrpc": "2.0", "id": 1, "method": "execute_async", "params": {"command": "stamp"}}),
        ("/api/async", {"command": "stamp", "params": {}}),
        ("/tools/tst_execute_command", {"command": "stamp", "params": {}}),
        (
            "/api/jsonrpc",
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "queue_add_job",
                "params": {"job_type": "command_execution", "job_id": "stamped", "params": {"command": "stamp"}},
            },
        ),
    ],
    ids=["batch", "short form", "execute_async", "async", "tool", "queue_add_job"],
)
def test_command_permissions_hold_on_every_way_to_a_command(bob: Client, path: str, body: Any) -> None:
    answer = bob.post(path, json.dumps(body))
    assert answer.status_code < 500
    assert "COMMAND_FORBIDDEN" in answer.text


def test_what_is_refused_in_a_batch_is_refused_alone(bob: Client) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "queue_health", "params": {}},
        {"jsonrpc": "2.0", "id": 2, **STAMP},
        {"jsonrpc": "2.0", "id": 3, "method": "execute_async", "params": {"command": "stamp"}},
        {"jsonrpc": "2.0", "id": 4, "method": "execute_async", "params": {"command": "no such command"}},
    ]
    answers = bob.post("/api/jsonrpc/batch", json.dumps(batch)).json()
    assert [answer["id"] for answer in answers] == [1, 2, 3, 4]
    assert answers[0]["result"]["success"]
    assert [answer["error"]["code"] for answer in answers[1:]] == [-32000, -32000, -32601]


def test_who_has_no_token_is_refused_before_anything_is_read(guarded: Server, bob: Client) -> None:
    for body in (b"{}", b"[" * 1_000, b"no json"):
        assert guarded.post("/api/jsonrpc", body).status_code == 401
    # The adapter itself reads the whole of a request that has a token, to find its method.
    assert guarded.post("/api/jsonrpc", b"x" * 5_000_000).status_code == 413
    assert bob.post("/api/jsonrpc", b"x" * 5_000_000).status_code == 413
    assert bob.post("/api/jsonrpc", b"[" * 1_000_000).status_code == 400


@pytest.mark.parametrize("command", ["config", "settings", "load", "reload", "roles_management"])
def test_the_adapters_commands_on_the_server_itself_are_for_administrators(
    bob: Client, root: Client, command: str
) -> None:
    assert bob.refusal(command)["data"]["domain_code"] == "ADMINS_ONLY"
    answer = json.dumps(root.rpc("config", {"operation": "get", "path": "server.port"}))
    assert "ADMINS_ONLY" not in answer


def test_what_is_no_command_is_checked_too(bob: Client) -> None:
    for call in (
        {"jsonrpc": "2.0", "id": 1, "method": "transfer_ack", "params": {}},
        {"command": "transfer_ack", "params": {}},
    ):
        (answer,) = bob.post("/api/jsonrpc/batch", json.dumps([call])).json()
        assert answer["error"]["data"]["domain_code"] == "COMMAND_FORBIDDEN"
        assert answer["id"] == 1


async def test_a_caller_has_so_many_waits_and_others_theirs(alice: Client, bob: Client, gate: Gate) -> None:
    job_id = await asyncio.to_thread(alice.submit, "hold", gate=str(gate))
    own = await asyncio.to_thread(bob.submit, "hold", gate=str(gate))
    clients = [Client(alice.url, ALICE) for _ in range(2)]
    try:
        version = (await asyncio.to_thread(alice.running, job_id))["version"]
        waiting = [
            asyncio.create_task(asyncio.to_thread(client.status, job_id, wait_seconds=15, known_version=version))
            for client in clients
        ]
        await asyncio.to_thread(until, lambda: alice.health()["waiting_calls"] == 2, "both wait")
        refused = await asyncio.to_thread(alice.refusal, "queue_get_job_status", job_id=job_id, wait_seconds=15)
        assert refused["data"]["domain_code"] == "TOO_MANY_WAITS"
        assert (await asyncio.to_thread(bob.status, own, wait_seconds=0.1))["job_id"] == own
        gate.open()
        assert {record["version"] > version for record in await asyncio.gather(*waiting)} == {True}
    finally:
        for client in clients:
            client.close()
    await asyncio.to_thread(alice.ended, job_id)
    await asyncio.to_thread(bob.ended, own)
