"""The plugin's own section: everything the adapter's has no key for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from mcp_queue_plugin.allowed import DEFAULT_QUEUE, LARGEST, Isolation, OnInterrupt, Overflow
from mcp_queue_plugin.settings.access import AccessSettings
from mcp_queue_plugin.settings.fields import (
    MOST_PROCESSES,
    Bytes,
    Count,
    Megabytes,
    ModuleName,
    ModuleOrAny,
    PositiveSeconds,
    Priority,
    Processes,
    QueueName,
    Repeats,
    ResultBytes,
    Seconds,
    Section,
    broken_rule,
    not_below,
    setting,
)
from mcp_queue_plugin.settings.mcp import McpSettings
from mcp_queue_plugin.settings.security import SecuritySettings
from mcp_queue_plugin.words import in_words, shown


class WorkerSettings(Section):
    """The processes that run the jobs."""

    min: Annotated[int, Field(ge=0, le=MOST_PROCESSES)] = setting(
        1,
        "How many workers are started with the server, and stay when there is nothing to do, so that a job begins at "
        "once; one that dies is replaced. Jobs that find none free start more, up to "
        "`queue_manager.max_concurrent_jobs`. One, because each costs the memory of a Python process with the "
        "application's modules; more than `queue_manager.max_concurrent_jobs` are not started.",
        unit="processes",
        special="`0`: a worker starts when a job needs it",
    )
    isolation: Isolation = setting(
        "warm",
        "Whether a worker runs one job after another (`warm`), or each job gets a process that has run no other and "
        "ends with it (`fresh`). Warm, because a new process with the application's modules takes a second; a job "
        "that needs a clean process asks for it with its own `isolation` option.",
    )
    recycle_after_jobs: Count | None = setting(
        1000,
        "After how many jobs a worker is replaced, so that what jobs leave in its memory does not pile up. Its "
        "successor is ready before it goes. Starting successors takes a twentieth of the time at most, so workers that "
        "run very short jobs run more of them.",
        unit="jobs",
        special="`null`: never for this reason",
    )
    recycle_rss_mb: Megabytes | None = setting(
        None,
        "A worker whose resident memory exceeds this after a job is replaced, as with `recycle_after_jobs`. No limit, "
        "because only the application knows what its jobs need.",
        unit="megabytes",
        special="`null`: no limit",
    )
    idle_timeout_seconds: PositiveSeconds | None = setting(
        60.0,
        "After how long without a job a worker beyond `min` ends. A minute, so that a burst of jobs finds the workers "
        "of the one before.",
        unit="seconds",
        special="`null`: they stay",
    )
    start_timeout_seconds: PositiveSeconds = setting(
        30.0,
        "How long a new worker may take to start and to import `auto_import_modules`, before it is ended and its "
        "start counts as failed. Far above the 2 seconds that the imports of large applications take.",
        unit="seconds",
    )
    min_free_memory_mb: Annotated[int, Field(ge=0, le=LARGEST)] = setting(
        256,
        "The workers become no more while less memory than this is available on the machine, unless there is none at "
        "all. Jobs then wait for the workers there are; one that is due is replaced all the same.",
        unit="megabytes",
        special="`0`: memory is not looked at",
    )
    max_load_per_core: Annotated[float, Field(gt=0, le=1_000_000)] | None = setting(
        None,
        "The workers become no more while the machine's load average over one minute, divided by its cores, is above "
        "this, unless there is none at all. Not looked at by default: load also counts processes that wait for a disk.",
        unit="processes per core",
        special="`null`: load is not looked at",
    )
    lasting_threads: Annotated[tuple[ModuleOrAny, ...], Field(strict=False)] = setting(
        ("grpc", "opentelemetry", "pymongo", "sentry_sdk", "tqdm"),
        "Modules whose threads may outlive the job that has started them, those of packages included: the watchers of "
        "well-known libraries, which print nothing. A worker in which a job leaves any other thread running is "
        "replaced, because what that thread prints or reports later would go to another job. Threads that stay belong "
        "to whatever job their worker runs.",
        special="`*`: the threads of all modules",
    )


class JobDefaults(Section):
    """How a job is run when neither its class nor the call says so."""

    queue: QueueName = setting(
        DEFAULT_QUEUE,
        "The queue of jobs that name none: `default`, or one of `queues`.",
    )
    priority: Priority = setting(
        0,
        "Higher goes first. A job that has waited ten minutes longer counts as one higher, so no job starves.",
        unit="levels",
    )
    timeout_seconds: PositiveSeconds | None = setting(
        None,
        "How long one attempt may run. It is then asked to stop, killed after `stop_grace_seconds`, and counts as "
        "failed with `JobTimeout`. No limit, because only the application knows how long its jobs take.",
        unit="seconds",
        special="`null`: no limit",
    )
    max_retries: Repeats = setting(
        0,
        "How often a job that fails is run again. None, because only the application knows which jobs can be repeated.",
        unit="retries",
        special="`0`: a failure is final",
    )
    retry_base_seconds: Seconds = setting(
        1.0,
        "The wait before retry number n is a random time up to this times 2 to the power of n - 1: exponential "
        "backoff with full jitter.",
        unit="seconds",
        special="`0`: at once",
    )
    retry_max_seconds: Annotated[Seconds, not_below("retry_base_seconds")] = setting(
        300.0,
        "The longest such wait. Not below `retry_base_seconds`.",
        unit="seconds",
    )
    max_crashes: Count = setting(
        3,
        "How often a job is run when its process dies under it every time: the crash of this number fails it, so "
        "that `3` means at most three runs. A run that an orderly shutdown has ended is not counted. Three, so that "
        "an accident is forgiven and a job that kills its worker does not run for ever.",
        unit="crashes",
        special="`1`: the first crash fails the job",
    )
    on_interrupt: OnInterrupt = setting(
        "retry",
        "What becomes of a job that was running when its worker or the server ended. `retry` runs it again, until "
        "it has crashed `max_crashes` times, so its work may be done twice; `fail` never runs it twice. `retry`, "
        "because most jobs can be repeated and few may get lost.",
    )
    stop_grace_seconds: Seconds = setting(
        5.0,
        "How long a running job that was asked to stop may take to let go, before its process is killed. Enough to "
        "close files; short enough for a person who waits.",
        unit="seconds",
        special="`0`: killed at once",
    )


class NamedQueueSettings(Section):
    """One named queue: its own slots, its own pace, its own limit. Jobs choose it with their `queue` option."""

    max_concurrent_jobs: Processes | None = setting(
        None,
        "How many jobs of this queue run at the same time, within `queue_manager.max_concurrent_jobs`.",
        unit="jobs",
        special="`null`: no limit of its own",
    )
    min_pause_seconds: Seconds = setting(
        0.0,
        "The least time from the end of one job of this queue to the start of the next. With one slot this is a rate "
        "limit, as for a metered API.",
        unit="seconds",
        special="`0`: no pause",
    )
    backoff_base_seconds: Seconds = setting(
        0.0,
        "From the second failure in a row on, the queue waits min(this x 2^(n - 2), `backoff_max_seconds`) seconds "
        "after failure number n, on top of the pause. A success ends the row.",
        unit="seconds",
        special="`0`: no backoff",
    )
    backoff_max_seconds: Annotated[Seconds, not_below("backoff_base_seconds")] = setting(
        300.0,
        "The longest such wait. Not below `backoff_base_seconds`.",
        unit="seconds",
    )
    max_queue_size: Count | None = setting(
        None,
        "How many jobs that have not ended this queue holds, as `queue_manager.max_queue_size` does for all queues.",
        unit="jobs",
        special="`null`: no limit of its own",
    )
    overflow: Overflow | None = setting(
        None,
        "What happens to a new job when this queue's `max_queue_size` is reached, as `limits.overflow` says for all.",
        special="`null`: as `limits.overflow`",
    )


class LimitSettings(Section):
    """What the queue takes, and what happens beyond."""

    params_bytes: Bytes = setting(
        1_048_576,
        "How large the parameters of a job may be, as JSON; larger ones are refused. What is larger belongs into a "
        "file or a store of its own, and its name into the parameters.",
        unit="bytes",
    )
    result_bytes: ResultBytes = setting(
        16_777_216,
        "How large the result of a job may be, as JSON; a job that returns more fails with `ResultTooLarge`.",
        unit="bytes",
    )
    log_bytes: Bytes = setting(
        8_388_608,
        "How much of a job's log is kept. Beyond that the oldest lines are dropped and counted.",
        unit="bytes",
    )
    overflow: Overflow = setting(
        "evict_oldest",
        "What happens to a new job when `max_queue_size` or one of `per_job_type_limits` is reached. `evict_oldest` "
        "ends the oldest job of the same owner, a pending one before a running one; `reject` refuses the new one "
        "with `QUEUE_FULL`. The adapter evicts.",
    )


class RetentionSettings(Section):
    """How long what has ended is kept, beside `queue_manager.completed_job_retention_seconds`."""

    tombstone_seconds: Seconds = setting(
        3600.0,
        "How long the tombstone of a deleted job answers for its id. An hour, so that whoever waits for it learns why "
        "it is gone.",
        unit="seconds",
        special="`0`: removed at the next sweep",
    )


class PluginSettings(Section):
    """The plugin's own section: everything the adapter's has no key for."""

    backend: Literal["auto", "sqlite"] = setting(
        "auto",
        "What keeps the jobs. `auto` chooses by the other settings; for now that is always `sqlite`.",
    )
    durability: Literal["full", "normal"] = setting(
        "full",
        "What an acknowledged operation survives when `in_memory` is false: `full` a power loss, `normal` a crash of "
        "the server only, and is faster where the disk is slow to sync. Full, because an answer should hold.",
    )
    # Only the list itself is lax, so that JSON's arrays become tuples; its items stay strict.
    auto_import_modules: Annotated[tuple[ModuleName, ...], Field(strict=False)] = setting(
        (),
        "Modules that the server and every worker import when they start; they register commands, job types and "
        "tasks. The adapter's own hooks and `MCP_AUTO_REGISTER_MODULES` are joined to them.",
    )
    workers: WorkerSettings = WorkerSettings()
    queues: Annotated[
        Mapping[QueueName, NamedQueueSettings], Field(json_schema_extra={"additionalProperties": False})
    ] = setting(
        {},
        "The named queues: an object from a queue's name to its settings. `default` is always there and can be given "
        "settings here like any other. A name has up to 100 lower-case letters and digits, in parts joined by one `_` "
        "or `-`.",
    )
    job_defaults: JobDefaults = JobDefaults()
    limits: LimitSettings = LimitSettings()
    retention: RetentionSettings = RetentionSettings()
    access: AccessSettings = AccessSettings()
    security: SecuritySettings = SecuritySettings()
    mcp: McpSettings = McpSettings()

    @field_validator("job_defaults")
    @classmethod
    def _the_default_queue_exists(cls, defaults: JobDefaults, info: ValidationInfo) -> JobDefaults:
        queues = {DEFAULT_QUEUE, *info.data.get("queues", {})}
        if "queues" in info.data and defaults.queue not in queues:
            names = in_words({"enum": sorted(queues)})
            error = broken_rule(f"must be one of the queues ({names}), not {shown(defaults.queue)}")
            raise ValidationError.from_exception_data(
                cls.__name__, [{"type": error, "loc": ("queue",), "input": defaults.queue}]
            )
        return defaults
