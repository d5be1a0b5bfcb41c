"""A job that writes more than the store takes waits with its writing: nothing piles up, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mcp_queue_plugin.engine.reports import BACKLOG_BYTES, FLUSH_BYTES
from mcp_queue_plugin.model.operations import Operation, Outcome, Report
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.model.states import State
from tests.unit.engine import log_tasks
from tests.unit.engine.harness import DISK_FULL, FragileStore, answered, hosting, submission
from tests.unit.workers.harness import until


class MeasuringStore(FragileStore):
    """Knows how much of logs it was handed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.handed_bytes = [0]

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        reports = [operation for operation in operations if isinstance(operation, Report)]
        self.handed_bytes.append(sum(len(piece.data) for report in reports for piece in report.log))
        return await super().apply(operations)


async def test_a_job_waits_with_its_writing_while_the_store_takes_nothing(tmp_path: Path) -> None:
    store, gate = MeasuringStore(), tmp_path / "gate"
    job = msgspec.structs.replace(submission("a"), target=f"{log_tasks.__name__}:write_when")
    params = json.dumps(str(gate)).encode()
    async with hosting(store) as host:
        await answered(lambda reply: host.engine.submit(job, params, start=True, reply=reply))
        await host.working("a")
        store.write_failure = DISK_FULL
        gate.touch()
        await until(lambda: store.handed_bytes[-1] >= BACKLOG_BYTES)
        tries = len(store.handed_bytes)
        await until(lambda: len(store.handed_bytes) >= tries + 2)
        assert max(store.handed_bytes) < BACKLOG_BYTES + 4 * FLUSH_BYTES, "of 20 MB no more was read"

        store.write_failure = None
        assert (await host.end("a")).job.state is State.COMPLETED
        page = await host.engine.reading.log("a", LogQuery(tail=True, limit=1))
        assert (page.stdout_lines, page.entries[0].line) == (20_000, "x" * 999)

        await host.submit("next", "chat", 1)
        await host.end("next")
        assert (await host.engine.reading.log("next", LogQuery())).stdout_lines == 1
