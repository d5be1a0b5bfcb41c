"""Named queues, and settings that must go together."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_queue_plugin.settings import NamedQueueSettings, PluginSettings, Problem, check_settings, load_settings
from mcp_queue_plugin.settings.environment import variable_name
from mcp_queue_plugin.settings.schema import settings_schema

NAME_WORDS = "a queue name (up to 100 lower-case letters and digits, in parts joined by one _ or -)"
NOT_A_NAME = f"each of its keys must be {NAME_WORDS}, not "

NAMES = ["llm", "default", "name", "gpu_large", "gpu-large", "7", "a-b_c-9", "a" * 100]
NO_NAMES = [
    ("LLM", '"LLM"'),
    ("", '""'),
    ("a b", '"a b"'),
    ("a.b", '"a.b"'),
    ("a__b", '"a__b"'),
    ("_a", '"_a"'),
    ("a-", '"a-"'),
    ("größe", '"größe"'),
    ("llm\n", r'"llm\n"'),
    ("a" * 101, f'"{"a" * 78}…'),
    (1, "1"),
]
LLM = {
    "max_concurrent_jobs": 1,
    "min_pause_seconds": 10,
    "backoff_base_seconds": 15,
    "backoff_max_seconds": 300,
    "max_queue_size": 50,
    "overflow": "reject",
}


def problems_of(plugin: dict[str, Any], **environ: str) -> list[str]:
    problems = check_settings({"queue_plugin": plugin}, environ=environ, source="config.json")
    return [str(problem) for problem in problems]


@pytest.mark.parametrize("name", NAMES)
def test_a_queue_has_a_name_and_settings(name: str) -> None:
    plugin = load_settings({"queue_plugin": {"queues": {name: LLM, "other": {}}}}, environ={}).queue_plugin
    assert plugin.queues[name].model_dump() == LLM
    assert plugin.queues["other"] == NamedQueueSettings()


@pytest.mark.parametrize(("name", "shown"), NO_NAMES)
def test_what_is_no_queues_name_is_told_what_one_is(name: object, shown: str) -> None:
    assert problems_of({"queues": {name: {}}}) == [f"config.json: queue_plugin.queues: {NOT_A_NAME}{shown}"]


def test_a_queues_name_is_checked_where_it_is_used_too() -> None:
    assert problems_of({"job_defaults": {"queue": "LLM"}}) == [
        f'config.json: queue_plugin.job_defaults.queue: must be {NAME_WORDS}, not "LLM"'
    ]


def test_the_schema_allows_no_other_names() -> None:
    queues = settings_schema()["$defs"]["PluginSettings"]["properties"]["queues"]
    (pattern,) = queues["patternProperties"]
    assert queues["additionalProperties"] is False
    assert queues["propertyNames"]["maxLength"] == 100
    assert all(re.fullmatch(pattern, name) for name in NAMES)


@settings(deadline=None)
@given(name=st.from_regex(r"[a-z0-9]+([_-][a-z0-9]+)*", fullmatch=True).filter(lambda name: len(name) <= 100))
def test_every_queues_name_survives_its_variable(name: str) -> None:
    variable = variable_name(("queue_plugin", "queues", name, "max_queue_size"))
    queues = load_settings({}, environ={variable: "5"}).queue_plugin.queues
    assert queues == {name: NamedQueueSettings(max_queue_size=5)}


def test_variables_change_single_settings_of_a_queue() -> None:
    config = {"queue_plugin": {"queues": {"llm": LLM}}}
    environ = {"MCP_QUEUE__QUEUES__LLM__MIN_PAUSE_SECONDS": "30", "MCP_QUEUE__QUEUES__B__MAX_QUEUE_SIZE": "2"}
    queues = load_settings(config, environ=environ).queue_plugin.queues
    assert queues["llm"].model_dump() == {**LLM, "min_pause_seconds": 30}
    assert queues["b"] == NamedQueueSettings(max_queue_size=2)


def test_a_variable_of_a_queue_goes_before_that_of_all_queues() -> None:
    environ = {
        "MCP_QUEUE__QUEUES": '{"llm": {"max_queue_size": 1, "min_pause_seconds": 2}}',
        "MCP_QUEUE__QUEUES__LLM__MAX_QUEUE_SIZE": "5",
    }
    config: dict[str, Any] = {"queue_plugin": {"queues": {"gone": {}}}}
    queues = load_settings(config, environ=environ).queue_plugin.queues
    assert queues == {"llm": NamedQueueSettings(max_queue_size=5, min_pause_seconds=2)}


def test_a_wrong_name_is_told_by_the_variable_that_has_it() -> None:
    for variable, text, shown in (
        ("MCP_QUEUE__QUEUES__A B__MAX_QUEUE_SIZE", "1", '"a b"'),
        ("MCP_QUEUE__QUEUES", '{"LLM": {}}', '"LLM"'),
    ):
        assert problems_of({}, **{variable: text}) == [f"{variable}: queue_plugin.queues: {NOT_A_NAME}{shown}"]


def test_a_wrong_name_of_the_file_is_not_a_variables() -> None:
    assert problems_of({"queues": {"LLM": {}}}, MCP_QUEUE__QUEUES__LLM__MAX_QUEUE_SIZE="1") == [
        f'config.json: queue_plugin.queues: {NOT_A_NAME}"LLM"'
    ]


def test_each_mistake_has_the_source_that_it_came_from() -> None:
    environ = {
        "MCP_QUEUE__QUEUES": '{"a": {"max_queue_size": 0}, "b": {"max_queue_size": 1}}',
        "MCP_QUEUE__QUEUES__B__MAX_QUEUE_SIZE": "0",
    }
    problems = check_settings({}, environ=environ, source="config.json")
    assert [(problem.source, problem.path) for problem in problems] == [
        ("MCP_QUEUE__QUEUES", "queue_plugin.queues.a.max_queue_size"),
        ("MCP_QUEUE__QUEUES__B__MAX_QUEUE_SIZE", "queue_plugin.queues.b.max_queue_size"),
    ]


def test_the_default_queue_of_jobs_is_one_that_there_is() -> None:
    assert problems_of({"job_defaults": {"queue": "llm"}, "queues": {"llm": {}}}) == []
    assert problems_of({"job_defaults": {"queue": "llm"}}, MCP_QUEUE__QUEUES__LLM__MIN_PAUSE_SECONDS="1") == []
    (problem,) = check_settings(
        {"queue_plugin": {"job_defaults": {"queue": "lmm"}, "queues": {"llm": {}, "gpu": {}}}},
        environ={},
        source="config.json",
    )
    assert problem == Problem(
        source="config.json",
        path="queue_plugin.job_defaults.queue",
        value="lmm",
        message='must be one of the queues ("default" or "gpu" or "llm"), not "lmm"',
    )


def test_the_default_queue_is_looked_for_among_valid_queues_only() -> None:
    assert problems_of({"job_defaults": {"queue": "llm"}, "queues": {"llm": None}}) == [
        "config.json: queue_plugin.queues.llm: must be a JSON object, not null"
    ]


@pytest.mark.parametrize(
    ("section", "base", "longest"),
    [
        ("queue_plugin.job_defaults", "retry_base_seconds", "retry_max_seconds"),
        ("queue_plugin.queues.llm", "backoff_base_seconds", "backoff_max_seconds"),
    ],
)
def test_the_longest_wait_is_not_below_the_first(section: str, base: str, longest: str) -> None:
    def problems(settings: dict[str, Any]) -> list[str]:
        _, *keys = section.split(".")
        for key in reversed(keys):
            settings = {key: settings}
        return problems_of(settings)

    assert problems({base: 7, longest: 7}) == []
    assert problems({base: 7, longest: 6.5}) == [
        f"config.json: {section}.{longest}: must be at least {base} (7.0), not 6.5"
    ]
    assert problems({base: 301}) == [f"config.json: {section}.{longest}: must be at least {base} (301.0), not 300.0"]
    assert problems({base: "7", longest: 6}) == [
        f'config.json: {section}.{base}: must be a number from 0 to 1,000,000,000, not "7"'
    ]


def test_what_goes_wrong_together_is_told_together() -> None:
    plugin = {
        "queues": {"LLM": {}, "a": {"backoff_base_seconds": 5, "backoff_max_seconds": 4}},
        "job_defaults": {"priority": "high"},
        "limits": {"overflow": "drop"},
    }
    assert problems_of(plugin) == [
        f'config.json: queue_plugin.queues: {NOT_A_NAME}"LLM"',
        "config.json: queue_plugin.queues.a.backoff_max_seconds: must be at least backoff_base_seconds (5.0), not 4.0",
        (
            "config.json: queue_plugin.job_defaults.priority: "
            'must be an integer from -1,000,000,000 to 1,000,000,000, not "high"'
        ),
        'config.json: queue_plugin.limits.overflow: must be "evict_oldest" or "reject", not "drop"',
    ]


def test_settings_in_force_are_a_valid_configuration() -> None:
    settings = load_settings({"queue_plugin": {"queues": {"llm": LLM}}}, environ={})
    assert load_settings(settings.as_json(), environ={}) == settings
    assert PluginSettings() == load_settings({}, environ={}).queue_plugin
