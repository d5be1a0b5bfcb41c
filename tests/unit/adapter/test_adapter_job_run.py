"""Job classes of the adapter and of queuemgr, run as a worker runs them."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_queue_plugin.adapter.jobs import CommandExecutionJob, JobReturn, JobRun, is_command_execution
from mcp_queue_plugin.context import JobContext, enter_job
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.course import Course
from mcp_queue_plugin.model.job import ErrorInfo, Question
from mcp_queue_plugin.model.operations import Changes, EndingKind
from mcp_queue_plugin.model.questions import GivenAnswer
from tests.unit.adapter.sample_jobs import AdapterJob, ClumsyJob, HookedJob


class Reports:
    """What a job reported, and whether it is to stop."""

    def __init__(self) -> None:
        self.changes: list[Changes] = []
        self.course: Course | None = None
        self.stop_after = 1_000_000

    def report(self, changes: Changes) -> None:
        self.changes.append(changes)

    def follow(self, course: Course) -> None:
        self.course = course

    def stop_requested(self) -> bool:
        self.stop_after -= 1
        return self.stop_after < 0

    def ask(self, question: Question) -> GivenAnswer:
        raise NotImplementedError

    async def ask_async(self, question: Question) -> GivenAnswer:
        raise NotImplementedError


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def context(reports: Reports) -> Any:
    context = JobContext("job-1", 1, reports)
    enter_job(context)
    yield context
    enter_job(None)


def run(context: JobContext, do: str, **params: Any) -> JobReturn:
    return JobRun(AdapterJob("job-1", {"do": do, **params}), context).run()


def test_a_result_and_what_was_reported_on_the_way(context: JobContext, reports: Reports) -> None:
    assert run(context, "result") == JobReturn(EndingKind.COMPLETED, {"rows": 3, "description": "all rows"})
    assert reports.changes == [
        Changes(progress=30),
        Changes(description="thirty"),
        Changes(description="all rows"),
    ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("completed", EndingKind.COMPLETED),
        ("success", EndingKind.COMPLETED),
        ("running", EndingKind.COMPLETED),
        ("failed", EndingKind.FAILED),
        ("error", EndingKind.FAILED),
        ("stopped", EndingKind.STOPPED),
        ("interrupted", EndingKind.STOPPED),
    ],
)
def test_the_status_that_a_job_gives_itself_is_its_end(context: JobContext, status: str, kind: EndingKind) -> None:
    returned = run(context, "result_with_status", status=status)
    assert (returned.kind, returned.result) == (kind, {"rows": 1})


def test_an_error_that_a_job_records_fails_it_with_its_words(context: JobContext, reports: Reports) -> None:
    returned = run(context, "record_error")
    assert returned.kind is EndingKind.FAILED
    assert returned.error == ErrorInfo(type="JobFailed", message="no rows", code=7)
    assert returned.error_kinds == ("JobFailed",)
    assert returned.result == {"status": "error", "message": "no rows", "code": 7, "data": {"file": "x.csv"}}
    assert Changes(description="no rows") in reports.changes


def test_a_job_may_stop_itself_or_answer_nothing(context: JobContext) -> None:
    assert run(context, "stopped").kind is EndingKind.STOPPED
    assert run(context, "nothing") == JobReturn(EndingKind.COMPLETED, None)


def test_a_job_sees_a_stop_and_ends_as_stopped_with_what_it_has(context: JobContext, reports: Reports) -> None:
    reports.stop_after = 3
    returned = run(context, "long")
    assert returned == JobReturn(EndingKind.STOPPED, {"done": "in part"})


def test_a_job_knows_its_state_and_its_context(context: JobContext) -> None:
    assert run(context, "look_around").result == {"job": "job-1", "stop": False, "status": 1}


def test_a_job_may_have_a_loop_of_its_own(context: JobContext) -> None:
    assert run(context, "own_loop").result == {"answer": 42}


def test_hooks_are_called_in_queuemgrs_order(context: JobContext) -> None:
    job = HookedJob("job-1", {"result": [1, 2]})
    assert JobRun(job, context).run() == JobReturn(EndingKind.COMPLETED, [1, 2])
    assert job.calls == ["init", "on_start", "execute", "on_end"]


def test_what_a_job_raises_is_raised_after_its_hook(context: JobContext) -> None:
    job = HookedJob("job-1", {"raise": "disk"})
    with pytest.raises(OSError, match="disk"):
        JobRun(job, context).run()
    assert job.calls == ["init", "on_start", "execute", "on_error disk"]


@pytest.mark.parametrize(
    ("fails_in", "error", "calls"),
    [
        ("on_start", "stumbled in on_start", ["init", "on_start", "on_error stumbled in on_start", "on_error"]),
        ("on_end", "stumbled in on_end", ["init", "on_start", "execute", "on_end", "on_error stumbled in on_end"]),
    ],
)
def test_a_hook_that_raises_fails_the_job(context: JobContext, fails_in: str, error: str, calls: list[str]) -> None:
    job = ClumsyJob("job-1", {"fails_in": [fails_in]})
    with pytest.raises(RuntimeError, match=error):
        JobRun(job, context).run()
    assert job.calls[: len(calls)] == calls


def test_a_hook_for_errors_that_raises_does_not_hide_the_error(
    context: JobContext, capsys: pytest.CaptureFixture[str]
) -> None:
    job = ClumsyJob("job-1", {"fails_in": ["on_error"], "raise": "disk"})
    with pytest.raises(OSError, match="disk"):
        JobRun(job, context).run()
    assert "RuntimeError: stumbled in on_error" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["pending", "running", "completed", "no such status"])
def test_a_status_that_is_no_end_changes_nothing(context: JobContext, status: str) -> None:
    assert run(context, "status", status=status) == JobReturn(EndingKind.COMPLETED, {"rows": 1})


@pytest.mark.parametrize(("status", "kind"), [("failed", EndingKind.FAILED), ("stopped", EndingKind.STOPPED)])
def test_a_status_that_is_an_end_is_the_end(context: JobContext, status: str, kind: EndingKind) -> None:
    returned = run(context, "status", status=status)
    assert (returned.kind, returned.result) == (kind, {"rows": 1})


def test_a_result_set_before_an_error_is_kept(context: JobContext) -> None:
    job = JobRun(AdapterJob("job-1", {"do": "result_then_error"}), context)
    with pytest.raises(ValueError, match="broken rows"):
        job.run()
    assert job.result == {"rows": 1}


def test_without_a_queue_the_methods_of_a_job_do_nothing() -> None:
    job = AdapterJob("job-1", {"do": "result"})
    job.run()
    assert job.get_status()["result"] is None
    assert not job.should_stop()


@pytest.mark.parametrize(
    ("stop_after", "calls"),
    [(0, ["init", "on_start", "on_stop"]), (1, ["init", "on_start", "execute", "on_stop"])],
)
def test_a_stop_before_or_during_the_work_calls_its_hook(
    context: JobContext, reports: Reports, stop_after: int, calls: list[str]
) -> None:
    reports.stop_after = stop_after
    job = HookedJob("job-1", {"result": 1})
    assert JobRun(job, context).run().kind is EndingKind.STOPPED
    assert job.calls == calls


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"status": "error", "message": "from queuemgr"}, "from queuemgr"),
        ({"status": "FAILED"}, "the job set its status to failed"),
        ({"success": False, "error": "why"}, "why"),
        ({"success": False, "message": "because"}, "because"),
    ],
)
def test_a_result_that_says_failure_fails_the_job_as_in_queuemgr(
    context: JobContext, result: dict[str, Any], message: str
) -> None:
    returned = JobRun(HookedJob("job-1", {"result": result}), context).run()
    assert returned == JobReturn(EndingKind.FAILED, result, ErrorInfo(type="JobFailed", message=message))


@pytest.mark.parametrize("result", [{"success": True}, {"status": "fine"}, "error", 0, [], {"success": None}])
def test_any_other_result_completes_the_job(context: JobContext, result: Any) -> None:
    assert JobRun(HookedJob("job-1", {"result": result}), context).run().kind is EndingKind.COMPLETED


async def test_a_command_job_without_a_command_is_refused(context: JobContext) -> None:
    with pytest.raises(InvalidParameters, match="names no command"):
        await CommandExecutionJob("job-1", {}).execute_command(context)


def test_only_the_two_command_jobs_are_ones() -> None:
    assert is_command_execution(CommandExecutionJob)
    assert not is_command_execution(AdapterJob)
