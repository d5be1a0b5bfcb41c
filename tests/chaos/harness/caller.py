"""A client that loads a server: it asks for many things at random and remembers every answer."""

from __future__ import annotations

import random
import threading
import time
import traceback
from contextlib import closing
from typing import Any, NamedTuple

import httpx

from tests.acceptance.harness.client import Client
from tests.acceptance.harness.waiting import until
from tests.chaos.harness.promises import Promise, Record, Wish, end_of

LONGEST_PAUSE_SECONDS = 0.05
LATEST_JOBS = 40
BACK_SECONDS = 60.0

COMPLETED = frozenset({"completed"})
FAILED = frozenset({"failed"})
PENDING = frozenset({"pending"})


class Answer(NamedTuple):
    """What a server has answered: data, or the code of a refusal."""

    data: Record
    refusal: str | None = None


class Caller(threading.Thread):
    """One client in a thread of its own, with its own chance. ``failure`` is what should never have happened."""

    def __init__(self, url: str, name: str, seed: str, book: str) -> None:
        super().__init__(name=name, daemon=True)
        self.promises: dict[str, Promise] = {}
        self.acknowledged = 0
        """How many submissions, stops and deletions it was answered."""
        self.unanswered_calls = 0
        """How many calls of a command were not answered: each may have left a job."""
        self.failure: str | None = None
        self._url = url
        self._chance = random.Random(seed)
        self._book = book
        self._number = 0
        self._over = threading.Event()

    def end(self) -> None:
        """Let it finish what it is at, and wait for that."""
        self._over.set()
        self.join()

    def run(self) -> None:
        try:
            with closing(Client(self._url)) as self._client:
                while not self._over.wait(self._chance.uniform(0, LONGEST_PAUSE_SECONDS)):
                    (act,) = self._chance.choices(list(_ACTS), list(_ACTS.values()))
                    act(self)
        except Exception:  # noqa: BLE001 (the border of a thread)
            self.failure = traceback.format_exc()

    def quick(self) -> None:
        self._add(COMPLETED)

    def slow(self) -> None:
        self._add(COMPLETED, seconds=self._chance.uniform(0.02, 0.3), helper=self._chance.random() < 0.3)

    def flaky(self) -> None:
        self._add(COMPLETED, options={"max_retries": 3}, failures=self._chance.randint(1, 2))

    def hopeless(self) -> None:
        promise = self._add(FAILED, options={"max_retries": 1}, failures=1_000_000)
        if self._chance.random() < 0.5:
            # It may not have failed yet.
            self._ask("queue_retry_job", job_id=promise.job_id)

    def later(self) -> None:
        self._add(COMPLETED, options={"delay_seconds": self._chance.uniform(0.05, 1.5)})

    def once(self) -> None:
        self._add(COMPLETED | FAILED, command="sign_once", seconds=self._chance.uniform(0, 0.1)).runs_once = True

    def created(self) -> None:
        promise = self._add(PENDING, start=False)
        if self._chance.random() < 0.7:
            promise.outcomes = PENDING | COMPLETED
            if self._ask("queue_start_job", job_id=promise.job_id) is not None:
                promise.outcomes = COMPLETED

    def call(self) -> None:
        """Call the command itself: whose answer is lost, its id is not known."""
        answer = self._ask("sign", book=self._book)
        if answer is None:
            self.unanswered_calls += 1
            return
        assert answer.refusal is None, answer
        self._remember(Promise(answer.data["job_id"], COMPLETED, acknowledged=True))
        self.acknowledged += 1

    def repeat(self) -> None:
        """Hand in a job twice under one key; the second must be the first."""
        key = self._new_id()
        promise = self._add(COMPLETED, options={"idempotency_key": key})
        other = self._remember(Promise(f"{promise.job_id}-again", frozenset()))
        again = self._until_answered({**promise.params, "job_id": other.job_id})
        if again is not None:
            assert again.refusal is None, again
            assert again.data["job_id"] == promise.job_id, f"{key} has two jobs: {promise.job_id}, {again.data}"

    def stop(self) -> None:
        promise = self._latest()
        if promise is not None and promise.deletion is Wish.NONE:
            before, promise.stop = promise.stop, max(promise.stop, Wish.UNANSWERED)
            promise.stop = self._let_go(promise, "queue_stop_job", before)

    def delete(self) -> None:
        promise = self._latest()
        if promise is not None:
            before, promise.deletion = promise.deletion, max(promise.deletion, Wish.UNANSWERED)
            promise.deletion = self._let_go(promise, "queue_delete_job", before)

    def look(self) -> None:
        promise = self._latest()
        if promise is None:
            return
        answer = self._ask("queue_get_job_status", job_id=promise.job_id)
        if answer is None:
            return
        assert answer.refusal is None, f"{promise} is not there: {answer}"
        end = end_of(answer.data)
        if end is not None and end.status == "completed" and promise.is_wanted:
            assert promise.end in (None, end), f"{promise} has now ended as {end}"
            promise.end = end

    def _let_go(self, promise: Promise, method: str, before: Wish) -> Wish:
        answer = self._ask(method, job_id=promise.job_id, grace_seconds=self._chance.choice([0, 0.1]))
        if answer is None:
            return max(before, Wish.UNANSWERED)
        if answer.refusal is not None:
            assert answer.refusal == "JOB_STATE_INVALID", f"{promise}: {answer}"
            return before
        self.acknowledged += 1
        if answer.data["status"] in ("stopped", "deleted") and promise.let_go_at is None:
            promise.let_go_at = time.monotonic()
        return Wish.ACKNOWLEDGED

    def _add(
        self,
        outcomes: frozenset[str],
        *,
        command: str = "sign",
        start: bool = True,
        options: Record | None = None,
        **params: Any,
    ) -> Promise:
        job_id = self._new_id()
        call = {"command": command, "params": {"book": self._book, **params}}
        handed_in = {"job_type": "command_execution", "job_id": job_id, "params": call, "start": start}
        promise = self._remember(Promise(job_id, outcomes, {**handed_in, **(options or {})}))
        answer = self._until_answered(promise.params)
        if answer is not None:
            promise.acknowledged = True
            self.acknowledged += 1
        return promise

    def _until_answered(self, params: Record) -> Answer | None:
        """Hand a job in until it is known to be there; None if that is not known in the end."""
        repeated = False
        while True:
            answer = self._ask("queue_add_job", **params)
            if answer is not None:
                assert answer.refusal is None or (repeated and answer.refusal == "JOB_ALREADY_EXISTS"), answer
                return answer
            if self._over.is_set():
                return None
            repeated = True

    def _ask(self, method: str, **params: Any) -> Answer | None:
        """Ask once; None if the answer was lost with the server or its engine. It is then waited for the next."""
        try:
            reply = self._client.rpc(method, params)
        except httpx.TransportError:
            until(lambda: self._client.is_healthy() or self._over.is_set(), "the server is back", BACK_SECONDS)
            return None
        error = reply.get("error") or reply["result"].get("error")
        if not error:
            return Answer(reply["result"].get("data") or reply["result"])
        code = (error.get("data") or {}).get("domain_code")
        assert code, f"{method} of {params} was answered with {error}"
        if code != "ENGINE_UNAVAILABLE":
            return Answer({}, code)
        self._over.wait(LONGEST_PAUSE_SECONDS)
        return None

    def _latest(self) -> Promise | None:
        known = [promise for promise in list(self.promises.values())[-LATEST_JOBS:] if promise.acknowledged]
        return self._chance.choice(known) if known else None

    def _remember(self, promise: Promise) -> Promise:
        return self.promises.setdefault(promise.job_id, promise)

    def _new_id(self) -> str:
        self._number += 1
        return f"{self.name}-{self._number}"


_ACTS = {
    Caller.quick: 30,
    Caller.slow: 6,
    Caller.flaky: 4,
    Caller.hopeless: 2,
    Caller.later: 6,
    Caller.once: 4,
    Caller.created: 3,
    Caller.call: 10,
    Caller.repeat: 5,
    Caller.stop: 10,
    Caller.delete: 5,
    Caller.look: 15,
}
"""What it does, and how often in a hundred times."""
