"""What every store promises of itself: empty, asked what it can do, closed."""

from __future__ import annotations

from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.samples import NOTHING_WRITTEN


async def test_reading_an_empty_store(store: JobStore) -> None:
    assert (await store.counts()).by_state == {}
    assert await store.oldest_queued_at() is None
    assert list(await store.queued("default", 10)) == []
    assert await store.result(1) is None
    assert await store.log_page(1, LogQuery()) == NOTHING_WRITTEN


async def test_a_store_says_what_it_can_do(store: JobStore) -> None:
    found = store.capabilities
    assert found.backend in {"memory", "sqlite"}
    assert found.durable == (found.path is not None)


async def test_closing_twice_is_harmless(store: JobStore) -> None:
    await store.close()
    await store.close()
