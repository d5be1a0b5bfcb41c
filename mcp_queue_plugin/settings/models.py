"""The settings as a whole, as immutable models."""

from __future__ import annotations

from pydantic import ConfigDict

from mcp_queue_plugin.settings.fields import Section
from mcp_queue_plugin.settings.queue_manager import QueueManagerSettings
from mcp_queue_plugin.settings.queue_plugin import PluginSettings


class Settings(Section):
    """The two sections of an adapter's configuration that this project reads."""

    # The adapter's other sections stand beside them in the same file.
    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    queue_manager: QueueManagerSettings = QueueManagerSettings()
    queue_plugin: PluginSettings = PluginSettings()
