"""From a configuration and the environment to settings, or to a list of everything that is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mcp_queue_plugin.errors import ConfigurationError
from mcp_queue_plugin.settings.environment import read_environment, variable_name
from mcp_queue_plugin.settings.fields import RULE_BROKEN
from mcp_queue_plugin.settings.models import Settings
from mcp_queue_plugin.settings.problems import Problem, dotted, nearest, shown
from mcp_queue_plugin.settings.schema import SettingPath, all_settings, in_words, schema_at, sections

_KEY = "[key]"
"""How pydantic marks an error in a key of an object rather than in its value."""


def load_settings(
    config: Mapping[str, Any],
    *,
    environ: Mapping[str, str] | None = None,
    source: str = "config",
    base_dir: Path | None = None,
) -> Settings:
    """The settings of an adapter's configuration: environment over ``config`` over defaults.

    Args:
        config: The whole configuration; sections other than ``queue_manager`` and ``queue_plugin`` are not looked at.
        environ: The environment variables; None means those of this process.
        source: What to call ``config`` in messages, such as the file's name.
        base_dir: The folder at which a relative ``registry_path`` begins; None leaves it relative to the current one.

    Raises:
        ConfigurationError: something is wrong; the message lists every problem, ``data["problems"]`` holds their
            fields.

    """
    settings, problems = _read(config, environ=os.environ if environ is None else environ, source=source)
    if settings is None or problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise ConfigurationError(
            f"the configuration is not valid:{lines}",
            problems=[problem.as_json() for problem in problems],
        )
    return _anchored(settings, base_dir)


def check_settings(config: Mapping[str, Any], *, environ: Mapping[str, str], source: str) -> list[Problem]:
    """Everything that is wrong with ``config`` and ``environ`` together; empty when ``load_settings`` would succeed.

    A value of ``config`` that a variable replaces is not looked at.
    """
    _, problems = _read(config, environ=environ, source=source)
    return problems


def _read(
    config: Mapping[str, Any], *, environ: Mapping[str, str], source: str
) -> tuple[Settings | None, list[Problem]]:
    overrides, unknown_variables = read_environment(environ)
    try:
        settings = Settings.model_validate(_merged(config, overrides))
    except ValidationError as error:
        sources = {path: variable_name(path) for path in overrides}
        problems = [_problem(details, sources, source) for details in error.errors()]
        return None, problems + unknown_variables
    return settings, unknown_variables


def _merged(config: Mapping[str, Any], overrides: Mapping[SettingPath, Any]) -> dict[str, Any]:
    merged = {name: _copied(config[name]) for name in Settings.model_fields if name in config}
    for path, value in overrides.items():
        section: Any = merged
        for key in path[:-1]:
            section = section.setdefault(key, {}) if isinstance(section, dict) else None
        # Where the file has something else than a section, that stays in place and is refused.
        if isinstance(section, dict):
            section[path[-1]] = value
    return merged


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    return value


def _problem(details: ErrorDetails, sources: Mapping[SettingPath, str], default_source: str) -> Problem:
    location = tuple(str(part) for part in details["loc"])
    in_key = location[-1] == _KEY
    path = location[:-2] if in_key else location
    source = next((sources[path[:end]] for end in range(len(path), 0, -1) if path[:end] in sources), default_source)
    found, node = details["input"], schema_at(path)
    if node is None:
        meant = nearest(path, [*sections(), *all_settings()])
        return Problem(source, dotted(path), None, "unknown key", dotted(meant) if meant else None)
    if details["type"] == RULE_BROKEN:
        message = details["msg"]
    elif in_key:
        message = f"its keys must be non-empty strings, not {shown(found)}"
    else:
        message = f"must be {in_words(node)}, not {shown(found)}"
    return Problem(source, dotted(path), found, message)


def _anchored(settings: Settings, base_dir: Path | None) -> Settings:
    manager = settings.queue_manager
    if base_dir is None or manager.registry_path is None:
        return settings
    anchored = manager.model_copy(update={"registry_path": str(base_dir / manager.registry_path)})
    return settings.model_copy(update={"queue_manager": anchored})
