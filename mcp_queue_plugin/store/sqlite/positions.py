"""At which place of their queues jobs stand: counted along the index, each stretch of it once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.places import place_of
from mcp_queue_plugin.store.sqlite.database import Database
from mcp_queue_plugin.store.sqlite.queries import SQL

_FIRST = (float("-inf"), 0)
"""Before every place."""


def positions(database: Database, jobs: Sequence[Job], rank_time: float) -> Mapping[int, int]:
    """The position of each of ``jobs``, from 1, by its uid.

    A page of jobs costs one walk along the queue and not one for each.
    """
    found: dict[int, int] = {}
    queue, before, place = "", 0, _FIRST
    for in_queue, here, uid in sorted((job.options.queue, place_of(job, rank_time), job.uid) for job in jobs):
        if in_queue != queue:
            queue, before, place = in_queue, 0, _FIRST
        if here != place:
            ((count,),) = database.fetch(SQL["count_between"], queue, *place, *here)
            before, place = before + count, here
        found[uid] = before + 1
    return found
