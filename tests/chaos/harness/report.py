"""What a siege has seen, in words."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """What a siege has seen."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    start_seconds: list[float] = field(default_factory=list)
    acknowledged: int = 0
    jobs: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} of a {victim}" for victim, count in sorted(self.kills.items()))
        jobs = ", ".join(f"{count} {status}" for status, count in sorted(self.jobs.items()))
        starts = sorted(self.start_seconds)
        lines = [
            f"seed {self.seed}: {self.kills.total()} kills ({kills})",
            f"{self.acknowledged} acknowledgements, {self.runs} runs; in the end {jobs}",
            f"{len(starts)} starts, healthy after {statistics.median(starts):.1f} s; the slowest {starts[-1]:.1f} s",
            f"{len(self.violations)} violations",
            *self.violations,
        ]
        return "\n".join(lines)
