"""Commits that come late, or fail half way: the end of an attempt is accepted once, whichever way it went."""

from __future__ import annotations

import asyncio
import threading

import apsw
import pytest

from mcp_queue_plugin.errors import StoreUnavailable
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import Claim, EndingKind, Refusal
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.model.states import State
from tests.contract.samples import applied, claim, finish, refused, run_new
from tests.unit.store.conftest import NewStore
from tests.unit.store.faults import FaultyVfs


async def test_a_result_that_meets_the_delayed_claim_of_the_next_attempt_is_refused(
    vfs: FaultyVfs, new_store: NewStore
) -> None:
    """Who asked for the commit has given up while the disk hung; the commit counts all the same."""
    store = new_store(vfs=vfs.name)
    await store.open()
    first = await run_new(store, "a")
    second = Token(first.uid, first.attempt + 1)
    vfs.faults["sync -wal"] = disk_is_ready = threading.Event()
    commit = asyncio.ensure_future(store.apply([finish(first.token, EndingKind.CRASHED), Claim(second)]))
    assert await asyncio.to_thread(vfs.hangs.wait, 10)
    commit.cancel()
    disk_is_ready.set()
    with pytest.raises(asyncio.CancelledError):
        await commit
    late = finish(first.token, result=b'"late"', log=(LogPiece("stdout", 1.0, b"late words\n"),))
    assert (await refused(store, late))[0] is Refusal.STALE_TOKEN
    ended = await applied(store, finish(second, result=b'"second"'))
    assert (ended.state, ended.attempt, ended.crashes) == (State.COMPLETED, 2, 1)
    assert await store.result(first.uid) == b'"second"'
    assert (await store.log_page(first.uid, LogQuery())).entries == ()


@pytest.mark.parametrize("call", ["write -wal", "sync -wal"])
async def test_an_end_whose_commit_failed_is_accepted_once_after_the_next_start(
    call: str, vfs: FaultyVfs, new_store: NewStore
) -> None:
    """Whether the failed commit has reached the disk or not, which only the next start finds out."""
    store = new_store(vfs=vfs.name)
    await store.open()
    first = await run_new(store, "a")
    vfs.faults[call] = apsw.IOError("disk I/O error")
    with pytest.raises(StoreUnavailable):
        await store.apply([finish(first.token, result=b'"first"')])
    vfs.faults.clear()
    await store.close()

    again = new_store()
    await again.open()
    assert (await refused(again, finish(first.token, result=b'"first"')))[0] is Refusal.STALE_TOKEN
    for job in await claim(again):
        await applied(again, finish(job.token, result=b'"second"'))
    found = await again.get("a")
    assert found is not None
    assert found.state is State.COMPLETED
    assert await again.result(found.uid) == (b'"first"' if found.attempt == 1 else b'"second"')
    assert (await again.queues())["default"].state.processed_total == 1
