"""The servers of the acceptance tests, for jobs and signals that nobody wishes them."""

from __future__ import annotations

from tests.acceptance.conftest import gate, start

__all__ = ["gate", "start"]
