"""Who is killed when: chosen by a seed, so that it can be done again."""

from __future__ import annotations

import random
from typing import NamedTuple

LONGEST_LIFE_SECONDS = 1.0
LONGEST_START_SECONDS = 2.5
KILLS_AT_START = 0.15

VICTIMS = {"server": 6, "worker": 2}
"""Who can be killed, and how often in so many times."""


class Kill(NamedTuple):
    """Kill ``victim`` so many seconds after the server was up; with ``at_start``, after it was started."""

    victim: str
    after_seconds: float
    at_start: bool = False

    def __str__(self) -> str:
        since = "start" if self.at_start else "server was up"
        return f"{self.victim} {self.after_seconds:.3f} s after the {since}"


def schedule(seed: int, kills: int) -> list[Kill]:
    """So many kills; one of a server that has not come up yet is always the server's."""
    chance = random.Random(seed)
    return [_kill(chance) for _ in range(kills)]


def _kill(chance: random.Random) -> Kill:
    if chance.random() < KILLS_AT_START:
        return Kill("server", chance.uniform(0, LONGEST_START_SECONDS), at_start=True)
    (victim,) = chance.choices(list(VICTIMS), list(VICTIMS.values()))
    return Kill(victim, chance.uniform(0, LONGEST_LIFE_SECONDS))
