"""What callers are told of refusals that no engine test meets."""

from __future__ import annotations

from mcp_queue_plugin.engine.answers import answer_of
from mcp_queue_plugin.errors import JobStateInvalid
from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.job import IN_PROCESS_COMMAND, Submission
from mcp_queue_plugin.model.operations import Adopt, Refusal, Refused, Retry


def test_a_command_that_ran_in_the_server_is_not_retried_but_called_again() -> None:
    submission = Submission(job_id="a", job_type=IN_PROCESS_COMMAND, target=IN_PROCESS_COMMAND, command="echo")
    job = decide.add(Adopt(submission=submission, params=b"{}", description=""), uid=1, at=decide.Moment(1.0, 1.0, 1))
    told = answer_of(Refused(Refusal.STATE_INVALID, job), Retry(job_id="a"), "a")
    assert isinstance(told, JobStateInvalid)
    assert "call it again" in told.message
    assert (told.data["action"], told.data["allowed_statuses"]) == ("retry", [])
