"""The short siege; ``scripts/chaos`` is the long one."""

from __future__ import annotations

import random
from pathlib import Path

from tests.chaos.harness.schedule import VICTIMS, schedule
from tests.chaos.harness.siege import Siege

KILLS = 20


def test_twenty_random_kills_break_no_promise(tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    print(f"again: scripts/chaos --kills {KILLS} --seed {seed}")
    report = Siege(tmp_path, seed, print).run(KILLS)
    print(report)
    assert report.violations == []
    assert report.kills.total() == KILLS
    assert report.acknowledged > KILLS
    assert report.jobs["completed"] > KILLS
    assert {"failed", "stopped", "deleted"} <= report.jobs.keys()


def test_a_seed_gives_its_schedule_again() -> None:
    assert schedule(7, 50) == schedule(7, 50)
    assert schedule(7, 50) != schedule(8, 50)
    assert {kill.victim for kill in schedule(7, 200)} == VICTIMS.keys()
