"""``queue_pause`` and ``queue_resume``."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from mcp_queue_plugin.adapter.callers import require_admin
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.commands.base import CHANGES, QueueCommand
from mcp_queue_plugin.model.option_values import NAME_MAX_LENGTH


class SetQueueCommand(QueueCommand):
    """What pausing and resuming share."""

    properties: ClassVar[dict[str, Any]] = {
        "queue": {
            "type": "string",
            "description": "The queue's name: default, or one of queue_plugin.queues",
            "minLength": 1,
            "maxLength": NAME_MAX_LENGTH,
        }
    }
    required = ("queue",)
    mcp_annotations: ClassVar[dict[str, Any]] = {**CHANGES, "idempotentHint": True}
    paused: ClassVar[bool]

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Answer the queue in numbers, as in ``queue_health``."""
        require_admin(self.name)
        return {"queue": msgspec.to_builtins(await manager.engine.set_queue(params["queue"], paused=self.paused))}


class QueuePauseCommand(SetQueueCommand):
    """Start no more jobs of a queue; those that run go on."""

    name = "queue_pause"
    descr = "Pause a queue: its running jobs finish, and no other starts until queue_resume, also after a restart"
    paused = True


class QueueResumeCommand(SetQueueCommand):
    """Start the jobs of a paused queue again."""

    name = "queue_resume"
    descr = "Resume a paused queue"
    paused = False
