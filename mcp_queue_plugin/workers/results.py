"""What a worker tells of an attempt that has ended."""

from __future__ import annotations

import traceback
from typing import NamedTuple

import msgspec

from mcp_queue_plugin.errors import ProtocolViolation
from mcp_queue_plugin.model.job import DESCRIPTION_MAX_LENGTH, RESULT_TOO_LARGE, ErrorInfo, Token
from mcp_queue_plugin.model.operations import Changes, Ending, EndingKind
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.workers.protocol import Kind, Result, encode

MESSAGE_MAX_LENGTH = 2_000
TRACEBACK_MAX_LENGTH = 4_000
NAME_MAX_LENGTH = 100
NAMES_MAX = 16
"""To these an error is cut if its texts outgrow a frame's header: they fit even if each character needs an escape."""


class AttemptFacts(NamedTuple):
    """What the worker itself has seen of an attempt: the fields of the same names of ``Result``."""

    dirty: str | None
    took_seconds: float
    unread: bool


def result_frame(token: Token, ending: Ending, changes: Changes, facts: AttemptFacts) -> bytes:
    """The RESULT of an attempt, its texts cut short if it would not fit into a frame."""
    try:
        return _encoded(token, ending, changes, facts)
    except (ProtocolViolation, UnicodeEncodeError):
        dirty = facts.dirty and storable(facts.dirty, DESCRIPTION_MAX_LENGTH)
        return _encoded(token, _shortened(ending), changes, facts._replace(dirty=dirty))


def within(ending: Ending, result_max_bytes: int) -> Ending:
    """``ending``, or the failure of a job whose result is larger than that."""
    if ending.result is None or len(ending.result) <= result_max_bytes:
        return ending
    text = RESULT_TOO_LARGE.format(size=len(ending.result), most=result_max_bytes)
    kind = "ResultTooLarge"
    return Ending(kind=EndingKind.FAILED, error=ErrorInfo(type=kind, message=text), error_kinds=(kind,))


def error_info(error: BaseException) -> ErrorInfo:
    """What a record says of an error that a job has raised."""
    return ErrorInfo(
        type=type(error).__name__,
        message=described(error),
        traceback_tail="".join(traceback.format_exception(error)),
    )


def described(error: BaseException) -> str:
    """The last line of a traceback: unlike ``str`` it survives an error that cannot be shown."""
    return storable("".join(traceback.format_exception_only(error)).strip(), DESCRIPTION_MAX_LENGTH)


def _encoded(token: Token, ending: Ending, changes: Changes, facts: AttemptFacts) -> bytes:
    result = Result(
        token=token,
        kind=ending.kind,
        changes=changes,
        error=ending.error,
        completed_with_error=ending.completed_with_error,
        has_result=ending.result is not None,
        error_kinds=ending.error_kinds,
        dirty=facts.dirty,
        took_seconds=facts.took_seconds,
        unread=facts.unread,
    )
    return encode(Kind.RESULT, result, ending.result or b"")


def _shortened(ending: Ending) -> Ending:
    """An ending that fits into a frame, whatever its texts hold."""
    error = ending.error
    if error is None:
        return ending
    tail = error.traceback_tail
    return msgspec.structs.replace(
        ending,
        error=ErrorInfo(
            type=storable(error.type, NAME_MAX_LENGTH),
            message=storable(error.message, MESSAGE_MAX_LENGTH),
            code=error.code,
            traceback_tail=tail and storable(tail[-TRACEBACK_MAX_LENGTH:], TRACEBACK_MAX_LENGTH),
        ),
        error_kinds=tuple(storable(name, NAME_MAX_LENGTH) for name in ending.error_kinds[:NAMES_MAX]),
    )
