"""How often all clients together look at tasks: the more tasks are followed, the more seldom each is looked at."""

from __future__ import annotations

from typing import Any

from mcp_queue_plugin.mcp.task_state import POLL_INTERVAL
from mcp_queue_plugin.model.pace import POLL_MAX_SECONDS

LOOKS_PER_SECOND_MAX = 40.0
"""What answering them takes is a few percent of a core, and the queue has the rest."""

FORGET_SECONDS = 2 * POLL_MAX_SECONDS


class Crowd:
    """The tasks that are followed: those that were started or looked at lately, and whose end nobody has seen yet."""

    def __init__(self) -> None:
        """Know of none."""
        self._looked_at: dict[str, float] = {}
        """When each was last looked at, the one longest ago first."""

    def looks_at(self, task: dict[str, Any], now: float) -> dict[str, Any]:
        """A task that goes on, as it is told to who looks at it ``now``, a monotonic time in seconds.

        It says when to look again: when it would say so to the only client there is, or later if many look; but no
        later than of a task that takes long.
        """
        task_id = task["taskId"]
        self._looked_at.pop(task_id, None)
        self._looked_at[task_id] = now
        while now - self._looked_at[longest_ago := next(iter(self._looked_at))] > FORGET_SECONDS:
            del self._looked_at[longest_ago]
        least_seconds = min(POLL_MAX_SECONDS, len(self._looked_at) / LOOKS_PER_SECOND_MAX)
        return {**task, POLL_INTERVAL: max(task[POLL_INTERVAL], round(1000 * least_seconds))}

    def sees_the_end_of(self, task_id: str) -> None:
        """Somebody has seen how a task has ended."""
        self._looked_at.pop(task_id, None)
