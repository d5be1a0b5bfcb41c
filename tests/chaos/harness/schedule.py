"""Who is killed when: chosen by a seed, so that it can be done again."""

from __future__ import annotations

import random
from typing import NamedTuple

LONGEST_LIFE_SECONDS = 1.0
LONGEST_START_SECONDS = 2.5
KILLS_AT_START = 0.25

VICTIMS = {"server": 5, "warden": 1, "engine": 2, "worker": 2}
"""Who can be killed, and how often in so many times."""


class Kill(NamedTuple):
    """Kill ``victim`` so many seconds after all was well; with ``at_start``, after the server was started again."""

    victim: str
    after_seconds: float
    at_start: bool = False

    def __str__(self) -> str:
        since = "its start" if self.at_start else "all was well"
        return f"{self.victim} {self.after_seconds:.3f} s after {since}"


def schedule(seed: int, kills: int) -> list[Kill]:
    """So many kills; now and then a server that comes back from one is killed before it is up."""
    chance = random.Random(seed)
    chosen: list[Kill] = []
    while len(chosen) < kills:
        chosen.append(_kill(chance, comes_back=bool(chosen) and chosen[-1].victim == "server"))
    return chosen


def _kill(chance: random.Random, *, comes_back: bool) -> Kill:
    if comes_back and chance.random() < KILLS_AT_START:
        return Kill("server", chance.uniform(0, LONGEST_START_SECONDS), at_start=True)
    (victim,) = chance.choices(list(VICTIMS), list(VICTIMS.values()))
    return Kill(victim, chance.uniform(0, LONGEST_LIFE_SECONDS))
