"""The statistics that the figures are made of. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """What a figure was over the rounds."""

    median: float
    lowest: float
    highest: float


def centile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not below so many percent of them.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def spread(values: Sequence[float]) -> Spread:
    """Median, lowest and highest."""
    return Spread(statistics.median(values), min(values), max(values))
