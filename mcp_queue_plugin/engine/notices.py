"""What the engine tells its server unasked."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from mcp_queue_plugin.engine import border
from mcp_queue_plugin.engine.border import Verb
from mcp_queue_plugin.workers.protocol import Frame, Ready, decode

logger = logging.getLogger(__name__)


class ClientEvents:
    """What the engine tells the server by itself. All are called on the client's home loop; override what you need."""

    def on_ended(self, job_ids: tuple[str, ...]) -> None:
        """These jobs have ended."""

    def on_stop_adopted(self, job_id: str) -> None:
        """A job in the server's own process was asked to stop."""

    def on_ready(self, ready: Ready) -> None:
        """The first worker of a generation is ready."""

    def on_lost(self) -> None:
        """The engine's process is gone, unasked; it is started again."""

    def on_revived(self) -> None:
        """The engine is back after a loss, and has recovered its jobs."""

    def jobs_in_process(self) -> tuple[str, ...]:
        """The ids of the jobs that run in the server's own process: the loss of the engine is no end for them."""
        return ()


def deliver(events: ClientEvents, frame: Frame) -> bool:
    """Hand a notice to ``events``; False if ``frame`` is none, but an answer."""
    notice = _NOTICES.get(frame.kind)
    if notice is None:
        return False
    try:
        notice(events, frame)
    except Exception:
        # A listener of the application: what comes behind this notice are other callers' answers.
        logger.exception("What listens to the queue's engine has failed")
    return True


def _on_ended(events: ClientEvents, frame: Frame) -> None:
    events.on_ended(msgspec.json.decode(frame.payload, type=tuple[str, ...]))


def _on_stop_adopted(events: ClientEvents, frame: Frame) -> None:
    events.on_stop_adopted(decode(frame.header, border.StopAdoptedNotice).job_id)


def _on_ready(events: ClientEvents, frame: Frame) -> None:
    events.on_ready(msgspec.json.decode(frame.payload, type=Ready))


def _on_logged(_: ClientEvents, frame: Frame) -> None:
    notice = decode(frame.header, border.LoggedNotice)
    logging.getLogger(notice.name).log(notice.level, "%s", frame.payload.decode())


_NOTICES: dict[int, Callable[[ClientEvents, Frame], None]] = {
    Verb.ENDED: _on_ended,
    Verb.STOP_ADOPTED: _on_stop_adopted,
    Verb.READY: _on_ready,
    Verb.LOGGED: _on_logged,
}
