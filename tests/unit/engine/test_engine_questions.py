"""Questions of running jobs: asked by real workers, answered through the engine."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import JobNotFound, QuestionNotFound, StoreUnavailable
from mcp_queue_plugin.model.job import Job, Question
from mcp_queue_plugin.model.operations import AnswerQuestion
from mcp_queue_plugin.model.questions import AnswerAction, GivenAnswer
from mcp_queue_plugin.model.states import State
from tests.unit.engine.harness import DISK_FULL, WAIT_SECONDS, FragileStore, Host, answered, hosting, submission

ASKED = 60.0
KEYS = ["one", "two", "three"]


def submit(host: Host, task: str, value: Any = "first", **options: Any) -> Awaitable[Answer]:
    """Submit the job ``a``, which runs a function of ``asking_tasks``."""
    what = submission("a", task, **options)
    what = msgspec.structs.replace(what, target=f"tests.unit.engine.asking_tasks:{task}")
    return answered(lambda reply: host.engine.submit(what, json.dumps(value).encode(), start=True, reply=reply))


def answer(
    host: Host,
    key: str = "first",
    value: Any = 42,
    action: AnswerAction = AnswerAction.ACCEPT,
    *,
    schema: str | None = None,
    owner: str | None = None,
) -> Awaitable[Answer]:
    given = GivenAnswer(action, json.dumps(value).encode() if action is AnswerAction.ACCEPT else b"")
    operation = AnswerQuestion(job_id="a", key=key, answer=given, schema=schema, owner=owner)
    return answered(lambda reply: host.engine.answer(operation, reply=reply))


async def asking(host: Host, *keys: str) -> Job:
    """The record once these questions are open."""
    job = await host.reaching("a", State.INPUT_REQUIRED)
    while {question.key for question in job.questions} != set(keys or ["first"]):
        job = (await host.status("a", wait_seconds=WAIT_SECONDS, known_version=job.version)).job
    return job


async def result(host: Host) -> Any:
    end = await host.end("a")
    assert end.result is not None, end.job
    return json.loads(end.result)


async def test_a_job_waits_in_input_required_and_goes_on_with_the_answer() -> None:
    async with hosting() as host:
        await submit(host, "ask")
        job = await asking(host)
        assert job.questions == (Question(key="first", prompt="What about first?", attempt=1),)
        assert (job.progress, job.description) == (10, "before the question"), "told before the question was asked"
        replied = await answer(host, value={"yes": [1, "ü"]})
        assert (replied.job.state, replied.job.questions) == (State.WORKING, ())
        assert replied.job.version > job.version
        assert await result(host) == {"yes": [1, "ü"]}
        assert (await host.status("a")).job.has_answers


async def test_an_asynchronous_job_asks_on_its_loop() -> None:
    async with hosting() as host:
        await submit(host, "ask_async")
        job = await asking(host)
        assert job.questions[0].schema == '{"type":"integer"}'
        with pytest.raises(QuestionNotFound, match="'first'"):
            # A value that was not checked against the schema.
            await answer(host, value="no integer")
        await answer(host, value=7, schema='{"type":"integer"}')
        assert await result(host) == 7


@pytest.mark.parametrize("task", ["ask_two", "gather", "gather_mixed", "on_a_loop_of_its_own"])
async def test_several_questions_at_once_get_each_its_own_answer(task: str) -> None:
    async with hosting() as host:
        await submit(host, task, KEYS)
        await asking(host, *KEYS)
        for number, key in enumerate(reversed(KEYS)):
            replied = await answer(host, key, number)
            last = number == len(KEYS) - 1
            assert replied.job.state is (State.WORKING if last else State.INPUT_REQUIRED)
        assert await result(host) == [2, 1, 0]


@pytest.mark.parametrize("action", [AnswerAction.DECLINE, AnswerAction.CANCEL])
async def test_a_question_that_is_declined_raises(action: AnswerAction) -> None:
    async with hosting() as host:
        await submit(host, "ask")
        await asking(host)
        await answer(host, action=action)
        failed = (await host.end("a")).job
        assert failed.state is State.FAILED
        assert failed.error is not None
        assert failed.error.type == "QuestionDeclined"


async def test_the_first_answer_stands() -> None:
    async with hosting() as host:
        await submit(host, "ask")
        await asking(host)
        first, second = answer(host, value=1), answer(host, value=2)
        assert (await second).job.version == (await first).job.version
        assert await result(host) == 1
        late = await answer(host, value=3)
        assert late.job.state is State.COMPLETED


async def test_what_is_not_asked_cannot_be_answered() -> None:
    async with hosting() as host:
        with pytest.raises(JobNotFound):
            await answer(host)
        await submit(host, "gather", ["one", "two"])
        await asking(host, "one", "two")
        with pytest.raises(JobNotFound):
            await answer(host, "one", owner="somebody")
        with pytest.raises(QuestionNotFound) as refused:
            await answer(host, "three")
        assert refused.value.data["open_keys"] == ["one", "two"]
        assert refused.value.domain_code == "QUESTION_NOT_FOUND"
        await host.stop("a")
        with pytest.raises(QuestionNotFound, match="none is open"):
            await answer(host, "one")


async def test_a_question_outlives_a_crash_and_is_answered_to_the_rerun(tmp_path: Path) -> None:
    async with hosting() as host:
        await submit(host, "ask_and_die_once", str(tmp_path / "runs"))
        await asking(host)
        (tmp_path / "runs.die").touch()
        while (job := await asking(host)).attempt == 1:
            await host.status("a", wait_seconds=WAIT_SECONDS, known_version=job.version)
        assert job.questions == (Question(key="first", prompt="1?", attempt=2),)
        await answer(host, value="late")
        assert await result(host) == ["late", 2]


async def test_an_answer_outlives_a_crash_and_is_found_by_its_key(tmp_path: Path) -> None:
    async with hosting() as host:
        await submit(host, "answered_then_die_once", str(tmp_path / "runs"))
        await asking(host)
        await answer(host)
        assert await result(host) == [42, 42]
        assert len((tmp_path / "runs").read_text().splitlines()) == 2
        job = (await host.status("a")).job
        assert (job.attempt, job.questions) == (2, ())


async def test_an_answer_may_come_before_the_rerun_asks_again(tmp_path: Path) -> None:
    async with hosting() as host:
        await submit(host, "answer_meets_rerun", str(tmp_path / "go"))
        await asking(host)
        (tmp_path / "go.die").touch()
        job = (await host.status("a")).job
        while (job.attempt, job.description) != (2, "holding"):
            job = (await host.status("a", wait_seconds=WAIT_SECONDS, known_version=job.version)).job
        assert (job.state, len(job.questions)) == (State.WORKING, 1)
        replied = await answer(host)
        assert (replied.job.state, replied.job.questions) == (State.WORKING, ())
        (tmp_path / "go").touch()
        assert await result(host) == [42, 2]


@pytest.mark.parametrize(
    ("task", "error"),
    [
        ("ask_and_note_the_end", "JobStopped"),
        ("ask_async_and_note_the_end", "CancelledError"),
        ("ask_on_a_loop_and_note_the_end", "JobStopped"),
        ("ask_in_a_thread_and_note_the_end", "JobStopped"),
    ],
)
async def test_a_stop_wakes_who_waits(task: str, error: str, tmp_path: Path) -> None:
    note = tmp_path / "note"
    async with hosting() as host:
        await submit(host, task, str(note), stop_grace_seconds=ASKED)
        await asking(host)
        stopped = await host.stop("a")
        assert (stopped.job.state, stopped.job.questions) == (State.STOPPED, ())
        assert note.read_text() == error


async def test_a_time_out_goes_on_counting(tmp_path: Path) -> None:
    async with hosting() as host:
        await submit(
            host, "ask_and_note_the_end", str(tmp_path / "note"), timeout_seconds=0.3, stop_grace_seconds=ASKED
        )
        failed = (await host.end("a")).job
        assert failed.error is not None
        assert (failed.state, failed.error.type) == (State.FAILED, "JobTimeout")
        assert (tmp_path / "note").read_text() == "JobStopped"


async def test_who_asks_after_a_stop_is_told_at_once() -> None:
    async with hosting() as host:
        await submit(host, "ask_despite_a_stop", None, stop_grace_seconds=ASKED)
        await asking(host)
        stopped = await host.stop("a")
        assert stopped.job.state is State.STOPPED


async def test_a_job_that_is_run_again_after_a_stop_asks_again() -> None:
    async with hosting() as host:
        await submit(host, "ask")
        await asking(host)
        await host.stop("a")
        await host.retry("a")
        job = await asking(host)
        assert job.attempt == 2
        await answer(host)
        assert await result(host) == 42


async def test_asking_on_a_loop_would_stop_it() -> None:
    async with hosting() as host:
        await submit(host, "ask_on_the_loop", None)
        assert "AskBlocksLoop" in (text := await result(host))
        assert "ask_async" in text


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["", "?"], "key"),
        (["k" * 201, "?"], "key"),
        ([7, "?"], "key"),
        (["a\0b", "?"], "key"),
        (["k", None], "prompt"),
        (["k", "p" * 4_097], "prompt"),
        (["k", "\ud800"], "prompt"),
        (["k", "?", "integer"], "schema"),
        (["k", "?", {"description": "x" * 8_192}], "schema"),
        (["k", "?", {"type": "no such type"}], "schema.type"),
        (["k", "?", {"pattern": "("}], "schema.pattern"),
    ],
)
async def test_a_question_is_checked(arguments: list[Any], field: str) -> None:
    async with hosting() as host:
        await submit(host, "ask_badly", arguments)
        assert (await result(host))[:2] == ["InvalidParameters", field]


async def test_not_more_than_sixteen_are_open_at_once() -> None:
    async with hosting() as host:
        await submit(host, "ask_many", 16)
        assert (await result(host)).startswith("InvalidParameters: 16 questions")
        job = (await host.status("a")).job
        assert (job.state, job.questions) == (State.COMPLETED, ())


async def test_the_largest_questions_are_told() -> None:
    async with hosting() as host:
        await submit(host, "ask_badly", ["\x01" * 200, "\x01" * 4_096, {"enum": ['"' * 4_000]}])
        job = await host.reaching("a", State.INPUT_REQUIRED)
        assert len(job.questions[0].prompt) == 4_096
        await answer(host, "\x01" * 200, '"' * 4_000, schema=job.questions[0].schema)
        assert await result(host) == []


async def test_who_gave_up_may_ask_again(tmp_path: Path) -> None:
    async with hosting() as host:
        await submit(host, "give_up_and_ask_again", str(tmp_path / "go"))
        await asking(host)
        (tmp_path / "go").touch()
        job = await asking(host)
        while job.questions[0].prompt != "once more?":
            job = (await host.status("a", wait_seconds=WAIT_SECONDS, known_version=job.version)).job
        await answer(host)
        assert await result(host) == 42


async def test_an_answer_that_nobody_waits_for_any_more_is_found(tmp_path: Path) -> None:
    async with hosting() as host:
        await submit(host, "give_up_and_ask_again", str(tmp_path / "go"))
        job = await asking(host)
        while job.step != "gave up":
            job = (await host.status("a", wait_seconds=WAIT_SECONDS, known_version=job.version)).job
        await answer(host)
        (tmp_path / "go").touch()
        assert await result(host) == 42


async def test_a_thread_that_still_waits_when_its_job_ends_is_woken(tmp_path: Path) -> None:
    async with hosting() as host:
        await submit(host, "leave_a_question", str(tmp_path / "go"))
        await asking(host)
        (tmp_path / "go").touch()
        assert await result(host) == "left"
        assert (await host.status("a")).job.questions == ()
        await host.submit("b", "echo", 1)
        assert (await host.end("b")).result == b"1"


async def test_a_forked_process_asks_nothing() -> None:
    async with hosting() as host:
        await submit(host, "ask_in_a_fork", None)
        assert await result(host) == 7


async def test_a_question_waits_for_a_store_that_fails_and_an_answer_does_not() -> None:
    store = FragileStore()
    async with hosting(store) as host:
        await submit(host, "ask")
        job = await host.reaching("a", State.INPUT_REQUIRED)
        store.write_failure = DISK_FULL
        with pytest.raises(StoreUnavailable):
            await answer(host)
        assert (await host.status("a")).job == job
        store.write_failure = None
        await answer(host)
        assert await result(host) == 42
