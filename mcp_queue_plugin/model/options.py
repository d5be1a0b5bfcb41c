"""How a job is to be run: what its author and its caller say, and what holds in the end."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.text import storable

LARGEST = 1_000_000_000
NAME_MAX_LENGTH = 200
DEFAULT_QUEUE = "default"

OnInterrupt = Literal["retry", "fail"]
Isolation = Literal["warm", "fresh"]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX_LENGTH)]
Priority = Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Count = Annotated[int, msgspec.Meta(ge=1, le=LARGEST)]
Repeats = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
Moment = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)]
PositiveSeconds = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]


class JobOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What holds for one job: every option decided. Times are seconds, ``run_at`` is seconds since the epoch.

    ``retry_on`` names exception types, built-in ones bare and others with their module; empty means every error.
    """

    queue: Name = DEFAULT_QUEUE
    priority: Priority = 0
    delay_seconds: Seconds = 0.0
    run_at: Moment | None = None
    timeout_seconds: PositiveSeconds | None = None
    max_retries: Repeats = 0
    retry_base_seconds: Seconds = 1.0
    retry_max_seconds: Seconds = 300.0
    retry_on: tuple[Name, ...] = ()
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
            epoch.
        timeout_seconds: How long one attempt may run; None for no limit.
        max_retries: How often a job that fails runs again.
        retry_base_seconds: The longest wait before the first retry; it doubles with each.
        retry_max_seconds: The longest wait before any retry.
        retry_on: The exception types that are worth a retry, as types or by name; subclasses count. Empty means all.
            A time-out counts as ``JobTimeout``, an error that a command returned as ``ErrorResult``.
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


def decide_options(*layers: QueueOptions, defaults: JobOptions, queues: Container[str]) -> Decided:
    """What holds when each of ``layers`` goes before those after it, and ``defaults`` comes last.

    Raises:
        InvalidParameters: an option is not valid; ``data["field"]`` is its name.

    """
    said: dict[str, Any] = {}
    for layer in reversed(layers):
        said.update(_said_by(layer))
    key = _idempotency_key(said.pop("idempotency_key", None))
    if not said:
        return defaults, key
    if "run_at" in said:
        said["run_at"] = _epoch_seconds(said["run_at"])
    if "retry_on" in said:
        said["retry_on"] = _type_names(said["retry_on"])
    options = msgspec.structs.replace(defaults, **_checked(said))
    if options.run_at is not None and options.delay_seconds:
        raise _invalid("run_at", "is given together with delay_seconds: only one can hold", said["run_at"])
    if options.queue not in queues:
        raise _invalid("queue", "names a queue that the configuration does not have", options.queue)
    return options, key


def exception_names(error: type[BaseException]) -> tuple[str, ...]:
    """The names under which ``retry_on`` finds errors of this type: its own and its bases', bare and with module."""
    names = (name for base in error.__mro__ if base is not object for name in (base.__name__, _type_name(base)))
    return tuple(dict.fromkeys(names))


def _said_by(layer: QueueOptions) -> dict[str, Any]:
    values = ((field, getattr(layer, field)) for field in layer.__struct_fields__)
    return {field: value for field, value in values if value is not UNSET}


def _checked(said: Mapping[str, Any]) -> Mapping[str, Any]:
    for field, value in said.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise _invalid(field, "is not a finite number", value)
        try:
            msgspec.convert({field: value}, JobOptions)
        except msgspec.ValidationError as error:
            raise _invalid(field, f"is not valid ({str(error).partition(' - at')[0]})", value) from error
    return said


def _idempotency_key(key: Any) -> str | None:
    if key is None:
        return None
    if not isinstance(key, str) or not 0 < len(key) <= NAME_MAX_LENGTH or storable(key) != key or "\0" in key:
        raise _invalid("idempotency_key", f"is not a Unicode text of 1 to {NAME_MAX_LENGTH} characters", key)
    return key


def _epoch_seconds(moment: Any) -> float | None:
    if moment is None or (isinstance(moment, int | float) and not isinstance(moment, bool)):
        return moment
    try:
        parsed = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
    except (TypeError, ValueError):
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise _invalid("run_at", "is not a time with an offset, such as 2030-01-31T12:00:00Z", moment)
    return parsed.timestamp()


def _type_names(types: Any) -> tuple[str, ...]:
    if not isinstance(types, tuple | list):
        raise _invalid("retry_on", "is not a tuple of exception types", types)
    return tuple(_type_name(kind) if isinstance(kind, type) else kind for kind in types)


def _type_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _invalid(field: str, reason: str, value: Any) -> InvalidParameters:
    shown = storable(repr(value), NAME_MAX_LENGTH)
    return InvalidParameters(f"{field} {reason}: {shown}", field=field, violation="value", got=shown)
