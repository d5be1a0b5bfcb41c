"""What several of the engine's tests need."""

from __future__ import annotations

import random
import time

import pytest


@pytest.fixture
def chance() -> random.Random:
    """Chance, by a seed that is shown when the test fails."""
    seed = time.time_ns()
    print(f"seed {seed}")
    return random.Random(seed)
