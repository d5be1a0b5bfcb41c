"""Every write of an attempt is made under its token, and refused once another attempt, or an end, has taken its place.

However the token became stale, a refused write changes nothing at all: no record, no log, no result, no figure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

import msgspec
import pytest

from mcp_queue_plugin.model.job import Job, Token
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import (
    Applied,
    Changes,
    Claim,
    Delete,
    Ending,
    EndingKind,
    Finish,
    Operation,
    Refusal,
    Refused,
    Report,
    Retry,
    Stop,
    Sweep,
)
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import LogPage, LogQuery
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.conftest import Bench
from tests.contract.samples import Content, add, applied, claim, done, everything, finish, outcome, run_new

LOG = (LogPiece("stdout", 9.0, b"late words\n"),)
CHANGES = Changes(progress=99, description="late", step="late")


def _end(kind: EndingKind, token: Token) -> Finish:
    return Finish(token=token, ending=Ending(kind=kind, result=b'"late"'), changes=CHANGES, log=LOG)


WRITES: dict[str, Callable[[Token], Operation]] = {
    "claim": Claim,
    "report": lambda token: Report(token=token, changes=CHANGES),
    "log": lambda token: Report(token=token, changes=Changes(), log=LOG),
    "both": lambda token: Report(token=token, changes=CHANGES, log=LOG),
    **{f"end {kind.value}": partial(_end, kind) for kind in EndingKind},
    "claim and end": lambda token: msgspec.structs.replace(_end(EndingKind.COMPLETED, token), begun_at=9.0),
}
"""All that an attempt can write."""


async def another_attempt_runs(bench: Bench) -> Token:
    first = await requeued(bench)
    await claim(bench.store)
    return first


async def requeued(bench: Bench) -> Token:
    first = await run_new(bench.store, "a")
    await applied(bench.store, finish(first.token, EndingKind.CRASHED, log=(LogPiece("stdout", 1.0, b"first\n"),)))
    return first.token


async def another_attempt_has_a_result(bench: Bench) -> Token:
    first = await requeued(bench)
    (second,) = await claim(bench.store)
    await applied(bench.store, finish(second.token, result=b'"second"'))
    return first


async def given_back(bench: Bench) -> Token:
    first = await run_new(bench.store, "a")
    await applied(bench.store, finish(first.token, EndingKind.RELEASED))
    return first.token


async def scheduled_for_a_retry(bench: Bench) -> Token:
    first = await run_new(bench.store, "a", options=JobOptions(max_retries=1, retry_base_seconds=60))
    await applied(bench.store, finish(first.token, EndingKind.FAILED))
    return first.token


async def completed(bench: Bench) -> Token:
    first = await run_new(bench.store, "a")
    await applied(bench.store, finish(first.token, result=b'"first"'))
    return first.token


async def failed(bench: Bench) -> Token:
    first = await run_new(bench.store, "a")
    await applied(bench.store, finish(first.token, EndingKind.FAILED))
    return first.token


async def stopped(bench: Bench) -> Token:
    first = await run_new(bench.store, "a")
    await applied(bench.store, Stop("a"))
    await applied(bench.store, finish(first.token, EndingKind.STOPPED))
    return first.token


async def run_again_by_request(bench: Bench) -> Token:
    first = await failed(bench)
    await applied(bench.store, Retry(job_id="a"))
    return first


async def deleted(bench: Bench) -> Token:
    first = await completed(bench)
    await applied(bench.store, Delete("a"))
    return first


async def removed(bench: Bench) -> Token:
    first = await completed(bench)
    assert (await done(bench.store, Sweep(tombstones=False, age_seconds=0, limit=9))).removed == 1
    return first


async def its_id_belongs_to_another_job(bench: Bench) -> Token:
    first = await deleted(bench)
    await run_new(bench.store, "a")
    return first


async def its_server_has_died(bench: Bench) -> Token:
    first = await run_new(bench.store, "a")
    await bench.restart()
    return first.token


async def its_server_has_died_and_another_attempt_runs(bench: Bench) -> Token:
    first = await its_server_has_died(bench)
    await claim(bench.store)
    return first


Lose = Callable[[Bench], Awaitable[Token]]

STALE: tuple[Lose, ...] = (
    another_attempt_runs,
    another_attempt_has_a_result,
    requeued,
    given_back,
    scheduled_for_a_retry,
    completed,
    failed,
    stopped,
    run_again_by_request,
    deleted,
    removed,
    its_id_belongs_to_another_job,
    its_server_has_died,
    its_server_has_died_and_another_attempt_runs,
)
"""How the token of an attempt becomes stale; each answers it."""


class Look(NamedTuple):
    """All that a store holds, the logs included."""

    content: Content
    logs: list[LogPage]


async def look(store: JobStore, *uids: int) -> Look:
    content = await everything(store)
    return Look(content, [await store.log_page(uid, LogQuery()) for uid in (*(job.uid for job in content.jobs), *uids)])


@pytest.mark.parametrize("lose", STALE, ids=lambda lose: lose.__name__)
async def test_no_write_under_a_stale_token_changes_anything(bench: Bench, lose: Lose) -> None:
    token = await lose(bench)
    before = await look(bench.store, token.uid)
    for name, write in WRITES.items():
        found = await outcome(bench.store, write(token))
        assert isinstance(found, Refused), name
        assert found.refusal is Refusal.STALE_TOKEN, name
        assert await look(bench.store, token.uid) == before, name


@pytest.mark.parametrize("attempts", [-1, 1, 2])
async def test_a_token_that_was_never_given_writes_nothing(store: JobStore, attempts: int) -> None:
    running = await run_new(store, "a")
    token = Token(running.uid, running.attempt + attempts)
    before = await look(store)
    for write in WRITES.values():
        assert await outcome(store, write(token)) == Refused(Refusal.STALE_TOKEN, running)
    assert await look(store) == before


async def test_an_attempt_that_was_not_claimed_yet_writes_nothing(store: JobStore) -> None:
    queued = await applied(store, add("a"))
    token = Token(queued.uid, 1)
    before = await look(store)
    for name, write in WRITES.items():
        if not name.startswith("claim"):
            assert await outcome(store, write(token)) == Refused(Refusal.STALE_TOKEN, queued)
    assert await look(store) == before


async def test_a_claim_cannot_skip_an_attempt(store: JobStore) -> None:
    queued = await applied(store, add("a"))
    before = await look(store)
    for attempt in (0, 2, 3):
        assert await outcome(store, Claim(Token(queued.uid, attempt))) == Refused(Refusal.STALE_TOKEN, queued)
    assert await look(store) == before


async def test_a_stale_write_fails_nobody_else_in_its_group(bench: Bench) -> None:
    token = await another_attempt_runs(bench)
    current = await only_job(bench.store)
    outcomes = await bench.store.apply(
        [
            WRITES["both"](token),
            Report(token=current.token, changes=Changes(progress=7)),
            WRITES["end completed"](token),
            add("b"),
            finish(current.token, result=b'"second"'),
            WRITES["end failed"](token),
        ]
    )
    assert [isinstance(found, Applied) for found in outcomes] == [False, True, False, True, True, False]
    assert await bench.store.result(token.uid) == b'"second"'
    page = await bench.store.log_page(token.uid, LogQuery())
    assert [entry.line for entry in page.entries] == ["first"]


async def test_the_end_of_an_attempt_is_accepted_once(store: JobStore) -> None:
    job = await run_new(store, "a")
    end = Finish(token=job.token, ending=Ending(kind=EndingKind.COMPLETED, result=b"1"), log=LOG)
    outcomes = await store.apply([end, end, end])
    assert [isinstance(found, Applied) for found in outcomes] == [True, False, False]
    page = await store.log_page(job.uid, LogQuery())
    assert [entry.line for entry in page.entries] == ["late words"]
    assert (await store.queues())["default"].state.processed_total == 1


async def only_job(store: JobStore) -> Job:
    (job,) = (await everything(store)).jobs
    return job
