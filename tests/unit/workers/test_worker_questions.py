"""Questions between a worker and its pool, frame by frame."""

from __future__ import annotations

from mcp_queue_plugin.model.job import Question, Token
from mcp_queue_plugin.model.operations import Changes, EndingKind
from mcp_queue_plugin.model.questions import AnswerAction, GivenAnswer
from tests.unit.workers.harness import Harness, running, until

YES = GivenAnswer(AnswerAction.ACCEPT, b'"yes"')


async def asked(harness: Harness, count: int = 1) -> tuple[Token, Question, int]:
    await until(lambda: len(harness.asked) == count)
    return harness.asked[-1]


async def test_all_that_was_reported_is_told_before_the_question() -> None:
    async with running() as harness:
        token = await harness.start("report_and_ask", 20)
        assert (await asked(harness))[:2] == (token, Question(key="k", prompt="?", attempt=1))
        told_before = harness.progress[token][: harness.asked[0][2]]
        assert told_before[-1] == Changes(progress=19)
        harness.pool.answer(token, "k", YES)
        assert (await harness.ending(token)).result == b'"yes"'


async def test_an_answer_of_another_attempt_or_question_is_dropped() -> None:
    async with running() as harness:
        token = await harness.start("report_and_ask", 1)
        await asked(harness)
        harness.pool.answer(Token(token.uid, 2), "k", GivenAnswer(AnswerAction.DECLINE))
        harness.pool.answer(token, "another", GivenAnswer(AnswerAction.DECLINE))
        harness.pool.answer(token, "k", YES)
        assert (await harness.ending(token)).result == b'"yes"'
        harness.pool.answer(token, "k", YES)
        assert await harness.result("echo", 1) == 1


async def test_an_answer_of_megabytes_fits() -> None:
    async with running() as harness:
        token = await harness.start("report_and_ask", 1)
        await asked(harness)
        document = b'"%s"' % (b"x" * 3_000_000)
        harness.pool.answer(token, "k", GivenAnswer(AnswerAction.ACCEPT, document))
        assert (await harness.ending(token)).result == document


async def test_a_worker_asks_for_one_job_after_another() -> None:
    async with running() as harness:
        for number in range(1, 4):
            token = await harness.start("report_and_ask", 1)
            assert (await asked(harness, number))[0] == token
            harness.pool.answer(token, "k", YES)
            assert (await harness.ending(token)).kind is EndingKind.COMPLETED
        assert harness.pool.statistics().started == 1


async def test_a_worker_whose_pool_goes_while_it_waits_ends() -> None:
    async with running() as harness:
        await harness.start("report_and_ask", 1)
        await asked(harness)


async def test_a_worker_that_asks_what_is_no_question_is_ended() -> None:
    async with running() as harness:
        ending = await harness.end("ask_nonsense")
        assert ending.kind is EndingKind.CRASHED
        assert ending.error is not None
        assert "no question" in ending.error.message
        assert not harness.asked
