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
from mcp_queue_plugin.settings.problems import Problem, dotted, nearest
from mcp_queue_plugin.settings.schema import SettingPath, all_settings, schema_at, sections
from mcp_queue_plugin.words import in_words, keys_in_words, shown

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
        # The innermost first, as that is where a value came from.
        variables = {path: variable_name(path) for path in sorted(overrides, key=len, reverse=True)}
        problems = [_problem(details, variables, source) for details in error.errors()]
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


def _problem(details: ErrorDetails, variables: Mapping[SettingPath, str], file: str) -> Problem:
    *path, last = (str(part) for part in details["loc"])
    if last == _KEY:
        return _key_problem(tuple(path), details["input"], variables, file)
    location = (*path, last)
    source = next((variable for setting, variable in variables.items() if location[: len(setting)] == setting), file)
    found, node = details["input"], schema_at(location)
    if node is None:
        meant = nearest(location, [*sections(), *all_settings()])
        return Problem(source, dotted(location), None, "unknown key", dotted(meant) if meant else None)
    if details["type"] == RULE_BROKEN:
        return Problem(source, dotted(location), found, details["msg"])
    return Problem(source, dotted(location), found, f"must be {in_words(node)}, not {shown(found)}")


def _key_problem(path: SettingPath, found: Any, variables: Mapping[SettingPath, str], file: str) -> Problem:
    holder = path[:-1]
    node = schema_at(holder)
    assert node is not None
    # A variable holds the key in its value, or as a name of the user's choosing in its own name.
    source = next((variable for setting, variable in variables.items() if _shares_way(setting, path)), file)
    return Problem(source, dotted(holder), found, f"each of its keys must be {keys_in_words(node)}, not {shown(found)}")


def _shares_way(one: SettingPath, other: SettingPath) -> bool:
    return all(key == other_key for key, other_key in zip(one, other, strict=False))


def _anchored(settings: Settings, base_dir: Path | None) -> Settings:
    manager = settings.queue_manager
    if base_dir is None or manager.registry_path is None:
        return settings
    anchored = manager.model_copy(update={"registry_path": str(base_dir / manager.registry_path)})
    return settings.model_copy(update={"queue_manager": anchored})
