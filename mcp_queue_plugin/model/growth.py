"""Whether something grows: what samples of a long run say, once it has warmed up."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

WARM_UP_SHARE = 0.5
"""This share of a run is for what is made once: caches, pools, the first of each thread."""


class Sample(msgspec.Struct, frozen=True):
    """A ``value`` after so many ``jobs``."""

    jobs: int
    value: float


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """How a value went: in the first and last sample, at its highest, and by how much it grew after the warm-up."""

    first: float
    last: float
    highest: float
    growth: float
    """By a straight line through the samples after the warm-up, so that a single one that is high counts for little."""
    grows: bool
    """Whether that is more than chance."""


def trend_of(samples: Sequence[Sample], *, tolerance: float) -> Trend:
    """What ``samples``, in the order of their jobs, say; growth up to ``tolerance`` is put down to chance.

    Raises:
        ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("there are no samples to judge growth by")
    growth = _growth(_after_warm_up(samples))
    return Trend(
        first=samples[0].value,
        last=samples[-1].value,
        highest=max(sample.value for sample in samples),
        growth=growth,
        grows=growth > tolerance,
    )


def _after_warm_up(samples: Sequence[Sample]) -> Sequence[Sample]:
    begin = samples[0].jobs + WARM_UP_SHARE * (samples[-1].jobs - samples[0].jobs)
    return [sample for sample in samples if sample.jobs >= begin]


def _growth(samples: Sequence[Sample]) -> float:
    """By how much a straight line through the samples rises from the first to the last."""
    jobs = [sample.jobs for sample in samples]
    if len(set(jobs)) < 2:
        return 0.0
    slope = statistics.linear_regression(jobs, [sample.value for sample in samples]).slope
    return slope * (jobs[-1] - jobs[0])
