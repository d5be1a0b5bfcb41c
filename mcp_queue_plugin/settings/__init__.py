"""Validated configuration: the ``queue_manager`` and ``queue_plugin`` sections, and the environment over them."""

from mcp_queue_plugin.settings.access import AccessSettings
from mcp_queue_plugin.settings.load import check_settings, load_settings
from mcp_queue_plugin.settings.models import Settings
from mcp_queue_plugin.settings.problems import Problem
from mcp_queue_plugin.settings.queue_manager import QueueManagerSettings
from mcp_queue_plugin.settings.queue_plugin import (
    JobDefaults,
    LimitSettings,
    NamedQueueSettings,
    PluginSettings,
    RetentionSettings,
    WorkerSettings,
)
from mcp_queue_plugin.settings.reference import settings_reference
from mcp_queue_plugin.settings.schema import settings_schema
from mcp_queue_plugin.settings.security import SecuritySettings

__all__ = [
    "AccessSettings",
    "JobDefaults",
    "LimitSettings",
    "NamedQueueSettings",
    "PluginSettings",
    "Problem",
    "QueueManagerSettings",
    "RetentionSettings",
    "SecuritySettings",
    "Settings",
    "WorkerSettings",
    "check_settings",
    "load_settings",
    "settings_reference",
    "settings_schema",
]
