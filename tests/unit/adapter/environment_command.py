"""A command in a module that the environment names."""

from __future__ import annotations

from mcp_proxy_adapter.commands.command_registry import registry

from tests.unit.adapter.late_command import LateCommand


class EnvironmentCommand(LateCommand):
    """Answers that it is here."""

    name = "sample_environment"


registry.register(EnvironmentCommand, "custom")
