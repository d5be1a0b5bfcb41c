"""How mistakes are told: unknown keys, nearest names, everything at once."""

from __future__ import annotations

import json
import math
from types import MappingProxyType
from typing import Any

import pytest

from mcp_queue_plugin.errors import ConfigurationError
from mcp_queue_plugin.settings import Problem, check_settings, load_settings

UNKNOWN_KEYS: list[tuple[dict[str, Any], str]] = [
    (
        {"queue_plugin": {"workers": {"mni": 1}}},
        "queue_plugin.workers.mni: unknown key; did you mean queue_plugin.workers.min?",
    ),
    (
        {"queue_plugin": {"job_defaults": {"max_crash": 1}}},
        "queue_plugin.job_defaults.max_crash: unknown key; did you mean queue_plugin.job_defaults.max_crashes?",
    ),
    (
        {"queue_plugin": {"worker": {}}},
        "queue_plugin.worker: unknown key; did you mean queue_plugin.workers?",
    ),
    (
        {"queue_manager": {"max_concurrent_job": 1}},
        "queue_manager.max_concurrent_job: unknown key; did you mean queue_manager.max_concurrent_jobs?",
    ),
    (
        {"queue_plugin": {"max_concurrent_jobs": 1}},
        "queue_plugin.max_concurrent_jobs: unknown key; did you mean queue_manager.max_concurrent_jobs?",
    ),
    (
        {"queue_plugin": {"min": 1}},
        "queue_plugin.min: unknown key; did you mean queue_plugin.workers.min?",
    ),
    (
        {"queue_plugin": {"queues": {"llm": {"max_queue_sise": 1}}}},
        "queue_plugin.queues.llm.max_queue_sise: unknown key; did you mean queue_plugin.queues.llm.max_queue_size?",
    ),
    (
        {"queue_plugin": {"queues": {"llm": {"timeout_seconds": 1}}}},
        (
            "queue_plugin.queues.llm.timeout_seconds: unknown key; "
            "did you mean queue_plugin.job_defaults.timeout_seconds?"
        ),
    ),
    (
        {"queue_plugin": {"min_pause_seconds": 1}},
        ("queue_plugin.min_pause_seconds: unknown key; did you mean queue_plugin.queues.<name>.min_pause_seconds?"),
    ),
    (
        {"queue_manager": {"overflow": "reject"}},
        "queue_manager.overflow: unknown key; did you mean queue_plugin.limits.overflow?",
    ),
    (
        {"queue_plugin": {"queue": {}}},
        "queue_plugin.queue: unknown key; did you mean queue_plugin.queues?",
    ),
    (
        {"queue_plugin": {"url": "redis://:secret@host"}},
        "queue_plugin.url: unknown key",
    ),
]


@pytest.mark.parametrize(("config", "line"), UNKNOWN_KEYS)
def test_an_unknown_key_names_the_nearest_one(config: dict[str, Any], line: str) -> None:
    problems = check_settings(config, environ={}, source="config.json")
    assert [str(problem) for problem in problems] == [f"config.json: {line}"]


def test_a_key_that_is_no_string_is_unknown() -> None:
    (problem,) = check_settings({"queue_plugin": {1: 2}}, environ={}, source="config")
    assert str(problem) == "config: queue_plugin.1: unknown key"


def test_an_unknown_keys_value_is_not_repeated() -> None:
    (problem,) = check_settings({"queue_plugin": {"url": "redis://:secret@host"}}, environ={}, source="config.json")
    assert problem.value is None
    assert "secret" not in str(problem)


def test_a_problem_carries_its_parts() -> None:
    config = {"queue_plugin": {"workers": {"min": "two", "mxn": 1}}}
    assert check_settings(config, environ={}, source="config.json") == [
        Problem(
            source="config.json",
            path="queue_plugin.workers.min",
            value="two",
            message='must be an integer from 0 to 10,000, not "two"',
        ),
        Problem(
            source="config.json",
            path="queue_plugin.workers.mxn",
            value=None,
            message="unknown key",
            suggestion="queue_plugin.workers.min",
        ),
    ]


def test_all_problems_of_file_and_environment_are_told_at_once() -> None:
    config = {"queue_manager": {"enabled": "yes"}, "queue_plugin": {"durabilty": "full"}}
    environ = {"MCP_QUEUE__WORKERS__MIN": "two", "MCP_QUEUE__WORKERS__MAX": "4"}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config, environ=environ, source="config.json")
    assert str(caught.value) == "\n".join(
        [
            "the configuration is not valid:",
            '  config.json: queue_manager.enabled: must be true or false, not "yes"',
            '  MCP_QUEUE__WORKERS__MIN: queue_plugin.workers.min: must be an integer from 0 to 10,000, not "two"',
            "  config.json: queue_plugin.durabilty: unknown key; did you mean queue_plugin.durability?",
            "  MCP_QUEUE__WORKERS__MAX: queue_plugin.workers.max: unknown variable",
        ]
    )
    assert caught.value.data["problems"][2] == {
        "source": "config.json",
        "path": "queue_plugin.durabilty",
        "value": None,
        "message": "unknown key",
        "suggestion": "queue_plugin.durability",
    }


def test_the_check_finds_what_loading_refuses() -> None:
    config = {"queue_manager": {"max_queue_size": 0}}
    problems = check_settings(config, environ={}, source="config")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config, environ={})
    assert caught.value.data["problems"] == [problem.as_json() for problem in problems]


def test_the_errors_data_is_json_whatever_was_found() -> None:
    config = {"queue_manager": {"shutdown_timeout": math.nan, "registry_path": {1, 2}, "max_queue_size": object}}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config, environ={})
    found = [problem["value"] for problem in caught.value.data["problems"]]
    assert json.loads(json.dumps(found, allow_nan=False)) == ["{1, 2}", "NaN", "<class 'object'>"]
    assert "must be a non-empty string, or null, not {1, 2}" in str(caught.value)


def test_a_long_value_is_cut() -> None:
    (problem,) = check_settings({"queue_plugin": {"backend": "x" * 1000}}, environ={}, source="config")
    assert problem.message == f'must be "auto" or "sqlite", not "{"x" * 78}…'
    assert problem.value == "x" * 1000


def test_read_only_mappings_are_configurations_too() -> None:
    config = MappingProxyType({"queue_plugin": MappingProxyType({"workers": MappingProxyType({"min": 4})})})
    assert load_settings(config, environ={}).queue_plugin.workers.min == 4
