"""Functions as jobs: enqueued by the application, or by clients where it lets them."""

from __future__ import annotations

from tests.acceptance.harness.server import Server


def test_the_application_enqueues_a_function(server: Server) -> None:
    job_id = server.data("enqueue_task", task="count_words", text="to be or not to be", at_least=3)["job_id"]
    record = server.ended(job_id)
    assert (record["status"], record["progress"], record["result"]) == ("completed", 100, {"not": 1})
    assert (record["job_type"], record["command"], record["description"]) == ("count_words", None, "counted")
    assert server.logs(job_id)["stdout"] == ["counting"]


def test_a_call_has_options_and_an_id_of_its_own(server: Server) -> None:
    job_id = server.data("enqueue_task", task="greet", name="you")["job_id"]
    record = server.ended(job_id)
    assert (job_id, record["job_type"], record["priority"]) == ("greeting-1", "greeting", 9)
    assert record["result"] == "Hello you, this is attempt 1."


def test_arguments_that_do_not_fit_are_refused_and_nothing_is_stored(server: Server) -> None:
    before = server.job_ids()
    error = server.refusal("enqueue_task", task="count_words", words="no such argument")
    assert "missing a required argument: 'text'" in str(error)
    assert server.job_ids() == before


def test_a_client_adds_a_registered_task_by_its_arguments(server: Server, job_id: str) -> None:
    record = server.add(job_id, "count_words", text="to be or not to be")
    assert record["job_type"] == "count_words"
    assert server.ended(job_id)["result"] == {"to": 2, "be": 2, "or": 1, "not": 1}


def test_a_clients_arguments_are_checked_before_they_are_stored(server: Server, job_id: str) -> None:
    params = {"job_type": "count_words", "job_id": job_id, "params": {"text": "x", "loud": True}}
    error = server.refusal("queue_add_job", **params)
    assert (error["code"], error["data"]["field"]) == (-32602, "loud")
    assert job_id not in server.job_ids()


def test_a_task_that_is_not_registered_is_no_job_type(server: Server, job_id: str) -> None:
    error = server.refusal("queue_add_job", job_type="greeting", job_id=job_id, params={"name": "you"})
    assert error["code"] == -32602
