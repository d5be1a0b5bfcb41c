"""All settings, as immutable models: the adapter's own section and the plugin's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from mcp_queue_plugin.settings.fields import (
    MOST_PROCESSES,
    RULE_BROKEN,
    Count,
    ModuleName,
    Name,
    PositiveSeconds,
    Seconds,
    Section,
    WholeSeconds,
    setting,
)


class QueueManagerSettings(Section):
    """The adapter's own section: where jobs are kept, how many run at once, and how long finished ones stay.

    The keys, their defaults and their bounds are the adapter's.
    """

    enabled: bool = setting(
        True,
        "Whether there is a queue at all. When false, `use_queue` calls and the eight queue commands are refused "
        "with `QUEUE_DISABLED`. On, as in the adapter.",
    )
    in_memory: bool = setting(
        True,
        "Whether jobs live only as long as the server: true keeps them in a private temporary file that is removed "
        "at shutdown, or after a kill at the next start; false keeps them in `registry_path`, where they survive "
        "restarts and crashes. True is the adapter's default; choose false for any job that matters.",
    )
    registry_path: Name | None = setting(
        None,
        "The file that keeps the jobs. Needed when `in_memory` is false, ignored when it is true. A relative path "
        "begins at the folder of the configuration file under `mcp-queue serve`, and elsewhere at the working "
        "directory or at the `base_dir` that `install` was given. There is no default file, so that a server never "
        "opens one that nobody named.",
        special="`null`: no file, for `in_memory` true only",
    )
    shutdown_timeout: Seconds = setting(
        30.0,
        "How long running jobs may go on at shutdown. Those that still run then are ended and wait for the next "
        "start as `on_interrupt` says, without counting as crashed. The adapter's default.",
        unit="seconds",
        special="`0`: running jobs are not waited for",
    )
    max_concurrent_jobs: Annotated[int, Field(ge=1, le=MOST_PROCESSES)] = setting(
        10,
        "How many jobs run at the same time, each in a worker process of its own; the others wait their turn. "
        "Workers are started as jobs need them, up to this number. "
        "The adapter's default: set it to what the machine's cores and memory carry.",
        unit="jobs",
    )
    max_queue_size: Count | None = setting(
        None,
        "How many jobs that have not ended the queue holds. Once it is full, the oldest of them is evicted for each "
        "new one: it ends as `stopped` with the reason `evicted`. No limit, as in the adapter: no job is lost "
        "unless somebody chose so. This version checks the value and does not enforce it yet.",
        unit="jobs",
        special="`null`: no limit",
    )
    per_job_type_limits: Mapping[Name, Count] | None = setting(
        None,
        "The same limit for single job types: an object from a job type's or a command's name to its number. "
        "No limits, as in the adapter. This version checks the value and does not enforce it yet.",
        unit="jobs",
        special="`null`: no limits",
    )
    completed_job_retention_seconds: WholeSeconds = setting(
        21600,
        "How long the record, result and log of a job are kept after it has ended. The adapter's default, six hours. "
        "This version checks the value and keeps every job until it is deleted.",
        unit="seconds",
        special="`0`: for ever",
    )
    command_timeout: PositiveSeconds | None = setting(
        None,
        "How long the adapter lets a command run that a client waits for, before it hands the command over to the "
        "queue and answers with a job id. The adapter reads it itself; the queue's own steps need no such limit.",
        unit="seconds",
        special="`null`: the adapter's own 20 seconds",
    )
    stop_job_wait_timeout: PositiveSeconds | None = setting(
        None,
        "Accepted, so that existing configurations stay valid, and without effect, as in the adapter today: "
        "`queue_plugin.job_defaults.stop_grace_seconds` bounds a stop.",
        unit="seconds",
        special="`null`: not set",
    )
    max_retained_terminal_jobs: Count | None = setting(
        None,
        "Accepted, so that existing configurations stay valid, and without effect: in the adapter it saves the file "
        "descriptors that ended jobs hold, and here they hold none.",
        unit="jobs",
        special="`null`: not set",
    )
    default_poll_interval: Seconds = setting(
        0.0,
        "Whether a `use_queue` call waits for the end of its job and answers with the result, when the call's own "
        "`poll_interval` does not say: any number above 0 waits, and the end is told without polling. The adapter's "
        "default.",
        unit="seconds",
        special="`0`: the call answers at once with the job id",
    )
    default_max_wait_time: PositiveSeconds | None = setting(
        None,
        "How long such a call waits for the result at most, when its own `max_wait_time` does not say. The adapter's "
        "default.",
        unit="seconds",
        special="`null`: until the job has ended",
    )

    @field_validator("registry_path")
    @classmethod
    def _a_durable_queue_names_its_file(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path is None and info.data.get("in_memory") is False:
            raise PydanticCustomError(RULE_BROKEN, "must be the path of a file when in_memory is false, not null")
        return path


class WorkerSettings(Section):
    """The processes that run the jobs."""

    min: Annotated[int, Field(ge=0, le=MOST_PROCESSES)] = setting(
        1,
        "How many workers are started with the server, so that a job begins at once; one that dies is replaced. "
        "Jobs that find none free start more, up to `queue_manager.max_concurrent_jobs`. Those stay too: this version "
        "does not end workers that have nothing to do. One, because each costs the memory of a Python process with "
        "the application's modules; more than `queue_manager.max_concurrent_jobs` are not started.",
        unit="processes",
        special="`0`: a worker starts when a job needs it",
    )
    start_timeout_seconds: PositiveSeconds = setting(
        30.0,
        "How long a new worker may take to start and to import `auto_import_modules`, before it is ended and its "
        "start counts as failed. Far above the 2 seconds that the imports of large applications take.",
        unit="seconds",
    )


class JobDefaults(Section):
    """How a job is run when it does not say so itself."""

    max_crashes: Count = setting(
        3,
        "How often a job is run when its process dies under it every time: the crash of this number fails it, so "
        "that `3` means at most three runs. A run that an orderly shutdown has ended is not counted. Three, so that "
        "an accident is forgiven and a job that kills its worker does not run for ever.",
        unit="crashes",
        special="`1`: the first crash fails the job",
    )
    on_interrupt: Literal["retry", "fail"] = setting(
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
    job_defaults: JobDefaults = JobDefaults()


class Settings(Section):
    """The two sections of an adapter's configuration that this project reads."""

    # The adapter's other sections stand beside them in the same file.
    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    queue_manager: QueueManagerSettings = QueueManagerSettings()
    queue_plugin: PluginSettings = PluginSettings()
