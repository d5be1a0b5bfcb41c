"""Looking at tasks, no oftener than a server with many clients can bear."""

from __future__ import annotations

from mcp_queue_plugin.mcp.crowd import LOOKS_PER_SECOND_MAX
from tests.acceptance.harness.mcp import cancel_task, connected, get_task, start_task
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate

MANY = 30


async def test_many_are_asked_to_look_less_often(application: Server, gate: Gate) -> None:
    async with connected(application.url) as client:
        created = [await start_task(client, "hold", gate=str(gate)) for _ in range(MANY)]
        first, *others = (task["taskId"] for task in created)
        many = (await get_task(client.session, first))["pollIntervalMs"]
        assert min(many, created[-1]["pollIntervalMs"]) >= 1000 * MANY / LOOKS_PER_SECOND_MAX
        for task_id in others:
            await cancel_task(client.session, task_id)
        assert (await get_task(client.session, first))["pollIntervalMs"] < many
        await cancel_task(client.session, first)
