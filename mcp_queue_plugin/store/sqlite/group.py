"""A group of operations inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import apsw
import msgspec

from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    Applied,
    ById,
    ByToken,
    Claim,
    Delete,
    Finish,
    Operation,
    Outcome,
    Refusal,
    Refused,
    Report,
    Start,
    Stop,
)
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.sqlite import logs, rows
from mcp_queue_plugin.store.sqlite.counters import Counters
from mcp_queue_plugin.store.sqlite.queries import SQL


class Group:
    """Reads a record, lets the model decide, writes the record: once per operation, all at the time ``now``.

    It lives as long as its transaction, between BEGIN and COMMIT.
    """

    def __init__(self, connection: apsw.Connection, *, now: float, log_bytes: int) -> None:
        """Work in the transaction that ``connection`` is in; keep ``log_bytes`` bytes of each job's log."""
        self._execute = connection.execute
        self._counters = Counters(self._fetch("read_counters")[0])
        self._first_version = self._counters.version
        self._now = now
        self._log_bytes = log_bytes

    def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply ``operations`` in order; an outcome for each."""
        outcomes = [self._apply(operation) for operation in operations]
        if self._counters.version != self._first_version or not operations:
            # Of an empty group it is asked whether the file takes writes: so it writes.
            self._execute(SQL["write_counters"], self._counters.row)
        return outcomes

    def recover(self) -> list[Job]:
        """Settle what a dead owner left between two steps; the records this changed."""
        candidates = [rows.decode_job(row) for row in self._fetch("recoverable")]
        interrupted = [job for job in candidates if decide.needs_recovery(job)]
        recovered = [self._save(job, decide.recover(job, now=self._now)) for job in interrupted]
        self._execute(SQL["write_counters"], self._counters.row)
        return recovered

    def _apply(self, operation: Operation) -> Outcome:
        match operation:
            case Add() | Adopt():
                return self._add(operation)
            case Claim() | Report() | Finish():
                return self._change_by_token(operation)
            case Start() | Stop() | Delete():
                return self._change_by_id(operation)
            case _:
                assert_never(operation)

    def _add(self, operation: Add | Adopt) -> Outcome:
        existing = self._job("last_job", operation.submission.job_id)
        if existing is not None and existing.state is not State.DELETED:
            return Refused(Refusal.ALREADY_EXISTS, existing)
        uid, version = self._counters.next_uid(), self._counters.next_version()
        job = decide.add(operation, uid=uid, version=version, now=self._now)
        self._counters.move(None, job.state)
        self._execute(SQL["insert_job"], rows.encode_job(job))
        self._execute(SQL["insert_params"], (uid, operation.params))
        return Applied(job)

    def _change_by_id(self, operation: ById) -> Outcome:
        job = self._job("last_job", operation.job_id)
        decided = decide.by_id(operation, job, version=self._counters.version + 1, now=self._now)
        return self._settle(job, decided)

    def _change_by_token(self, operation: ByToken) -> Outcome:
        job = self._job("job_by_uid", operation.token.uid)
        outcome = self._settle(job, decide.by_token(operation, job, now=self._now))
        if isinstance(outcome, Applied) and not isinstance(operation, Claim):
            logs.append(self._execute, outcome.job.uid, operation.log, log_bytes=self._log_bytes)
            if isinstance(operation, Finish) and operation.ending.result is not None and outcome.job.has_result:
                self._execute(SQL["insert_result"], (outcome.job.uid, operation.ending.result))
        return outcome

    def _settle(self, job: Job | None, decided: Job | Refused) -> Outcome:
        if isinstance(decided, Refused):
            return decided
        if job is None or decided == job:
            return Applied(decided, changed=False)
        return Applied(self._save(job, decided), before=job.state)

    def _save(self, before: Job, decided: Job) -> Job:
        job = msgspec.structs.replace(decided, version=self._counters.next_version())
        self._counters.move(before.state, job.state)
        self._execute(SQL["update_job"], rows.encode_changes(job))
        if job.state is State.DELETED:
            for query in ("delete_params", "delete_result", "delete_log"):
                self._execute(SQL[query], (job.uid,))
        return job

    def _job(self, query: str, key: str | int) -> Job | None:
        found = self._fetch(query, key)
        return rows.decode_job(found[0]) if found else None

    def _fetch(self, query: str, *values: str | int) -> Sequence[Sequence[Any]]:
        return self._execute(SQL[query], values).fetchall()
