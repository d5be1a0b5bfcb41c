"""What is allowed alike in a setting and in an option of a job.

Bounds are arguments that pydantic's ``Field`` and msgspec's ``Meta`` both take: settings are checked by the one, and
options, which the engine's process needs without the weight of pydantic, by the other.
"""

from __future__ import annotations

from typing import Final, Literal, TypedDict

DEFAULT_QUEUE: Final = "default"
"""The queue that is always there."""

OnInterrupt = Literal["retry", "fail"]
Isolation = Literal["warm", "fresh"]
Overflow = Literal["evict_oldest", "reject"]


class Bounds(TypedDict, total=False):
    """Between which numbers a value lies."""

    ge: int
    gt: int
    le: int


LARGEST: Final = 1_000_000_000
"""The upper bound of open numbers: as seconds about 31 years, which every timer and every store can still hold."""

PRIORITY: Final[Bounds] = {"ge": -LARGEST, "le": LARGEST}
COUNT: Final[Bounds] = {"ge": 1, "le": LARGEST}
REPEATS: Final[Bounds] = {"ge": 0, "le": LARGEST}
SECONDS: Final[Bounds] = {"ge": 0, "le": LARGEST}
POSITIVE_SECONDS: Final[Bounds] = {"gt": 0, "le": LARGEST}
