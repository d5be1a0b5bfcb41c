"""An engine that ends at a random moment, orderly or not: what it has acknowledged holds after the next start."""

from __future__ import annotations

import asyncio
import json
import random
import time
from math import inf
from pathlib import Path

import pytest

from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.errors import EngineError, JobStateInvalid
from mcp_queue_plugin.model.job import Job, Submission
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.states import ENDED_STATES, State
from tests.unit.engine import racing
from tests.unit.engine.client import Notices, engine_of, warden_of
from tests.unit.engine.harness import SETUP, WAIT_SECONDS, options
from tests.unit.engine.races import runs_in

RACE_SECONDS = 4.0
JOBS_PER_LIFE = 10
LONGEST_LIFE_SECONDS = 0.5


class Ledger:
    """What clients of one queue were told over several lives of its engine."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.acknowledged: dict[str, tuple[str, float]] = {}
        """The verb that was acknowledged last for a job, and from when on it must not begin."""
        self.jobs = 0
        self._folder = folder
        self._chance = chance

    async def live(self, client: EngineClient) -> None:
        """Hand in some jobs and end most of them, until the engine is gone."""
        names = [f"job {self.jobs + number}" for number in range(JOBS_PER_LIFE)]
        self.jobs += len(names)
        await asyncio.gather(*(self._handle(client, name) for name in names))
        now = time.monotonic()
        self.acknowledged |= {name: (verb, min(at, now)) for name, (verb, at) in self.acknowledged.items()}

    async def _handle(self, client: EngineClient, job_id: str) -> None:
        chance = self._chance
        task = chance.choice((*racing.BRIEF, *racing.ENDLESS))
        what = Submission(
            job_id=job_id,
            job_type="race",
            target=f"{racing.__name__}:{task.__name__}",
            options=JobOptions(max_retries=chance.choice((0, 1)), retry_base_seconds=0.05),
        )
        value = {"runs": str(self.runs_of(job_id)), "seconds": chance.uniform(0, 0.02)}
        try:
            await client.submit(what, json.dumps(value).encode(), start=chance.random() < 0.9)
            await asyncio.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))
            verb = chance.choice(("stop", "delete"))
            ask = client.stop_job if verb == "stop" else client.delete_job
            answer = await ask(
                job_id, reason="enough", grace_seconds=chance.choice((0, 5)), wait_seconds=chance.choice((0, None))
            )
            # A worker that is only now told to begin may do so before it is told to stop, but in no later life.
            self.acknowledged[job_id] = verb, inf if answer.job.state is State.STOPPING else time.monotonic()
        except JobStateInvalid:
            """It has ended by itself."""
        except EngineError:
            """It ended meanwhile: whether it was done is not known."""

    def runs_of(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.runs"

    def check(self, job: Job) -> None:
        """What was acknowledged holds, and the job has not run since."""
        verb, at = self.acknowledged[job.job_id]
        assert job.state is (State.STOPPED if verb == "stop" else State.DELETED), (verb, job)
        assert all(began < at for _, began in runs_in(self.runs_of(job.job_id))), (at, job)


@pytest.mark.parametrize("ending", ["kill", "close"])
async def test_an_acknowledged_stop_survives_every_end(ending: str, tmp_path: Path, chance: random.Random) -> None:
    ledger, client = Ledger(tmp_path, chance), EngineClient(Notices())
    where = options(path=str(tmp_path / "queue.db"), temporary=False, max_concurrent_jobs=4, min_workers=2)
    end = time.monotonic() + RACE_SECONDS
    while time.monotonic() < end:
        await client.start(where)
        await client.warm_up(SETUP)
        life = asyncio.create_task(ledger.live(client))
        await asyncio.sleep(chance.uniform(0.1, LONGEST_LIFE_SECONDS))
        if ending == "kill":
            chance.choice((engine_of, warden_of))(client).kill()
        await client.close(chance.choice((0, 0.05)))
        await life
    await client.start(where)
    await client.warm_up(SETUP)
    try:
        left = [f"job {number}" for number in range(ledger.jobs) if f"job {number}" not in ledger.acknowledged]
        await asyncio.gather(
            *(client.delete_job(name, reason="", grace_seconds=0) for name in left), return_exceptions=True
        )
        for job_id in ledger.acknowledged:
            ledger.check((await client.status(job_id, wait_seconds=WAIT_SECONDS, until="end")).job)
        assert set((await client.health()).counts.by_state) <= {state.value for state in ENDED_STATES}
    finally:
        await client.close(0)
    assert ledger.acknowledged
    print(f"{len(ledger.acknowledged)} of {ledger.jobs} acknowledged")
