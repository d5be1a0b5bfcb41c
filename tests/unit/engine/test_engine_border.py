"""Errors cross the border as what they are."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from mcp_queue_plugin import errors
from mcp_queue_plugin.engine.border import ErrorReport, error_of, report_of
from mcp_queue_plugin.errors import JobError, JobStateInvalid, QueueError

CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, QueueError)]


def cross(error: QueueError) -> QueueError:
    return error_of(msgspec.json.decode(msgspec.json.encode(report_of(error)), type=ErrorReport))


def test_there_are_errors_to_test() -> None:
    assert {QueueError, JobError, JobStateInvalid} <= set(CLASSES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_arrives_as_itself(kind: type[QueueError]) -> None:
    facts = {"reason": "żółć", "numbers": [1, 2.5, None], "inner": {"a": True}}
    sent = kind("job-1", "what happened", **facts) if issubclass(kind, JobError) else kind("what happened", **facts)
    arrived = cross(sent)
    assert type(arrived) is kind
    assert (arrived.message, str(arrived), arrived.data) == (sent.message, str(sent), sent.data)
    assert (arrived.code, arrived.details()) == (sent.code, sent.details())
    if isinstance(arrived, JobError):
        assert arrived.job_id == "job-1"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_default_message_is_the_first_line_of_the_docstring(kind: type[QueueError]) -> None:
    arrived = cross(kind("job-1") if issubclass(kind, JobError) else kind())
    assert arrived.message == (kind.__doc__ or "").splitlines()[0]


def test_an_error_of_an_unknown_name_is_still_an_error() -> None:
    arrived = error_of(ErrorReport(name="NoSuchError", message="from the future", data={"a": 1}))
    assert type(arrived) is QueueError
    assert (arrived.message, arrived.data) == ("from the future", {"a": 1})
