"""The book that the jobs of ``app/signing.py`` sign: every run that began, whatever became of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """One begin of a job. ``begun_at`` is on the monotonic clock, which all processes of a machine share."""

    job_id: str
    attempt: int
    name: str
    begun_at: float


def read_book(path: Path) -> list[Run]:
    """The runs in the order of their signatures."""
    if not path.exists():
        return []
    lines = (line.split() for line in path.read_text().splitlines())
    return [Run(job_id, int(attempt), name, float(begun_at)) for job_id, attempt, name, begun_at in lines]
