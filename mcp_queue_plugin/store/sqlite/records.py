"""The records inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.admission import Limit
from mcp_queue_plugin.model.decide import Moment
from mcp_queue_plugin.model.job import Job, Submission
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import Add, Adopt, Sweep
from mcp_queue_plugin.model.questions import AnswerAction, GivenAnswer
from mcp_queue_plugin.model.queues import QueueState
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.sqlite import logs, rows
from mcp_queue_plugin.store.sqlite.live import Draft
from mcp_queue_plugin.store.sqlite.queries import SQL

_IN_SCOPE = {"command": "command = ?", "job_type": "job_type = ?", "queue": "queue = ?", "all": "'' = ?"}
_DOCUMENTS = ("delete_params", "delete_result", "delete_log", "delete_idempotency_key")


class SqliteRecords:
    """Implements ``store.steps.Records`` between BEGIN and COMMIT, all at one time.

    A record that changes more than once is written once: before its table is asked for it, or at the end.
    """

    def __init__(self, connection: apsw.Connection, draft: Draft, *, now: float, log_bytes: int) -> None:
        """Work in the transaction that ``connection`` is in; note in ``draft`` what it changes beside the tables."""
        self._execute = connection.execute
        self._draft = draft
        self._counters = draft.counters
        self._now = now
        self._log_bytes = log_bytes
        self._rank_time = max(self._counters.rank_time, now)
        self._dirty = False
        self._unwritten: dict[int, str] = {}
        """By which query each record is to be written that has changed; in the order of their first change."""

    def recoverable(self) -> list[Job]:
        """The jobs that were left between two steps, the oldest first."""
        left = (job for job in self._find_jobs("recoverable", self._now) if decide.needs_recovery(job, now=self._now))
        return sorted(left, key=lambda job: job.uid)

    def flush(self, *, always: bool) -> None:
        """Write what is not written yet; with ``always`` something is written even if nothing has changed."""
        self._write_jobs()
        for state in self._draft.states.values():
            self._execute(SQL["put_queue"], rows.encode_queue(state))
        if self._dirty or always:
            self._execute(SQL["write_counters"], self._counters.row)

    def moment(self) -> Moment:
        """When the next change happens, and the version it will have."""
        return Moment(self._now, self._rank_time, self._counters.version + 1)

    def find(self, job_id: str) -> Job | None:
        """The record under a public id: the living one, or else the last tombstone."""
        return self._draft.named(job_id) or self._job("last_job", job_id)

    def at(self, uid: int) -> Job | None:
        """The record with this uid."""
        return self._draft.at(uid) or self._job("job_by_uid", uid)

    def same(self, submission: Submission) -> tuple[Job, str] | None:
        """The job that has the submission's idempotency key, and its fingerprint."""
        assert submission.idempotency is not None
        self._write_jobs()
        found = self._fetch("same_submission", submission.idempotency.key, submission.subject, submission.owner)
        return (rows.decode_job(found[0]), found[0][-1]) if found else None

    def oldest(self, limit: Limit, owner: str | None, count: int) -> Sequence[Job]:
        """The first of those that ``limit`` counts and ``owner`` owns, in ``eviction_order``."""
        self._write_jobs()
        found: list[Job] = []
        for query in ("oldest_pending", "oldest_running"):
            if (rest := count - len(found)) > 0:
                sql = SQL[query].format(condition=_IN_SCOPE[limit.scope])
                found += [rows.decode_job(row) for row in self._execute(sql, (owner, limit.name, rest)).fetchall()]
        return found

    def due(self, count: int) -> Sequence[Job]:
        """The scheduled jobs whose time has come, in the order of their times."""
        return self._find_jobs("due_jobs", self._now, count)

    def later(self) -> Sequence[Job]:
        """The scheduled jobs whose time has not come, the oldest first."""
        return sorted(self._find_jobs("later_jobs", self._now), key=lambda job: job.uid)

    def over(self, sweep: Sweep, count: int) -> Sequence[Job]:
        """The jobs that ``sweep`` removes, those first that are over longest."""
        query = "old_tombstones" if sweep.tombstones else "old_finished_jobs"
        return self._find_jobs(query, self._now - sweep.age_seconds, count)

    def tally(self, limit: Limit) -> int:
        """How many jobs ``limit`` counts."""
        return self._draft.tally(limit.key)

    def queue(self, name: str) -> QueueState:
        """The state of a queue."""
        return self._draft.queue(name)

    def new_uid(self) -> int:
        """A uid that was never given before."""
        return self._counters.next_uid()

    def insert(self, job: Job, operation: Add | Adopt) -> None:
        """Keep a new job, its parameters and its idempotency key."""
        self._counters.next_version()
        self._move(None, job)
        self._draft.keep(job)
        self._unwritten[job.uid] = "insert_job"
        self._execute(SQL["insert_params"], (job.uid, operation.params))
        submission = operation.submission
        if submission.idempotency is not None:
            values = rows.encode_idempotency(job.uid, submission, submission.idempotency)
            self._execute(SQL["insert_idempotency_key"], values)

    def save(self, before: Job, decided: Job) -> Job:
        """Keep a changed record under the next version; a tombstone loses its documents."""
        job = msgspec.structs.replace(decided, version=self._counters.next_version(), changed_at=self._now)
        self._move(before, job)
        self._draft.keep(job)
        self._unwritten.setdefault(job.uid, "update_job")
        if job.state is State.DELETED:
            self._delete_documents(before)
        return job

    def append_log(self, job: Job, pieces: Sequence[LogPiece]) -> None:
        """Keep what an attempt wrote, and drop the oldest of it beyond the limit."""
        logs.append(self._execute, job.uid, pieces, log_bytes=self._log_bytes)

    def put_result(self, job: Job, result: bytes | None) -> None:
        """Keep a job's result in place of the one before; None for none."""
        if result is None:
            self._execute(SQL["delete_result"], (job.uid,))
        else:
            self._execute(SQL["insert_result"], (job.uid, result))

    def answer(self, job: Job, key: str) -> GivenAnswer | None:
        """What was answered to a question of a job that ``has_answers``."""
        found = self._fetch("answer", job.uid, key)
        return GivenAnswer(AnswerAction(found[0][0]), bytes(found[0][1])) if found else None

    def put_answer(self, job: Job, key: str, answer: GivenAnswer) -> None:
        """Keep the answer to a question of a job, until its documents go."""
        self._execute(SQL["insert_answer"], (job.uid, key, answer.action.value, answer.value))

    def put_queue(self, state: QueueState) -> None:
        """Keep the state of a queue; it is written once per transaction."""
        self._draft.states[state.name] = state

    def remove(self, job: Job) -> None:
        """Forget a job with all its documents."""
        self._move(job, None)
        self._draft.remove(job)
        self._delete_documents(job)
        self._execute(SQL["delete_job"], (job.uid,))

    def _write_jobs(self) -> None:
        for uid, query in self._unwritten.items():
            job = self._draft.at(uid)
            assert job is not None
            self._execute(SQL[query], rows.encode_job(job) if query == "insert_job" else rows.encode_changes(job))
        self._unwritten.clear()

    def _move(self, before: Job | None, after: Job | None) -> None:
        self._dirty = True
        self._counters.rank_time = self._rank_time
        self._draft.move(before, after)
        self._counters.move(None if before is None else before.state, None if after is None else after.state)

    def _delete_documents(self, job: Job) -> None:
        for query in _DOCUMENTS:
            self._execute(SQL[query], (job.uid,))
        if job.has_answers:
            self._execute(SQL["delete_answers"], (job.uid,))

    def _job(self, query: str, key: str | int) -> Job | None:
        # What has changed in this transaction is at hand, and not looked for in the table.
        found = self._fetch(query, key)
        return rows.decode_job(found[0]) if found else None

    def _find_jobs(self, query: str, *values: str | float) -> list[Job]:
        self._write_jobs()
        return [rows.decode_job(row) for row in self._fetch(query, *values)]

    def _fetch(self, query: str, *values: str | float | None) -> Sequence[Sequence[Any]]:
        return self._execute(SQL[query], values).fetchall()
