"""What a siege has seen, in words."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class Report:
    """What a siege has seen."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    back_after_seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """How long it took from each kill until the queue was healthy again, by who was killed."""
    acknowledged: int = 0
    jobs: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{victim} {count}" for victim, count in sorted(self.kills.items()))
        jobs = ", ".join(f"{count} {status}" for status, count in sorted(self.jobs.items()))
        back = (
            f"{victim} {statistics.median(seconds):.1f} s, at most {max(seconds):.1f} s"
            for victim, seconds in sorted(self.back_after_seconds.items())
        )
        lines = [
            f"seed {self.seed}: {self.kills.total()} kills ({kills})",
            f"{self.acknowledged} acknowledgements, {self.runs} runs; in the end {jobs}",
            f"healthy again after the kill of: {'; '.join(back)} (median, longest)",
            f"{len(self.violations)} violations",
            *self.violations,
        ]
        return "\n".join(lines)
