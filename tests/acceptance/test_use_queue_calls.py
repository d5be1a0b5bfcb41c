"""What a client sees that calls a ``use_queue`` command and follows its job to the result."""

from __future__ import annotations

from datetime import datetime

from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate


def test_a_call_answers_at_once_with_a_job_to_poll(server: Server, gate: Gate) -> None:
    answer = server.call("hold", gate=str(gate))
    gate.open()
    assert answer == {
        "success": True,
        "job_id": answer["job_id"],
        "status": "pending",
        "message": "Command 'hold' has been queued for execution; track via queue_get_job_status",
        "store": "queuemgr",
        "poll_with": "queue_get_job_status",
        "phase": "queued",
        "queue_position": 1,
        "estimated_wait_seconds": 0.0,
        "poll_after_seconds": 0.5,
    }
    assert server.completed(answer["job_id"]) == {"attempt": 1}


def test_the_result_is_wrapped_as_the_adapters_clients_read_it(server: Server) -> None:
    job_id = server.submit("add_numbers", a=2, b=3)
    record = server.ended(job_id)
    assert record["result"] == {
        "job_id": job_id,
        "command": "add_numbers",
        "result": {"success": True, "data": {"sum": 5}},
        "status": "completed",
    }
    said = {name: record[name] for name in ("status", "phase", "error", "job_success", "command_success", "attempt")}
    assert said == {
        "status": "completed",
        "phase": None,
        "error": None,
        "job_success": True,
        "command_success": True,
        "attempt": 1,
    }


def test_times_are_there_as_soon_as_their_status_is(server: Server, gate: Gate) -> None:
    job_id = server.submit("hold", gate=str(gate))
    working = server.running(job_id)
    assert working["started_at"]
    assert working["completed_at"] is None
    gate.open()
    record = server.ended(job_id)
    created, started, completed = (
        datetime.fromisoformat(record[name]) for name in ("created_at", "started_at", "completed_at")
    )
    assert created <= started <= completed
    assert record["completed_at"].endswith("Z")


def test_progress_and_log_can_be_followed_while_the_job_runs(server: Server, gate: Gate) -> None:
    job_id = server.submit("narrate", gate=str(gate))
    record = server.running(job_id, "half way")
    assert (record["status"], record["phase"], record["progress"]) == ("running", "working", 50)
    first = server.logs(job_id)
    assert (first["stdout"], first["stderr"]) == (["first half"], ["a warning"])
    gate.open()
    assert server.completed(job_id) == {"told": True}
    assert server.status(job_id)["progress"] == 100
    assert server.logs(job_id, cursor=first["next_cursor"])["stdout"] == ["second half"]


def test_a_log_is_read_in_pages_by_stream_or_by_its_tail(server: Server) -> None:
    job_id = server.submit("print_lines", count=25)
    server.completed(job_id)
    lines: list[str] = []
    cursor = "0"
    while page := server.logs(job_id, cursor=cursor, limit=10)["stdout"]:
        lines += page
        cursor = server.logs(job_id, cursor=cursor, limit=10)["next_cursor"]
    assert lines == [f"line {number}" for number in range(25)]
    tail = server.logs(job_id, tail=True, limit=2)
    assert tail["stdout"] == ["line 23", "line 24"]
    assert tail["stdout_lines"] == 25
    assert server.logs(job_id, stream="stderr")["entries"] == []
    assert tail["entries"][-1]["written_at"].endswith("Z")


def test_a_wait_answers_at_the_next_change(server: Server, gate: Gate) -> None:
    job_id = server.submit("narrate", gate=str(gate))
    record = server.running(job_id, "half way")
    gate.open()
    changed = server.status(job_id, wait_seconds=10, known_version=record["version"])
    assert changed["version"] > record["version"]
    assert not changed["timed_out"]
    server.completed(job_id)


def test_a_wait_for_a_version_that_has_passed_answers_at_once(server: Server, gate: Gate) -> None:
    job_id = server.submit("hold", gate=str(gate))
    version = server.running(job_id)["version"]
    late = server.status(job_id, wait_seconds=10, known_version=version - 1)
    assert (late["version"], late["timed_out"]) == (version, False)
    gate.open()
    server.completed(job_id)


def test_a_wait_for_the_end_lasts_past_every_other_change(server: Server, gate: Gate) -> None:
    job_id = server.submit("narrate", gate=str(gate))
    server.running(job_id, "half way")
    waited = server.status(job_id, wait_seconds=0.2, wait_for="end", known_version=0)
    assert (waited["status"], waited["timed_out"]) == ("running", True)
    gate.open()
    ended = server.status(job_id, wait_seconds=15, wait_for="end")
    assert (ended["status"], ended["timed_out"]) == ("completed", False)


def test_a_wait_without_a_change_says_that_it_timed_out(server: Server, job_id: str) -> None:
    version = server.add(job_id, command="add_numbers", params={"a": 1, "b": 1}, start=False)["version"]
    record = server.status(job_id, wait_seconds=0.2, known_version=version)
    assert (record["timed_out"], record["status"], record["phase"]) == (True, "pending", "created")
    server.delete(job_id)


def test_a_wait_for_a_job_that_has_ended_answers_at_once(server: Server) -> None:
    job_id = server.submit("add_numbers", a=2, b=3)
    version = server.ended(job_id)["version"]
    again = server.status(job_id, wait_seconds=15, known_version=version)
    assert (again["status"], again["timed_out"]) == ("completed", False)
    assert again["result"]["result"]["data"] == {"sum": 5}


def test_a_wait_beyond_the_cap_for_synchronous_commands_says_how_long_it_was(server: Server) -> None:
    job_id = server.submit("add_numbers", a=2, b=3)
    server.ended(job_id)
    assert server.status(job_id, wait_seconds=55)["wait_capped_seconds"] == 19
    assert "wait_capped_seconds" not in server.status(job_id, wait_seconds=19)


def test_a_poll_interval_in_the_call_makes_the_server_wait_for_the_result(server: Server, gate: Gate) -> None:
    gate.open()
    answer = server.call("hold", gate=str(gate), poll_interval=0.1, max_wait_time=15)
    assert answer["status"] == "completed"
    assert answer["result"]["result"] == {"success": True, "data": {"attempt": 1}}
    assert answer["message"] == "Command 'hold' completed successfully"


def test_a_wait_that_takes_too_long_ends_without_the_job(server: Server, gate: Gate) -> None:
    error = server.refusal("hold", gate=str(gate), poll_interval=0.1, max_wait_time=0.2)
    assert "Polling timeout after 0.2 seconds" in error["message"]
    job_id = error["data"]["job_id"]
    gate.open()
    assert server.completed(job_id) == {"attempt": 1}


def test_the_list_shows_jobs_in_pages_without_their_results(server: Server) -> None:
    jobs = [server.submit("add_numbers", a=number, b=0) for number in range(5)]
    for job in jobs:
        server.completed(job)
    listed = server.data("queue_list_jobs", command="add_numbers", status_filter="completed", limit=2)
    assert [row["job_id"] for row in listed["jobs"]] == jobs[:-3:-1]
    assert listed["total_count"] >= 5
    assert "result" not in listed["jobs"][0]
    following = server.data("queue_list_jobs", command="add_numbers", limit=2, cursor=listed["next_cursor"])
    assert [row["job_id"] for row in following["jobs"]] == jobs[-3:-5:-1]
    oldest = server.data("queue_list_jobs", order="oldest", limit=1)["jobs"][0]
    assert oldest["created_at"] <= listed["jobs"][0]["created_at"]


def test_code_in_a_thread_speaks_for_the_job(server: Server) -> None:
    job_id = server.submit("speak_in_thread")
    assert server.completed(job_id) == {"job_id": job_id}
    assert server.status(job_id)["description"] == "from a thread"


def test_a_command_that_overrides_run_is_run_through_it(server: Server) -> None:
    assert server.completed(server.submit("own_run")) == {"ran": "own", "has_tracker": True}
