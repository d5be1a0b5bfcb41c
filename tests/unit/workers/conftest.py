from __future__ import annotations

from collections.abc import Iterator

import pytest

from mcp_queue_plugin.workers import warden


@pytest.fixture
def subreaper() -> Iterator[None]:
    """The test's process inherits the orphans of its workers, as the engine's does."""
    warden.become_subreaper()
    yield
    warden.kill_descendants_of_self()
    warden.become_subreaper(active=False)
