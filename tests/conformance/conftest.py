"""One server and one run of the suite for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.suite import Results, fixture_server, run_suite


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """What the suite has found on a server of ours."""
    folder = tmp_path_factory.mktemp("conformance")
    with fixture_server(folder / "server").serving() as server:
        yield run_suite(f"{server.url}/mcp", folder)
