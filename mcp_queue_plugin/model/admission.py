"""Limits on how many jobs wait and run: which jobs count, and who has to go for a new one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from mcp_queue_plugin.allowed import Overflow
from mcp_queue_plugin.model.job import Job, Submission
from mcp_queue_plugin.model.queues import QueueRule
from mcp_queue_plugin.model.states import PENDING_STATES, RUNNING_STATES, State

EVICTED = "evicted"
"""The reason of a job that had to go for a newer one."""

Scope = Literal["command", "job_type", "queue", "all"]
TallyKey = tuple[str, str]

COUNTED_STATES = (PENDING_STATES | RUNNING_STATES) - {State.STOPPING}
"""What a limit counts: a job that was asked to stop has made room already."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``max_jobs`` jobs that have not ended, of those with this name in this scope ("" for all)."""

    scope: Scope
    name: str = ""
    max_jobs: int
    overflow: Overflow = "evict_oldest"

    @property
    def key(self) -> TallyKey:
        """What a tally counts for it."""
        return self.scope, self.name


class Full(msgspec.Struct, frozen=True):
    """A limit leaves no room, and nothing may be evicted for it."""

    limit: Limit
    count: int


class LimitRules(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of the configuration beside those of the queues."""

    max_jobs: int | None = None
    max_jobs_by_name: Mapping[str, int] = {}
    """By the name of a job type or a command; when both of a job are named, both hold."""
    overflow: Overflow = "evict_oldest"


def limits_of(submission: Submission | Job, rules: LimitRules, queue: QueueRule) -> tuple[Limit, ...]:
    """The limits that hold for a new job, the narrowest first."""
    by_name = rules.max_jobs_by_name
    candidates: tuple[tuple[Scope, str | None, int | None, Overflow], ...] = (
        ("command", submission.command, by_name.get(submission.command or ""), rules.overflow),
        ("job_type", submission.job_type, by_name.get(submission.job_type), rules.overflow),
        ("queue", submission.options.queue, queue.max_queue_size, queue.overflow),
        ("all", "", rules.max_jobs, rules.overflow),
    )
    return tuple(
        Limit(scope=scope, name=name, max_jobs=max_jobs, overflow=overflow)
        for scope, name, max_jobs, overflow in candidates
        if name is not None and max_jobs is not None
    )


def tally_keys(job: Job) -> tuple[TallyKey, ...]:
    """Where a job counts: in the scopes of limits, and among the pending, the queued or the running of its queue."""
    return tally_keys_in(job.state, job.options.queue, job.job_type, job.command)


# Nearly all jobs of a server are of a few kinds.
@lru_cache(maxsize=4096)
def tally_keys_in(state: State, queue: str, job_type: str, command: str | None) -> tuple[TallyKey, ...]:
    """Where jobs like this count in ``state``."""
    if state is State.STOPPING:
        return (("running", queue),)
    if state not in COUNTED_STATES:
        return ()
    kind = "pending" if state in PENDING_STATES else "running"
    keys = [("all", ""), ("queue", queue), ("job_type", job_type), (kind, queue)]
    if state is State.QUEUED:
        keys.append(("queued", queue))
    if command is not None:
        keys.append(("command", command))
    return tuple(keys)


def is_in(job: Job, limit: Limit) -> bool:
    """Whether ``limit`` counts ``job``."""
    return limit.key in tally_keys(job)


def eviction_order(job: Job) -> tuple[bool, int]:
    """Sorts those who may have to go: pending before running, then the oldest."""
    return job.state not in PENDING_STATES, job.uid


CountOf = Callable[[Limit], int]
OldestOf = Callable[[Limit, int], Sequence[Job]]
"""The first so many of those that ``limit`` counts and that belong to the new job's owner, in ``eviction_order``."""


def make_room(limits: Sequence[Limit], count_of: CountOf, oldest_of: OldestOf) -> tuple[Job, ...] | Full:
    """Who has to go so that one more job fits into every limit; nobody goes when one of them is full for good.

    Each limit that is too full takes the first in ``eviction_order``, and nobody goes in vain.
    """
    counts = {limit: count_of(limit) for limit in limits}
    victims: dict[int, Job] = {}
    for limit, count in counts.items():
        excess = _excess(limit, count, victims.values())
        if excess <= 0:
            continue
        candidates = () if limit.overflow == "reject" else oldest_of(limit, excess + len(victims))
        chosen = [job for job in candidates if job.uid not in victims][:excess]
        if len(chosen) < excess:
            return Full(limit, count)
        victims.update((job.uid, job) for job in chosen)
    return _needed(counts, victims.values())


def _excess(limit: Limit, count: int, victims: Iterable[Job]) -> int:
    """How many more have to go for one limit, when the ``victims`` do."""
    return count + 1 - limit.max_jobs - sum(is_in(job, limit) for job in victims)


def _needed(counts: Mapping[Limit, int], victims: Collection[Job]) -> tuple[Job, ...]:
    """The victims in their order, without those whose place others free that have to go for another limit anyway."""
    to_spare = {limit: -_excess(limit, count, victims) for limit, count in counts.items()}
    needed: list[Job] = []
    for job in sorted(victims, key=eviction_order, reverse=True):
        counting = [limit for limit in counts if is_in(job, limit)]
        if all(to_spare[limit] > 0 for limit in counting):
            to_spare.update((limit, to_spare[limit] - 1) for limit in counting)
        else:
            needed.append(job)
    return tuple(reversed(needed))
