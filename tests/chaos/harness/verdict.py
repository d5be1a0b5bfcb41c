"""Whether promises were kept: a pure comparison of what clients were told, what jobs did, and what records say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from tests.chaos.harness.book import Run
from tests.chaos.harness.promises import End, Promise, Wish


def broken_promises(
    promises: Collection[Promise], last: Mapping[str, End], runs: Sequence[Run], *, unanswered_calls: int = 0
) -> list[str]:
    """In words what was not kept.

    ``last`` are the last records of all jobs, those that have not ended included. Of as many as there were
    ``unanswered_calls`` nobody knows the id.
    """
    runs_of: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        runs_of[run.job_id].append(run)
    found: list[str] = []
    for promise in promises:
        end = last.get(promise.job_id)
        if end is not None:
            found += _of_a_job(promise, end, runs_of[promise.job_id])
        elif promise.acknowledged:
            found.append(f"lost: {promise.job_id} was acknowledged and is not there")
    known = {promise.job_id for promise in promises}
    strangers = [job_id for job_id in last if job_id not in known]
    if len(strangers) > unanswered_calls:
        found.append(f"from nowhere: of {strangers} at most {unanswered_calls} were handed in")
    return found


def _of_a_job(promise: Promise, end: End, runs: Sequence[Run]) -> Iterator[str]:
    job_id = promise.job_id
    if end.status not in promise.allowed():
        yield f"ended otherwise: {job_id} is {end.status} and not {' or '.join(sorted(promise.allowed())) or 'away'}"
    before = promise.end
    if before is not None and before != end and not (end.status == "deleted" and promise.deletion is not Wish.NONE):
        yield f"accepted twice: {job_id} had ended as {before} and now as {end}"
    if promise.runs_once and len(runs) > 1:
        yield f"ran twice: {job_id} in {len(runs)} runs"
    if promise.let_go_at is not None and any(run.begun_at > promise.let_go_at for run in runs):
        yield f"ran on: {job_id} began again after it was answered to be over"
    if end.status == "completed":
        yield from _of_a_result(job_id, end, runs)


def _of_a_result(job_id: str, end: End, runs: Sequence[Run]) -> Iterator[str]:
    last = max((run.attempt for run in runs), default=0)
    if last != end.attempt:
        yield f"accepted in the wrong attempt: {job_id} completed in attempt {end.attempt} of {last}"
    elif all(run.name != end.run for run in runs if run.attempt == end.attempt):
        yield f"made up: {job_id} has the result of {end.run}, which is no run of its attempt {end.attempt}"
