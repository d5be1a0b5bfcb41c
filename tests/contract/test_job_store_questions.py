"""What every store promises of questions: who asks waits for one answer, and finds it whenever it asks again."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model.job import Job, Question, Token
from mcp_queue_plugin.model.operations import (
    AnswerQuestion,
    Applied,
    Ask,
    Changes,
    Delete,
    EndingKind,
    Refusal,
    Retry,
    Stop,
    Sweep,
)
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.questions import QUESTIONS_MAX, AnswerAction, GivenAnswer
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.conftest import Bench
from tests.contract.samples import add, applied, claim, done, everything, finish, outcome, refused, run_new, unchanged

YES = GivenAnswer(AnswerAction.ACCEPT, b'"yes \xc3\xbc"')
NO = GivenAnswer(AnswerAction.DECLINE)
INTEGER = '{"type":"integer"}'


def ask(job: Job, key: str = "k", prompt: str = "?", schema: str | None = None) -> Ask:
    return Ask(token=job.token, question=Question(key=key, prompt=prompt, schema=schema, attempt=job.attempt))


def answer(key: str = "k", given: GivenAnswer = YES, schema: str | None = None) -> AnswerQuestion:
    return AnswerQuestion(job_id="job", key=key, answer=given, schema=schema)


async def asking(store: JobStore, *keys: str) -> Job:
    job = await run_new(store, "job")
    for key in keys or ("k",):
        job = await applied(store, ask(job, key))
    return job


async def found_by(store: JobStore, operation: Ask | AnswerQuestion) -> GivenAnswer | None:
    """The answer in the outcome of what holds."""
    held = await outcome(store, operation)
    assert isinstance(held, Applied)
    return held.answer


async def test_a_question_is_open_until_it_is_answered(store: JobStore) -> None:
    job = await run_new(store, "job")
    asked = await applied(store, ask(job, prompt="Really?\0", schema=INTEGER))
    assert asked.questions == (Question(key="k", prompt="Really?\0", schema=INTEGER, attempt=1),)
    assert (asked.state, asked.version > job.version) == (State.INPUT_REQUIRED, True)
    assert await store.get("job") == asked
    answered = await applied(store, answer(schema=INTEGER))
    assert (answered.state, answered.questions, answered.has_answers) == (State.WORKING, (), True)
    assert await store.get("job") == answered


async def test_progress_goes_along_with_a_question(store: JobStore) -> None:
    job = await run_new(store, "job")
    question = Question(key="k", prompt="?", attempt=1)
    asked = await applied(store, Ask(token=job.token, question=question, changes=Changes(progress=40, step="s")))
    assert (asked.progress, asked.step) == (40, "s")


async def test_asked_again_a_question_changes_only_if_it_is_another(store: JobStore) -> None:
    job = await asking(store)
    assert await unchanged(store, ask(job)) == job
    again = await applied(store, ask(job, prompt="And now?"))
    assert [question.prompt for question in again.questions] == ["And now?"]


async def test_the_job_goes_on_when_the_last_question_is_answered(store: JobStore) -> None:
    await asking(store, "a", "b")
    assert (await applied(store, answer("b"))).state is State.INPUT_REQUIRED
    assert (await applied(store, answer("a"))).state is State.WORKING


async def test_the_first_answer_stands(store: JobStore) -> None:
    await asking(store)
    job = await applied(store, answer(given=NO))
    assert await unchanged(store, answer(given=YES)) == job
    assert await found_by(store, answer(given=YES)) == NO
    assert await found_by(store, ask(job)) == NO


async def test_a_question_that_was_answered_is_not_asked_again(store: JobStore) -> None:
    await asking(store)
    job = await applied(store, answer())
    assert await unchanged(store, ask(job, prompt="in other words")) == job
    assert await found_by(store, ask(job)) == YES


async def test_only_an_open_question_can_be_answered(store: JobStore) -> None:
    assert await refused(store, answer()) == (Refusal.NOT_FOUND, None)
    job = await asking(store)
    assert await refused(store, answer("other")) == (Refusal.QUESTION_NOT_FOUND, job)
    ended = await applied(store, finish(job.token))
    assert ended.questions == ()
    assert await refused(store, answer()) == (Refusal.QUESTION_NOT_FOUND, ended)
    await applied(store, Delete("job"))
    assert await refused(store, answer()) == (Refusal.NOT_FOUND, None)


async def test_a_value_that_was_checked_by_another_schema_is_no_answer(store: JobStore) -> None:
    job = await applied(store, ask(await run_new(store, "job"), schema=INTEGER))
    for schema in (None, "{}"):
        assert await refused(store, answer(schema=schema)) == (Refusal.QUESTION_NOT_FOUND, job)
    assert (await applied(store, answer(given=NO))).state is State.WORKING


@pytest.mark.parametrize("by", [Stop, Delete])
async def test_a_stop_withdraws_the_questions(store: JobStore, by: type[Stop | Delete]) -> None:
    job = await asking(store)
    stopping = await applied(store, by("job"))
    assert (stopping.state, stopping.questions) == (State.STOPPING, ())
    assert await refused(store, answer()) == (Refusal.QUESTION_NOT_FOUND, stopping)
    assert await unchanged(store, ask(job)) == stopping


async def test_an_attempt_that_is_over_asks_nothing(store: JobStore) -> None:
    job = await asking(store)
    requeued = await applied(store, finish(job.token, EndingKind.RELEASED))
    assert await refused(store, ask(job, "late")) == (Refusal.STALE_TOKEN, requeued)
    (second,) = await claim(store)
    assert await refused(store, ask(job, "late")) == (Refusal.STALE_TOKEN, second)
    nobody = Ask(token=Token(99, 1), question=Question(key="k", prompt="?", attempt=1))
    assert await refused(store, nobody) == (Refusal.STALE_TOKEN, None)


async def test_a_question_outlives_the_server_and_is_asked_anew(bench: Bench) -> None:
    await asking(bench.store)
    (recovered,) = await bench.restart()
    assert (recovered.state, len(recovered.questions)) == (State.QUEUED, 1)
    (second,) = await claim(bench.store)
    assert (second.state, second.questions) == (State.WORKING, recovered.questions)
    asked = await applied(bench.store, ask(second))
    assert (asked.state, asked.questions[0].attempt) == (State.INPUT_REQUIRED, 2)


async def test_a_question_may_be_answered_between_two_attempts(bench: Bench) -> None:
    await asking(bench.store, "a", "b")
    await bench.restart()
    queued = await applied(bench.store, answer("a"))
    assert (queued.state, len(queued.questions)) == (State.QUEUED, 1)
    (second,) = await claim(bench.store)
    assert (await applied(bench.store, answer("b"))).state is State.WORKING
    assert await found_by(bench.store, ask(second, "a")) == YES
    assert await found_by(bench.store, ask(second, "b")) == YES


async def test_a_question_may_be_answered_while_a_retry_is_to_come(store: JobStore) -> None:
    job = await run_new(store, "job", options=JobOptions(max_retries=1, retry_base_seconds=60.0))
    await applied(store, ask(job))
    scheduled = await applied(store, finish(job.token, EndingKind.FAILED))
    assert scheduled.state is State.SCHEDULED
    assert (await applied(store, answer())).state is State.SCHEDULED


async def test_answers_outlive_the_server_and_a_retry(bench: Bench) -> None:
    await asking(bench.store)
    job = await applied(bench.store, answer())
    await applied(bench.store, finish(job.token, EndingKind.FAILED))
    await bench.restart()
    await applied(bench.store, Retry(job_id="job"))
    (second,) = await claim(bench.store)
    assert await found_by(bench.store, ask(second)) == YES


@pytest.mark.parametrize("by_sweep", [False, True])
async def test_answers_go_with_their_job(store: JobStore, by_sweep: bool) -> None:
    await asking(store)
    job = await applied(store, answer())
    await applied(store, finish(job.token))
    if by_sweep:
        assert (await done(store, Sweep(tombstones=False, age_seconds=0.0, limit=9))).removed == 1
    else:
        assert not (await applied(store, Delete("job"))).has_answers
    await asking(store)


async def test_questions_that_an_earlier_attempt_has_left_make_way(store: JobStore) -> None:
    keys = [f"q{number}" for number in range(QUESTIONS_MAX)]
    job = await asking(store, *keys)
    assert await refused(store, ask(job, "one more")) == (Refusal.TOO_MANY_QUESTIONS, job)
    await applied(store, finish(job.token, EndingKind.RELEASED))
    (second,) = await claim(store)
    await applied(store, ask(second, "q5"))
    asked = await applied(store, ask(second, "one more"))
    assert [question.key for question in asked.questions] == [*keys[1:5], *keys[6:], "q5", "one more"]


async def test_jobs_of_a_list_tell_their_questions(store: JobStore) -> None:
    job = await asking(store)
    await applied(store, add("other"))
    assert [other.questions for other in (await everything(store)).living.jobs] == [(), job.questions]
