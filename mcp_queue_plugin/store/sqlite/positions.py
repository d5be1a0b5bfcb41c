"""At which place of their queues jobs stand: counted along the index, each stretch of it once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.places import place_of
from mcp_queue_plugin.store.sqlite.looking import Look
from mcp_queue_plugin.store.sqlite.queries import SQL

NEAR_THE_END = 256

_FIRST = (float("-inf"), 0)
"""Before every place."""


def positions(look: Look, queued: Callable[[str], int], jobs: Sequence[Job], rank_time: float) -> Mapping[int, int]:
    """The position of each of ``jobs``, from 1, by its uid; ``queued`` tells how many jobs wait in a queue.

    A page of jobs costs one walk along the queue and not one for each, and none if it stands near the end, as all new
    jobs do.
    """
    found: dict[int, int] = {}
    queue, before, place = "", 0, _FIRST
    for in_queue, here, uid in sorted((job.options.queue, place_of(job, rank_time), job.uid) for job in jobs):
        if in_queue != queue:
            queue, place = in_queue, here
            before = _count_before(look, queued(queue), queue, place)
        if here != place:
            ((count,),) = look.fetch(SQL["count_between"], queue, *place, *here)
            before, place = before + count, here
        found[uid] = before + 1
    return found


def _count_before(look: Look, total: int, queue: str, place: tuple[float, int]) -> int:
    """How many of the ``total`` queued jobs of a queue stand before a place, counted from the end if that is near."""
    ((behind,),) = look.fetch(SQL["count_behind"], queue, *place, NEAR_THE_END)
    if behind < NEAR_THE_END:
        return max(0, total - int(behind))
    ((before,),) = look.fetch(SQL["count_between"], queue, *_FIRST, *place)
    return int(before)
