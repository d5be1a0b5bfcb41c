"""The queue commands by name."""

from __future__ import annotations

from mcp_queue_plugin.commands.add_job import QueueAddJobCommand
from mcp_queue_plugin.commands.answer_job import QueueAnswerJobCommand
from mcp_queue_plugin.commands.base import QueueCommand
from mcp_queue_plugin.commands.change_job import (
    QueueDeleteJobCommand,
    QueueRetryJobCommand,
    QueueStartJobCommand,
    QueueStopJobCommand,
)
from mcp_queue_plugin.commands.change_queue import QueuePauseCommand, QueueResumeCommand
from mcp_queue_plugin.commands.read_jobs import (
    QueueGetJobLogsCommand,
    QueueGetJobStatusCommand,
    QueueHealthCommand,
    QueueListJobsCommand,
)
from mcp_queue_plugin.commands.read_result import QueueGetJobResultCommand
from mcp_queue_plugin.commands.wait_job import QueueWaitJobCommand

QUEUE_COMMANDS: dict[str, type[QueueCommand]] = {
    command.name: command
    for command in (
        QueueAddJobCommand,
        QueueStartJobCommand,
        QueueStopJobCommand,
        QueueDeleteJobCommand,
        QueueGetJobStatusCommand,
        QueueGetJobLogsCommand,
        QueueListJobsCommand,
        QueueHealthCommand,
        QueueWaitJobCommand,
        QueueGetJobResultCommand,
        QueueRetryJobCommand,
        QueueAnswerJobCommand,
        QueuePauseCommand,
        QueueResumeCommand,
    )
}

_OWN = frozenset(QUEUE_COMMANDS.values())


def is_own(command: type) -> bool:
    """Whether a command is one of these, and not the application's in the place of one."""
    return command in _OWN
