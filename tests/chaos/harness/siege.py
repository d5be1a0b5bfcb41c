"""A loaded server under random kills: it is struck, comes back, and in the end has to have kept every promise."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from mcp_queue_plugin.cli.kinds import PROGRAMS
from tests.acceptance.harness import processes
from tests.acceptance.harness.configuration import APP, write_configuration
from tests.acceptance.harness.server import GONE_SECONDS, Server
from tests.acceptance.harness.waiting import until
from tests.chaos.harness.book import Run, read_book
from tests.chaos.harness.caller import Caller
from tests.chaos.harness.promises import End, Promise, end_of
from tests.chaos.harness.report import Report
from tests.chaos.harness.schedule import Kill, schedule
from tests.chaos.harness.verdict import broken_promises

CALLERS = 4
WORKERS = 3
SETTLED_SECONDS = 120.0
HEALTHY_SECONDS = 30.0
PAGE = 1000

EXPECTED_ERRORS = {
    "worker": re.compile(r"A worker did not start: .* was killed by SIGKILL"),
    "engine": re.compile(r"The queue's engine is gone\. |The queue's engine could not be started again; "),
    "warden": re.compile(r"The queue's engine is gone\. |The queue's engine could not be started again; "),
}
"""What a server complains of when one of its processes is killed, by which that was."""

ERROR_LINE = re.compile(r"^\S+ \S+ (ERROR|CRITICAL) |^Traceback ", re.MULTILINE)


class Siege:
    """One server after another on one store, under the load of callers that outlive them."""

    def __init__(self, folder: Path, seed: int, tell: Callable[[str], object]) -> None:
        """Work in the empty ``folder``; ``tell`` gets each step in words as it happens."""
        self._chance = random.Random(f"{seed}-victims")
        self._tell = tell
        self._book = folder / "book"
        self._config = write_configuration(
            folder,
            queue_manager={"max_concurrent_jobs": WORKERS},
            # A SIGKILL takes nothing from the system's cache: what is not synced yet is lost with the power alone.
            queue_plugin={"durability": "normal", "auto_import_modules": [f"{APP}.signing"], "workers": {"min": 1}},
        )
        self._server: Server | None = None
        self._struck_at = time.monotonic()
        self._coming_back: str | None = None
        """Who has been killed, as long as the queue is not well again."""
        self._lost: set[str] = set()
        self.report = Report(seed)

    def run(self, kills: int) -> Report:
        """Strike so often, let everything come to its end, and judge."""
        with ExitStack() as at_end:
            self._start()
            at_end.callback(self._dispose)
            callers = [
                Caller(self._running.url, f"caller-{number}", f"{self.report.seed}-{number}", str(self._book))
                for number in range(CALLERS)
            ]
            for caller in callers:
                caller.start()
                at_end.callback(caller.end)
            for number, kill in enumerate(schedule(self.report.seed, kills), 1):
                self._tell(f"kill {number} of {kills}: {kill}")
                self._strike(kill)
            self._await_health()
            for caller in callers:
                caller.end()
            self._judge(callers)
        return self.report

    @property
    def _running(self) -> Server:
        assert self._server is not None
        return self._server

    def _strike(self, kill: Kill) -> None:
        if not kill.at_start:
            self._await_health()
        time.sleep(kill.after_seconds)
        self.report.kills[kill.victim] += 1
        self._struck_at = time.monotonic()
        if kill.victim == "server":
            self._kill_server()
            self._start()
        else:
            self._kill_below(kill.victim)

    def _kill_server(self) -> None:
        server = self._running
        with self._noted("orphans"):
            try:
                server.kill()
            finally:
                processes.kill(server.processes())
        self._read_log(server)
        server.close()

    def _kill_below(self, victim: str) -> None:
        self._coming_back = victim
        pid = self._chance.choice(until(lambda: self._pids_of(victim), f"there is a {victim}", HEALTHY_SECONDS))
        family = _family(pid)
        self._lost.add(victim)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with self._noted("orphans"):
            until(
                lambda: not any(map(_is_running, family)),
                f"all that the {victim} {pid} had started is gone",
                GONE_SECONDS,
            )
        with self._noted("ended with its " + victim):
            assert self._running.process.poll() is None, self._running.log_text()[-2000:]

    def _pids_of(self, kind: str) -> list[int]:
        (program,) = (program for program in PROGRAMS if PROGRAMS[program] == kind)
        return sorted(pid for pid, line in self._running.processes().items() if program in line)

    def _start(self) -> None:
        self._lost.clear()
        self._coming_back = "server"
        self._server = Server(self._config)

    def _await_health(self) -> None:
        with self._noted("did not come back"):
            self._running.wait_until_ready()
            until(self._is_healthy, "the queue is healthy", HEALTHY_SECONDS)
        if self._coming_back is not None:
            self.report.back_after_seconds[self._coming_back].append(time.monotonic() - self._struck_at)
            self._coming_back = None

    def _dispose(self) -> None:
        with self._noted("no orderly end"):
            self._running.dispose()
        self._read_log(self._running)

    def _read_log(self, server: Server) -> None:
        log = server.log_text()
        for found in ERROR_LINE.finditer(log):
            line = log[found.start() :].split("\n", 1)[0]
            if not any(EXPECTED_ERRORS[victim].search(line) for victim in self._lost):
                self.report.violations.append(f"in the log: {log[found.start() : found.start() + 2000]}")

    def _judge(self, callers: list[Caller]) -> None:
        self.report.violations += [f"{caller.name}: {caller.failure}" for caller in callers if caller.failure]
        self.report.acknowledged = sum(caller.acknowledged for caller in callers)
        promises = [promise for caller in callers for promise in caller.promises.values()]
        self._tell(f"waiting for the end of {len(promises)} jobs")
        with self._noted("did not come to an end"):
            until(self._is_settled, "every job that was started has ended", SETTLED_SECONDS)
        runs = read_book(self._book)
        last = self._last_records(runs, promises)
        self.report.runs = len(runs)
        self.report.jobs.update(end.status for end in last.values())
        unanswered = sum(caller.unanswered_calls for caller in callers)
        self.report.violations += broken_promises(promises, last, runs, unanswered_calls=unanswered)

    def _is_healthy(self) -> bool:
        reply = self._running.rpc("queue_health", {})
        return "error" not in reply and reply["result"].get("data", {}).get("status") == "healthy"

    def _is_settled(self) -> bool:
        health = self._running.health()
        return bool(health["pending_jobs"] == health["pending_unstarted_jobs"] and health["running_jobs"] == 0)

    def _last_records(self, runs: list[Run], promises: list[Promise]) -> dict[str, End]:
        """How every job stands; whose result it is that one shows is asked where more than one run could have it."""
        count = Counter(run.job_id for run in runs)
        only = {run.job_id: run.name for run in runs if count[run.job_id] == 1}
        wanted = {promise.job_id for promise in promises if promise.end is not None}
        last: dict[str, End] = {}
        for row in self._rows():
            job_id, status = row["job_id"], row["status"]
            if status == "completed" and (count[job_id] != 1 or job_id in wanted):
                end = end_of(self._running.status(job_id))
                assert end is not None, row
                last[job_id] = end
            else:
                last[job_id] = End(status, row["attempt"], only.get(job_id) if status == "completed" else None)
        return last

    def _rows(self) -> Iterator[dict[str, Any]]:
        for status in ({}, {"status_filter": "deleted"}):
            page = self._running.data("queue_list_jobs", limit=PAGE, **status)
            yield from page["jobs"]
            while page["next_cursor"] is not None:
                page = self._running.data("queue_list_jobs", limit=PAGE, cursor=page["next_cursor"], **status)
                yield from page["jobs"]

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        """Turn what was found wrong into a violation, and go on."""
        try:
            yield
        except AssertionError as error:
            self._tell(f"  VIOLATION: {what}")
            self.report.violations.append(f"{what}: {error}")


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _is_running(process: psutil.Process) -> bool:
    return process.is_running() and processes.is_alive(process.pid)
