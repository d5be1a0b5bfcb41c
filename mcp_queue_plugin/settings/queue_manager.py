"""The adapter's own section."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationInfo, field_validator

from mcp_queue_plugin.settings.fields import (
    Count,
    Name,
    PositiveSeconds,
    Processes,
    Seconds,
    Section,
    WholeSeconds,
    broken_rule,
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
    max_concurrent_jobs: Processes = setting(
        10,
        "How many jobs run at the same time, each in a worker process of its own; the others wait their turn. "
        "Workers are started as jobs need them, up to this number. "
        "The adapter's default: set it to what the machine's cores and memory carry.",
        unit="jobs",
    )
    max_queue_size: Count | None = setting(
        None,
        "How many jobs that have not ended the queue holds; one that was asked to stop does not count any more. Once "
        "it is full, the oldest job of the same owner is evicted for each new one, a pending one before a running one: "
        "it ends as `stopped` with the reason `evicted`. See `queue_plugin.limits.overflow` for refusing new ones "
        "instead. No limit, as in the adapter: no job is lost unless somebody chose so.",
        unit="jobs",
        special="`null`: no limit",
    )
    per_job_type_limits: Mapping[Name, Count] | None = setting(
        None,
        "The same limit for single job types: an object from a job type's or a command's name to its number. When "
        "both of a job are named, both hold. No limits, as in the adapter.",
        unit="jobs",
        special="`null`: no limits",
    )
    completed_job_retention_seconds: WholeSeconds = setting(
        21600,
        "How long the record, result and log of a job are kept after it has ended; jobs that have not ended are never "
        "removed. What is due is removed every sixth of this time, at least once an hour and at most once a second. "
        "The adapter's default, six hours.",
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
            raise broken_rule("must be the path of a file when in_memory is false, not null")
        return path
