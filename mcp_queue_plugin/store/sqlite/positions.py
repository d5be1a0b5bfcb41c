"""At which place of their queues jobs stand: counted along the index, each stretch of it once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.places import place_of
from mcp_queue_plugin.store.sqlite.database import Database
from mcp_queue_plugin.store.sqlite.queries import SQL


def positions(database: Database, jobs: Sequence[Job], rank_time: float) -> Mapping[int, int]:
    """The position of each of ``jobs``, from 1, by its uid.

    A page of jobs costs one walk along the queue and not one for each.
    """
    found: dict[int, int] = {}
    queue, before, place = "", 0, (float("-inf"), 0)
    for job in sorted(jobs, key=lambda job: (job.options.queue, place_of(job, rank_time))):
        if job.options.queue != queue:
            queue, before, place = job.options.queue, 0, (float("-inf"), 0)
        here = place_of(job, rank_time)
        ((count,),) = database.fetch(SQL["count_between"], queue, *place, *here)
        before, place = before + count, here
        found[job.uid] = before + 1
    return found
