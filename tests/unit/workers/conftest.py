from __future__ import annotations

from collections.abc import Iterator

import pytest

from mcp_queue_plugin.workers import orphans


@pytest.fixture
def subreaper() -> Iterator[None]:
    """The test's process inherits the orphans of its workers, as the engine's does."""
    orphans.become_subreaper()
    yield
    orphans.kill_descendants_of_self()
    orphans.become_subreaper(active=False)
