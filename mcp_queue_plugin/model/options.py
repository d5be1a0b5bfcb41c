"""How a job is to be run: what its author and its caller say, and what holds in the end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from mcp_queue_plugin.allowed import DEFAULT_QUEUE, Isolation, OnInterrupt
from mcp_queue_plugin.model.option_values import (
    Count,
    Moment,
    Name,
    PositiveSeconds,
    Priority,
    Repeats,
    Seconds,
    TypeNames,
    exception_names,
    invalid,
    plain,
    read_idempotency_key,
    read_retry_on,
    read_run_at,
    refusal,
)
from mcp_queue_plugin.words import Node, in_words, shown

__all__ = [
    "DEFAULT_QUEUE",
    "Decided",
    "Isolation",
    "JobOptions",
    "OnInterrupt",
    "QueueOptions",
    "decide_options",
    "exception_names",
    "option_schema",
]


class JobOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What holds for one job: every option decided. Times are seconds, ``run_at`` is seconds since the epoch.

    ``retry_on`` names exception types as ``exception_names`` does; empty means every error.
    """

    queue: Name = DEFAULT_QUEUE
    priority: Priority = 0
    delay_seconds: Seconds = 0.0
    run_at: Moment | None = None
    timeout_seconds: PositiveSeconds | None = None
    max_retries: Repeats = 0
    retry_base_seconds: Seconds = 1.0
    retry_max_seconds: Seconds = 300.0
    retry_on: TypeNames = ()
    isolation: Isolation = "warm"
    max_crashes: Count = 3
    on_interrupt: OnInterrupt = "retry"
    stop_grace_seconds: Seconds = 5.0


class QueueOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an author or a caller says of how a job is to be run; what is left out is decided elsewhere.

    A command or a job class says it in its attribute ``queue_options``, a call in ``submit_job`` or ``enqueue``. The
    call goes before the class, and the class before the ``queue_plugin.job_defaults`` setting. Nothing is checked
    before the job is handed in.

    Attributes:
        queue: The named queue; it must be ``default`` or one of ``queue_plugin.queues``.
        priority: Higher goes first within a queue.
        delay_seconds: Not before so many seconds have passed since the start.
        run_at: Not before this time: an aware ``datetime``, an ISO 8601 text with an offset, or seconds since the
            epoch. A time that has passed means at once. A call's ``run_at`` takes back the class's ``delay_seconds``,
            and the other way round; both in one place are refused.
        timeout_seconds: How long one attempt may run; None for no limit.
        max_retries: How often a job that fails runs again.
        retry_base_seconds: The longest wait before the first retry; it doubles with each.
        retry_max_seconds: The longest wait before any retry, also where somebody else's ``retry_base_seconds`` is
            longer; a shorter one than that in the same place is refused.
        retry_on: The exception types that are worth a retry, as types or by name, bare or with their module;
            subclasses count. Empty means all. A time-out counts as ``JobTimeout``, an error that a command returned as
            ``"ErrorResult"``.
        idempotency_key: The same key of the same owner and command gives the same job, as long as that is kept.
        isolation: ``fresh`` for a process of the job's own.
        max_crashes: How often the job's process may die under it.
        on_interrupt: ``retry`` or ``fail``, when the process or the server died.
        stop_grace_seconds: How long the job may take to let go when it is asked to stop.

    """

    queue: str | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    delay_seconds: float | UnsetType = UNSET
    run_at: datetime | str | float | UnsetType | None = UNSET
    timeout_seconds: float | UnsetType | None = UNSET
    max_retries: int | UnsetType = UNSET
    retry_base_seconds: float | UnsetType = UNSET
    retry_max_seconds: float | UnsetType = UNSET
    retry_on: tuple[type[BaseException] | str, ...] | UnsetType = UNSET
    idempotency_key: str | UnsetType | None = UNSET
    isolation: Isolation | UnsetType = UNSET
    max_crashes: int | UnsetType = UNSET
    on_interrupt: OnInterrupt | UnsetType = UNSET
    stop_grace_seconds: float | UnsetType = UNSET


Decided = tuple[JobOptions, str | None]
"""The options that hold, and the idempotency key."""

_AT_ONCE: Mapping[str, Any] = {"delay_seconds": 0.0, "run_at": None}


def decide_options(*layers: QueueOptions, defaults: JobOptions, queues: Collection[str]) -> Decided:
    """What holds when each of ``layers`` goes before those after it, and ``defaults`` comes last.

    Every layer must be valid, also in what another one replaces.

    Raises:
        InvalidParameters: an option is not valid; ``data["field"]`` is its name.

    """
    said: dict[str, Any] = {}
    for layer in reversed(layers):
        words = _said_by(layer)
        if not words.keys().isdisjoint(_AT_ONCE):
            said |= _AT_ONCE
        said |= words
    key = said.pop("idempotency_key", None)
    options = msgspec.structs.replace(defaults, **said) if said else defaults
    if options.queue not in queues:
        raise refusal("queue", f"one of the queues ({in_words({'enum': sorted(queues)})})", options.queue)
    return options, key


def option_schema(option: str) -> Node:
    """What an option of ``JobOptions`` may be once it is decided, as JSON Schema: its type and its bounds."""
    node = _schema()[option]
    branches = [branch for branch in node.get("anyOf", [node]) if branch.get("type") != "null"]
    return {key: value for key, value in branches[0].items() if key not in ("default", "x-words")}


def _said_by(layer: object) -> dict[str, Any]:
    """What ``layer`` says, each value as ``JobOptions`` has it."""
    if not isinstance(layer, QueueOptions):
        raise refusal("options", "a QueueOptions", layer)
    values = zip(QueueOptions.__struct_fields__, msgspec.structs.astuple(layer), strict=False)
    said = {field: _READERS[field](value) for field, value in values if value is not UNSET}
    if said.get("run_at") is not None and said.get("delay_seconds"):
        raise invalid("run_at", "cannot be given together with delay_seconds: both say when the job runs", layer.run_at)
    least = said.get("retry_base_seconds", 0.0)
    if said.get("retry_max_seconds", least) < least:
        raise refusal("retry_max_seconds", f"at least retry_base_seconds ({shown(least)})", layer.retry_max_seconds)
    return said


def _read(field: str, kind: Any, value: Any) -> Any:
    try:
        return msgspec.convert(plain(value), kind)
    except (msgspec.ValidationError, UnicodeEncodeError):
        raise refusal(field, in_words(_schema()[field]), value) from None


_READERS: Mapping[str, Callable[[Any], Any]] = {
    **{field.name: partial(_read, field.name, field.type) for field in msgspec.structs.fields(JobOptions)},
    "run_at": read_run_at,
    "retry_on": read_retry_on,
    "idempotency_key": read_idempotency_key,
}


@cache
def _schema() -> Mapping[str, Node]:
    properties: Mapping[str, Node] = msgspec.json.schema(JobOptions)["$defs"]["JobOptions"]["properties"]
    return properties
