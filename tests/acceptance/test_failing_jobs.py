"""How a job that fails looks to its client."""

from __future__ import annotations

import pytest

from tests.acceptance.harness.server import Server


def test_what_a_command_raises_fails_its_job(server: Server) -> None:
    job_id = server.submit("raise_error")
    record = server.ended(job_id)
    assert (record["status"], record["error"]) == ("failed", "no number can be divided by zero")
    assert record["error_info"]["type"] == "ZeroDivisionError"
    assert record["error_info"]["code"] is None
    assert "failing.py" in record["error_info"]["traceback_tail"]
    assert "ZeroDivisionError: no number can be divided by zero" in server.logs(job_id)["stderr"]
    assert (record["job_success"], record["completed_with_error"]) == (False, False)


def test_an_error_of_the_adapters_keeps_its_code(server: Server) -> None:
    record = server.ended(server.submit("raise_command_error"))
    assert (record["status"], record["error"]) == ("failed", "the printer is on fire")
    assert (record["error_info"]["type"], record["error_info"]["code"]) == ("CommandError", -32050)


def test_an_error_result_completes_the_job_with_an_error(server: Server) -> None:
    record = server.ended(server.submit("return_error"))
    assert (record["status"], record["error"]) == ("completed", None)
    said = {name: record[name] for name in ("completed_with_error", "job_success", "command_success", "inner_success")}
    assert said == {
        "completed_with_error": True,
        "job_success": True,
        "command_success": False,
        "inner_success": False,
    }
    assert record["result"]["result"] == {
        "success": False,
        "error": {"code": -32011, "message": "no paper", "data": {"tray": 2}},
    }
    row = server.data("queue_list_jobs", command="return_error", limit=1)["jobs"][0]
    assert {name: row[name] for name in said} == said


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("set", "result.result.data.rows[1].cell is not JSON: a value of type set"),
        ("nan", "result.result.data.rows[1].cell is not JSON: nan is not a JSON number"),
        ("surrogate", "result.result.data.rows[1].cell is not JSON: a lone surrogate at character 0"),
        ("key", "result.result.data.rows[1].cell is not JSON: a key of type tuple"),
    ],
)
def test_a_result_that_is_not_json_fails_and_says_where(server: Server, kind: str, reason: str) -> None:
    record = server.ended(server.submit("return_odd", kind=kind))
    assert (record["status"], record["error"]) == ("failed", reason)
    assert record["error_info"]["type"] == "NotJson"


def test_a_failed_job_polled_for_in_the_call_answers_its_error(server: Server) -> None:
    answer = server.rpc("raise_open", {"poll_interval": 0.1})["result"]
    assert (answer["success"], answer["status"]) == (False, "failed")
    assert answer["error"] == "it went wrong"
