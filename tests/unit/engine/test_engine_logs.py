"""What jobs in real workers write, read while they run and afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.errors import JobNotFound
from mcp_queue_plugin.model.log_pages import PAGE_BYTES
from mcp_queue_plugin.model.queries import LogPage, LogQuery
from mcp_queue_plugin.model.states import State
from tests.unit.engine import log_tasks
from tests.unit.engine.client import connected, end, submit
from tests.unit.engine.harness import submission

WAIT_SECONDS = 20.0
WAITING_CLIENTS = 1000


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[EngineClient]:
    async with connected(tmp_path, warm=True) as client:
        yield client


async def start(client: EngineClient, job_id: str, task: str, value: Any = None) -> None:
    target = f"{log_tasks.__name__}:{task}"
    job = msgspec.structs.replace(submission(job_id), target=target)
    await client.submit(job, json.dumps(value).encode(), start=True)


async def run(client: EngineClient, job_id: str, task: str, value: Any = None) -> None:
    await start(client, job_id, task, value)
    await end(client, job_id)


async def pages(client: EngineClient, job_id: str, query: LogQuery) -> list[LogPage]:
    """All pages from the query's cursor on, without the empty last one."""
    found: list[LogPage] = []
    while (page := await client.log(job_id, query)).entries:
        found.append(page)
        query = msgspec.structs.replace(query, cursor=page.next_cursor)
    return found


async def lines(client: EngineClient, job_id: str) -> list[str]:
    return [entry.line for page in await pages(client, job_id, LogQuery()) for entry in page.entries]


class Speaker:
    """A job that writes what it is told to."""

    def __init__(self, client: EngineClient, orders: Path) -> None:
        self._client = client
        self._orders = orders

    async def start(self) -> None:
        self._orders.touch()
        await start(self._client, "a", "speak", str(self._orders))

    def say(self, stream: str, text: str = "") -> None:
        with self._orders.open("a") as file:
            file.write(json.dumps([stream, text]) + "\n")

    async def wait_for(self, cursor: int = 0, stream: Any = None) -> LogPage:
        return await self._client.log("a", LogQuery(cursor=cursor, stream=stream), wait_seconds=WAIT_SECONDS)


@pytest.fixture
async def speaker(client: EngineClient, tmp_path: Path) -> Speaker:
    speaker = Speaker(client, tmp_path / "orders")
    await speaker.start()
    return speaker


async def test_a_page_is_answered_as_soon_as_a_line_is_there(client: EngineClient, speaker: Speaker) -> None:
    asked = asyncio.create_task(speaker.wait_for())
    assert (await client.log("a", LogQuery(), wait_seconds=0.05)).entries == ()
    assert not asked.done()
    speaker.say("stdout", "released\n")
    assert [entry.line for entry in (await asked).entries] == ["released"]


async def test_a_line_is_seen_before_its_end_and_goes_on_from_there(client: EngineClient, speaker: Speaker) -> None:
    speaker.say("stdout", "load")
    begun = await speaker.wait_for()
    assert [(entry.line, entry.continues) for entry in begun.entries] == [("load", False)]
    speaker.say("stdout", "ing\n50%\r")
    more = await speaker.wait_for(begun.next_cursor)
    assert [(entry.line, entry.continues) for entry in more.entries] == [("ing", True), ("50%", False)]
    speaker.say("stdout", "\n")
    speaker.say("stderr", "done\n")
    rest = await speaker.wait_for(more.next_cursor, "stderr")
    assert [entry.line for entry in rest.entries] == ["done"]
    assert await lines(client, "a") == ["loading", "50%", "done"]


async def test_lines_of_the_other_stream_end_no_wait(client: EngineClient, speaker: Speaker) -> None:
    asked = asyncio.create_task(speaker.wait_for(stream="stderr"))
    speaker.say("stdout", "not for you\n")
    seen = await speaker.wait_for(stream="stdout")
    assert not asked.done()
    speaker.say("stderr", "for you\n")
    first = await asked
    assert [entry.line for entry in first.entries] == ["for you"]
    again = asyncio.create_task(speaker.wait_for(cursor=seen.next_cursor, stream="stdout"))
    speaker.say("stderr", "neither\n")
    await speaker.wait_for(cursor=first.next_cursor, stream="stderr")
    assert not again.done()
    speaker.say("stdout", "now\n")
    assert [entry.line for entry in (await again).entries] == ["now"]


async def test_a_wait_ends_with_its_time_and_with_the_job(client: EngineClient, speaker: Speaker) -> None:
    page = await client.log("a", LogQuery(), wait_seconds=0.05)
    assert (page.entries, page.next_cursor) == ((), 0)
    asked = asyncio.create_task(speaker.wait_for())
    speaker.say("end")
    await end(client, "a")
    assert (await asyncio.wait_for(asked, 5)).entries == ()


async def test_nothing_is_waited_for_when_there_is_nothing_to_come(client: EngineClient) -> None:
    await submit(client, "a")
    await end(client, "a")
    page = await asyncio.wait_for(client.log("a", LogQuery(cursor=1000), wait_seconds=WAIT_SECONDS), 5)
    assert (page.entries, page.next_cursor) == ((), 0)
    with pytest.raises(JobNotFound):
        await client.log("nobody", LogQuery(), wait_seconds=WAIT_SECONDS)


async def test_a_thousand_clients_wait_for_one_line(client: EngineClient, speaker: Speaker) -> None:
    waits = [asyncio.create_task(speaker.wait_for(stream="stderr")) for _ in range(WAITING_CLIENTS)]
    speaker.say("stdout", "not for them\n")
    await speaker.wait_for(stream="stdout")
    async with asyncio.timeout(10):
        while (await client.health()).waiting_calls < WAITING_CLIENTS:
            pass
    assert not any(wait.done() for wait in waits)
    speaker.say("stderr", "for all\n")
    found = {entry.line for page in await asyncio.gather(*waits) for entry in page.entries}
    assert (found, (await client.health()).waiting_calls) == ({"for all"}, 0)


async def test_who_waits_no_longer_costs_nothing(client: EngineClient, speaker: Speaker) -> None:
    wait = asyncio.create_task(speaker.wait_for())
    async with asyncio.timeout(10):
        while not (await client.health()).waiting_calls:
            pass
        wait.cancel()
        while (await client.health()).waiting_calls:
            pass
    speaker.say("stdout", "later\n")
    assert [entry.line for entry in (await speaker.wait_for()).entries] == ["later"]


async def test_a_hundred_thousand_lines_are_all_there(client: EngineClient) -> None:
    await run(client, "a", "count", 100_000)
    found = await pages(client, "a", LogQuery())
    assert [entry.line for page in found for entry in page.entries] == [f"line {number}" for number in range(100_000)]
    assert {len(page.entries) for page in found} == {1000}
    assert (found[-1].stdout_lines, found[-1].dropped_lines) == (100_000, 0)
    tail = await client.log("a", LogQuery(tail=True, limit=3))
    assert [entry.line for entry in tail.entries] == ["line 99997", "line 99998", "line 99999"]
    times = [entry.written_at for page in found for entry in page.entries]
    assert times == sorted(times)
    assert len(set(times)) > 1


async def test_of_a_log_that_is_too_long_the_end_is_kept(tmp_path: Path) -> None:
    async with connected(tmp_path, warm=True, log_bytes=100_000) as client:
        await run(client, "a", "count", 50_000)
        page = await client.log("a", LogQuery())
        kept = await lines(client, "a")
        assert kept == [f"line {number}" for number in range(page.dropped_lines, 50_000)]
        assert (page.stdout_lines, len(kept)) == (50_000, 50_000 - page.dropped_lines)
        assert 0.9 * 100_000 < sum(len(line) + 1 for line in kept) <= 100_000


async def test_a_line_of_megabytes_is_read_in_parts(client: EngineClient) -> None:
    await run(client, "a", "long_line", 3 * PAGE_BYTES)
    found = await pages(client, "a", LogQuery())
    assert all(sum(len(entry.line) for entry in page.entries) <= PAGE_BYTES for page in found)
    entries = [entry for page in found for entry in page.entries]
    assert "".join(entry.line for entry in entries[:-1]) == "x" * 3 * PAGE_BYTES + "END"
    assert [entry.continues for entry in entries] == [False, *[True] * (len(entries) - 2), False]
    assert found[-1].stdout_lines == 2


async def test_bytes_that_are_no_text_are_read_as_well_as_they_can_be(client: EngineClient) -> None:
    await run(client, "a", "write_bytes", "caf\xe9\r\n\n\xc3\xa4\nno end")
    assert await lines(client, "a") == ["caf\ufffd", "", "ä", "no end"]


async def test_a_process_that_goes_on_writing_writes_into_no_other_log(client: EngineClient) -> None:
    await start(client, "a", "leave_writer")
    for number in range(20):
        await start(client, f"next {number}", "say", f"line of {number}")
    for number in range(20):
        await end(client, f"next {number}")
        assert await lines(client, f"next {number}") == [f"line of {number}"]
    # The two processes share a pipe, so the end of the job's own line may stand behind some noise.
    own, *rest = "\n".join(await lines(client, "a")).split("the job's own line")[::-1]
    assert len(rest) == 1
    assert {line for part in (own, *rest) for line in part.split("\n")[:-1]} <= {"", "noise"}


async def test_the_last_words_of_a_worker_are_in_the_log_of_each_attempt(client: EngineClient) -> None:
    await start(client, "a", "die_speaking")
    job = (await end(client, "a")).job
    assert (job.state, job.attempt) == (State.FAILED, 3)
    page = await client.log("a", LogQuery(stream="stderr"))
    words = [f"word {number}" for number in range(100)]
    assert [entry.line for entry in page.entries] == [*words, "half a wo"] * 3
    assert page.stderr_lines == 303


async def test_an_empty_log_is_an_empty_page(client: EngineClient) -> None:
    await submit(client, "a")
    await end(client, "a")
    page = await client.log("a", LogQuery(tail=True))
    assert (len(page.entries), page.next_cursor, page.dropped_lines) == (0, 0, 0)
