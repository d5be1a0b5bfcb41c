"""Questions of running jobs, answered by clients, whatever becomes of the server meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.app.asking import COUNT_SCHEMA
from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.client import Client, Record
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate


def asking(client: Client, job_id: str, *keys: str) -> Record:
    """The record of a job once these of its questions are open and it waits for their answers."""
    wanted = set(keys or ("first",))
    return client.wait(
        job_id,
        lambda record: (
            record["phase"] == "input_required" and {question["key"] for question in record["questions"]} == wanted
        ),
    )


def answer(client: Client, job_id: str, value: Any = None, key: str = "first", **params: Any) -> Record:
    return client.data("queue_answer_job", job_id=job_id, key=key, value=value, **params)


def test_a_question_is_asked_answered_and_the_job_completes(server: Server) -> None:
    job_id = server.submit("ask")
    record = asking(server, job_id)
    assert record["status"] == "running"
    assert record["questions"] == [{"key": "first", "prompt": "How many?", "schema": COUNT_SCHEMA}]
    (row,) = server.data("queue_list_jobs", limit=1)["jobs"]
    assert (row["job_id"], row["questions"]) == (job_id, record["questions"])
    answered = answer(server, job_id, {"count": 3})
    assert (answered["job_id"], answered["questions"]) == (job_id, [])
    assert answered["version"] > record["version"]
    assert server.completed(job_id) == {"answer": {"count": 3}, "attempt": 1}
    again = answer(server, job_id, {"count": 4})
    assert (again["status"], again["result"]) == ("completed", {}), "the first answer stands"


def test_two_questions_at_once_take_any_value(server: Server) -> None:
    job_id = server.submit("ask_both")
    asking(server, job_id, "left", "right")
    assert answer(server, job_id, None, "right")["phase"] == "input_required"
    assert answer(server, job_id, [1, "ü", {}], "left")["phase"] in ("working", None)
    assert server.completed(job_id) == {"left": [1, "ü", {}], "right": None}


@pytest.mark.parametrize("action", ["decline", "cancel"])
def test_a_question_that_is_declined_fails_the_job_that_does_not_expect_it(server: Server, action: str) -> None:
    job_id = server.submit("ask")
    asking(server, job_id)
    answer(server, job_id, action=action)
    assert server.ended(job_id)["error_info"]["type"] == "QuestionDeclined"


@pytest.mark.parametrize(
    ("value", "place", "what"),
    [
        ({"count": 0}, "value.count", "minimum"),
        ({"count": "3"}, "value.count", 'not of type "integer"'),
        ({}, "value", '"count" is a required property'),
        ({"count": 1, "more": 1}, "value", "more"),
        (7, "value", 'not of type "object"'),
    ],
)
def test_a_value_that_does_not_fit_the_schema_is_refused_and_the_question_stays(
    server: Server, value: Any, place: str, what: str
) -> None:
    job_id = server.submit("ask")
    record = asking(server, job_id)
    refusal = server.refusal("queue_answer_job", job_id=job_id, key="first", value=value)
    assert refusal["code"] == -32602
    assert place in refusal["message"]
    assert what in refusal["message"]
    assert server.status(job_id)["version"] == record["version"]


def test_what_cannot_be_an_answer_is_refused(server: Server) -> None:
    job_id = server.submit("ask_both")
    asking(server, job_id, "left", "right")

    def refused(**params: Any) -> dict[str, Any]:
        return server.refusal("queue_answer_job", **{"job_id": job_id, "key": "left", **params})

    assert refused()["code"] == -32602, "without a value"
    assert refused(value=1, action="decline")["code"] == -32602
    assert refused(value=1, action="shrug")["code"] == -32602
    large = refused(value="x" * 65_535)
    assert (large["code"], large["data"]["field"], large["data"]["violation"]) == (-32602, "value", "size")
    unknown = refused(key="middle", value=1)
    assert (unknown["code"], unknown["data"]["domain_code"]) == (-32000, "QUESTION_NOT_FOUND")
    assert sorted(unknown["data"]["open_keys"]) == ["left", "right"]
    assert refused(job_id="nobody", value=1)["data"]["domain_code"] == "JOB_NOT_FOUND"
    server.stop(job_id)
    late = refused(value=1)
    assert (late["data"]["domain_code"], late["data"]["open_keys"]) == ("QUESTION_NOT_FOUND", [])


def test_only_its_owner_and_an_administrator_answer_a_job(alice: Client, bob: Client, root: Client) -> None:
    job_id = alice.submit("ask_both")
    asking(alice, job_id, "left", "right")
    for key in ("left", "no such"):
        refusal = bob.refusal("queue_answer_job", job_id=job_id, key=key, value=1)
        assert refusal == bob.refusal("queue_answer_job", job_id="nobody", key=key, value=1) | {
            "data": {**refusal["data"], "value": job_id},
            "message": refusal["message"],
        }
        assert refusal["data"]["domain_code"] == "JOB_NOT_FOUND"
    answer(alice, job_id, 1, "left")
    answer(root, job_id, 2, "right")
    assert alice.completed(job_id) == {"left": 1, "right": 2}


def test_a_stop_ends_a_job_that_waits_for_an_answer(server: Server) -> None:
    job_id = server.submit("ask_both")
    asking(server, job_id, "left", "right")
    stopped = server.stop(job_id, grace_seconds=60)
    assert (stopped["status"], stopped["questions"]) == ("stopped", [])


def test_an_open_question_outlives_the_server(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    server = start(config)
    job_id = server.submit("ask")
    asking(server, job_id)

    server.kill()

    server = start(config)
    assert [question["key"] for question in server.status(job_id)["questions"]] == ["first"]
    assert asking(server, job_id)["attempt"] == 2
    answer(server, job_id, {"count": 1})
    assert server.completed(job_id) == {"answer": {"count": 1}, "attempt": 2}


def test_an_answer_outlives_the_server_and_is_not_asked_for_again(
    start: StartServer, tmp_path: Path, gate: Gate
) -> None:
    config = write_configuration(tmp_path)
    server = start(config)
    job_id = server.submit("ask_then_hold", gate=str(gate), path=str(tmp_path / "answers"))
    asking(server, job_id)
    answer(server, job_id, "kept")
    server.running(job_id)

    server.kill()

    server = start(config)
    assert server.running(job_id)["questions"] == []
    gate.open()
    assert server.completed(job_id) == {"answer": "kept", "attempt": 2}
    assert [line.split()[0] for line in (tmp_path / "answers").read_text().splitlines()] == ["1", "2"]
