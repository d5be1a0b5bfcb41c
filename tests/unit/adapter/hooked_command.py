"""A command that an application's hook registers."""

from __future__ import annotations

from typing import Any

from tests.unit.adapter.late_command import LateCommand


class HookedCommand(LateCommand):
    """Answers that it is here."""

    name = "sample_hooked"


def register(registry: Any) -> None:
    """Register it, as the adapter's custom commands hooks do."""
    registry.register(HookedCommand, "custom")
