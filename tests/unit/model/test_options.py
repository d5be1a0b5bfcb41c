"""How a job is to be run: what each may say, who goes before whom, and how mistakes are told."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from mcp_queue_plugin.errors import InvalidParameters, JobTimeout
from mcp_queue_plugin.model.options import JobOptions, QueueOptions, decide_options, exception_names
from mcp_queue_plugin.settings import JobDefaults
from mcp_queue_plugin.settings.schema import setting_at
from mcp_queue_plugin.words import Node, branches
from tests.unit.model.odd_values import Boom, Lane, Level, Number, OtherLane, Text, Unfinished, WithoutOffset

QUEUES = ("default", "llm", "gpu")
DEFAULTS = JobOptions()
FIELDS = QueueOptions.__struct_fields__
UTC = UTC
NOON = "2030-01-31T12:00:00"
NOON_UTC = datetime(2030, 1, 31, 12, tzinfo=UTC)


def decide(*layers: QueueOptions, defaults: JobOptions = DEFAULTS) -> JobOptions:
    options, _ = decide_options(*layers, defaults=defaults, queues=QUEUES)
    return options


def said(**options: Any) -> QueueOptions:
    return QueueOptions(**options)


def refusal_of(*layers: Any) -> InvalidParameters:
    with pytest.raises(InvalidParameters) as caught:
        decide_options(*layers, defaults=DEFAULTS, queues=QUEUES)
    return caught.value


TAKEN: list[tuple[str, object, object]] = [
    ("queue", "llm", "llm"),
    ("queue", Lane.LLM, "llm"),
    ("queue", OtherLane.LLM, "llm"),
    ("queue", Text("llm"), "llm"),
    ("priority", -1_000_000_000, -1_000_000_000),
    ("priority", 1_000_000_000, 1_000_000_000),
    ("priority", Level.HIGH, 9),
    ("delay_seconds", 0, 0.0),
    ("delay_seconds", 1_000_000_000, 1e9),
    ("delay_seconds", Number(2.5), 2.5),
    ("run_at", NOON_UTC, NOON_UTC.timestamp()),
    ("run_at", f"{NOON}Z", NOON_UTC.timestamp()),
    ("run_at", f"{NOON}+02:00", NOON_UTC.timestamp() - 7200),
    ("run_at", "20300131T120000Z", NOON_UTC.timestamp()),
    ("run_at", Text(f"{NOON}Z"), NOON_UTC.timestamp()),
    ("run_at", datetime(2030, 1, 31, 12, tzinfo=timezone(timedelta(hours=-3))), NOON_UTC.timestamp() + 10800),
    ("run_at", datetime(1815, 12, 10, tzinfo=UTC), datetime(1815, 12, 10, tzinfo=UTC).timestamp()),
    ("run_at", 0, 0.0),
    ("run_at", -1, -1.0),
    ("run_at", 1_900_000_000.5, 1_900_000_000.5),
    ("run_at", None, None),
    ("timeout_seconds", 0.001, 0.001),
    ("timeout_seconds", None, None),
    ("max_retries", 0, 0),
    ("retry_base_seconds", 0, 0.0),
    ("retry_max_seconds", 0, 0.0),
    ("retry_on", (), ()),
    ("retry_on", (ValueError, "httpx.TimeoutException"), ("ValueError", "httpx.TimeoutException")),
    ("retry_on", ["ConnectionError", Text("X")], ("ConnectionError", "X")),
    ("retry_on", (Boom, Boom.Inner), (f"{Boom.__module__}.Boom", f"{Boom.__module__}.Boom.Inner")),
    ("retry_on", (JobTimeout, KeyboardInterrupt), ("mcp_queue_plugin.errors.JobTimeout", "KeyboardInterrupt")),
    ("retry_on", ("x",) * 100, ("x",) * 100),
    ("retry_on", ("x" * 500,), ("x" * 500,)),
    ("isolation", "fresh", "fresh"),
    ("max_crashes", 1, 1),
    ("on_interrupt", "fail", "fail"),
    ("stop_grace_seconds", 0, 0.0),
]

INTEGER = "an integer from {} to 1,000,000,000"
NOT_NEGATIVE = "a number from 0 to 1,000,000,000"
A_TIME = "a time with an offset, such as 2030-01-31T12:00:00Z, or seconds since the epoch, or null"
TYPES = "a tuple of up to 100 exception types or names of such"
A_TYPE = "exception types or names of such"
A_KEY = "a Unicode text of 1 to 200 characters, or null"

REFUSED: list[tuple[str, object, str, str]] = [
    ("queue", "lmm", 'one of the queues ("default" or "gpu" or "llm")', '"lmm"'),
    ("queue", "\ud800", 'one of the queues ("default" or "gpu" or "llm")', r'"\ud800"'),
    ("queue", 5, "a string of 1 to 200 characters", "5"),
    ("queue", "", "a string of 1 to 200 characters", '""'),
    ("queue", None, "a string of 1 to 200 characters", "null"),
    ("queue", "x" * 201, "a string of 1 to 200 characters", f'"{"x" * 78}…'),
    ("priority", "high", INTEGER.format("-1,000,000,000"), '"high"'),
    ("priority", 1_000_000_001, INTEGER.format("-1,000,000,000"), "1000000001"),
    ("priority", -1_000_000_001, INTEGER.format("-1,000,000,000"), "-1000000001"),
    ("priority", 2.0, INTEGER.format("-1,000,000,000"), "2.0"),
    ("priority", True, INTEGER.format("-1,000,000,000"), "true"),
    ("priority", None, INTEGER.format("-1,000,000,000"), "null"),
    ("delay_seconds", -0.5, NOT_NEGATIVE, "-0.5"),
    ("delay_seconds", math.nan, NOT_NEGATIVE, "NaN"),
    ("delay_seconds", math.inf, NOT_NEGATIVE, "Infinity"),
    ("delay_seconds", Number("nan"), NOT_NEGATIVE, "NaN"),
    ("delay_seconds", 10**400, NOT_NEGATIVE, f"{10**78}…"),
    ("delay_seconds", "5", NOT_NEGATIVE, '"5"'),
    ("delay_seconds", False, NOT_NEGATIVE, "false"),
    ("delay_seconds", timedelta(seconds=5), NOT_NEGATIVE, "datetime.timedelta(seconds=5)"),
    ("run_at", NOON, A_TIME, f'"{NOON}"'),
    ("run_at", datetime(2030, 1, 31, 12), A_TIME, "datetime.datetime(2030, 1, 31, 12, 0)"),
    ("run_at", date(2030, 1, 31), A_TIME, "datetime.date(2030, 1, 31)"),
    ("run_at", "2030-01-31", A_TIME, '"2030-01-31"'),
    ("run_at", "tomorrow", A_TIME, '"tomorrow"'),
    ("run_at", "1900000000", A_TIME, '"1900000000"'),
    ("run_at", "", A_TIME, '""'),
    ("run_at", True, A_TIME, "true"),
    ("run_at", math.nan, A_TIME, "NaN"),
    ("run_at", math.inf, A_TIME, "Infinity"),
    ("run_at", 1_900_000_000_000, A_TIME, "1900000000000"),
    ("run_at", 10**400, A_TIME, f"{10**78}…"),
    ("run_at", [], A_TIME, "[]"),
    ("timeout_seconds", 0, "a number above 0 and up to 1,000,000,000, or null", "0"),
    ("timeout_seconds", math.nan, "a number above 0 and up to 1,000,000,000, or null", "NaN"),
    ("max_retries", -1, INTEGER.format("0"), "-1"),
    ("retry_base_seconds", -1, NOT_NEGATIVE, "-1"),
    ("retry_max_seconds", 1e10, NOT_NEGATIVE, "10000000000.0"),
    ("retry_on", ValueError, TYPES, "<class 'ValueError'>"),
    ("retry_on", "ValueError", TYPES, '"ValueError"'),
    ("retry_on", None, TYPES, "null"),
    ("retry_on", {ValueError}, TYPES, "{<class 'ValueError'>}"),
    ("retry_on", ("x",) * 101, TYPES, "[" + '"x", ' * 15 + '"x"…'),
    ("retry_on", (int,), A_TYPE, "<class 'int'>"),
    ("retry_on", ("ok", 3), A_TYPE, "3"),
    ("retry_on", ("",), A_TYPE, '""'),
    ("retry_on", ("\ud800",), A_TYPE, r'"\ud800"'),
    ("retry_on", ("x" * 501,), A_TYPE, f'"{"x" * 78}…'),
    ("retry_on", (ValueError("x"),), A_TYPE, "ValueError('x')"),
    ("idempotency_key", "", A_KEY, '""'),
    ("idempotency_key", "k" * 201, A_KEY, f'"{"k" * 78}…'),
    ("idempotency_key", "a\0b", A_KEY, r'"a\u0000b"'),
    ("idempotency_key", "\ud800", A_KEY, r'"\ud800"'),
    ("idempotency_key", 7, A_KEY, "7"),
    ("isolation", "cold", '"fresh" or "warm"', '"cold"'),
    ("isolation", "\ud800", '"fresh" or "warm"', r'"\ud800"'),
    ("max_crashes", 0, INTEGER.format("1"), "0"),
    ("on_interrupt", b"fail", '"fail" or "retry"', "b'fail'"),
    ("stop_grace_seconds", "soon", NOT_NEGATIVE, '"soon"'),
]


@pytest.mark.parametrize(("field", "value", "held"), TAKEN)
def test_a_value_that_is_allowed_is_taken(field: str, value: object, held: object) -> None:
    taken = getattr(decide(said(**{field: value})), field)
    assert taken == held
    assert type(taken) is type(held)


@pytest.mark.parametrize(("field", "value", "allowed", "shown"), REFUSED)
def test_a_mistake_names_the_field_what_is_allowed_and_the_value(
    field: str, value: object, allowed: str, shown: str
) -> None:
    error = refusal_of(said(**{field: value}))
    assert str(error) == f"{field} must be {allowed}, not {shown}"
    assert error.data == {"field": field, "violation": "value", "got": shown}


def test_an_integer_that_python_does_not_write_is_refused_too() -> None:
    assert str(refusal_of(said(max_retries=10**5000))).endswith(", not <integer of 16,610 bits>")


def test_both_tables_know_every_option() -> None:
    assert {field for field, *_ in TAKEN} | {"idempotency_key"} == set(FIELDS)
    assert {field for field, *_ in REFUSED} == set(FIELDS)


def test_what_nobody_says_is_the_default() -> None:
    assert decide() is DEFAULTS
    assert decide(said(), said()) is DEFAULTS


def test_the_call_goes_before_the_class_and_the_class_before_the_settings() -> None:
    defaults = JobOptions(priority=1, max_retries=1, timeout_seconds=1.0, max_crashes=7)
    of_class = said(priority=2, max_retries=2, queue="llm")
    of_call = said(priority=3, timeout_seconds=None)
    assert decide(of_call, of_class, defaults=defaults) == JobOptions(
        priority=3, max_retries=2, timeout_seconds=None, queue="llm", max_crashes=7
    )


def test_the_queue_of_the_defaults_is_looked_for_too() -> None:
    with pytest.raises(InvalidParameters, match="queue must be one of the queues"):
        decide_options(defaults=JobOptions(queue="gone"), queues=QUEUES)


def test_a_mistake_counts_even_where_another_layer_goes_before_it() -> None:
    assert refusal_of(said(priority=1), said(priority="high")).data["field"] == "priority"


def test_what_is_no_options_is_refused() -> None:
    error = refusal_of({"priority": 3})
    assert str(error) == 'options must be a QueueOptions, not {"priority": 3}'
    assert error.data["field"] == "options"


def test_an_application_may_derive_its_own_options() -> None:
    class Ours(QueueOptions, frozen=True, kw_only=True):
        team: str = "us"

    assert decide(Ours(priority=3)) == JobOptions(priority=3)


@pytest.mark.parametrize(
    ("call", "of_class", "held"),
    [
        (said(run_at=5), said(delay_seconds=60), JobOptions(run_at=5.0)),
        (said(delay_seconds=60), said(run_at=5), JobOptions(delay_seconds=60.0)),
        (said(delay_seconds=0), said(run_at=5), JobOptions()),
        (said(run_at=None), said(delay_seconds=60), JobOptions()),
        (said(run_at=None, delay_seconds=7), said(run_at=5), JobOptions(delay_seconds=7.0)),
        (said(run_at=5, delay_seconds=0), said(), JobOptions(run_at=5.0)),
        (said(priority=1), said(run_at=5), JobOptions(run_at=5.0, priority=1)),
    ],
)
def test_when_a_job_runs_is_one_decision(call: QueueOptions, of_class: QueueOptions, held: JobOptions) -> None:
    assert decide(call, of_class) == held


def test_when_a_job_runs_replaces_what_the_defaults_say_of_it() -> None:
    assert decide(said(run_at=5), defaults=JobOptions(delay_seconds=9.0)) == JobOptions(run_at=5.0)
    assert decide(said(priority=1), defaults=JobOptions(delay_seconds=9.0)).delay_seconds == 9.0


@pytest.mark.parametrize("replaced_by", [(), (said(run_at=None),), (said(delay_seconds=1),)])
def test_nobody_says_two_times_at_once(replaced_by: tuple[QueueOptions, ...]) -> None:
    error = refusal_of(*replaced_by, said(run_at=NOON_UTC, delay_seconds=5))
    assert str(error) == "run_at cannot be given together with delay_seconds: both say when the job runs"
    assert error.data["field"] == "run_at"


def test_nobody_bounds_a_wait_below_its_own_beginning() -> None:
    assert decide(said(retry_base_seconds=5, retry_max_seconds=5)).retry_max_seconds == 5
    error = refusal_of(said(retry_base_seconds=5, retry_max_seconds=4))
    assert str(error) == "retry_max_seconds must be at least retry_base_seconds (5.0), not 4"
    assert error.data["field"] == "retry_max_seconds"


def test_somebody_elses_bound_holds_for_a_longer_wait() -> None:
    held = decide(said(retry_max_seconds=4), said(retry_base_seconds=600))
    assert (held.retry_base_seconds, held.retry_max_seconds) == (600.0, 4.0)
    assert decide(said(retry_base_seconds=600)).retry_max_seconds == 300.0


@pytest.mark.parametrize("key", ["k", "ключ", "k" * 200, Text("k"), " "])
def test_the_idempotency_key_is_told_beside_the_options(key: str) -> None:
    options, decided = decide_options(said(idempotency_key=key), defaults=DEFAULTS, queues=QUEUES)
    assert options is DEFAULTS
    assert decided == key
    assert type(decided) is str


def test_the_idempotency_key_of_the_call_goes_before_the_classes() -> None:
    of_class = said(idempotency_key="class")
    for call, key in ((said(idempotency_key="call"), "call"), (said(idempotency_key=None), None), (said(), "class")):
        assert decide_options(call, of_class, defaults=DEFAULTS, queues=QUEUES)[1] == key


def test_a_time_without_an_offset_is_refused_in_every_disguise() -> None:
    for moment in (datetime(2030, 1, 1, tzinfo=WithoutOffset()), datetime(2030, 1, 1, tzinfo=Unfinished())):
        assert refusal_of(said(run_at=moment)).data["field"] == "run_at"


def test_the_first_and_the_last_moment_are_taken() -> None:
    for moment in (datetime.min, datetime.max.replace(microsecond=0)):
        aware = moment.replace(tzinfo=UTC)
        assert decide(said(run_at=aware)).run_at == aware.timestamp()


def test_exceptions_have_their_own_names_and_those_of_their_bases() -> None:
    assert exception_names(Boom) == (
        "Boom",
        f"{Boom.__module__}.Boom",
        "ValueError",
        "Exception",
        "BaseException",
    )
    assert exception_names(JobTimeout)[:4] == (
        "JobTimeout",
        "mcp_queue_plugin.errors.JobTimeout",
        "QueueError",
        "mcp_queue_plugin.errors.QueueError",
    )


@pytest.mark.parametrize("kind", [Boom, Boom.Inner, ValueError, JobTimeout, UnicodeDecodeError, KeyboardInterrupt])
def test_a_type_is_found_by_its_name_and_by_that_of_any_base(kind: type[BaseException]) -> None:
    names = set(exception_names(kind))
    for base in kind.__mro__:
        if base is not object:
            assert set(decide(said(retry_on=(base,))).retry_on) <= names
    assert names.isdisjoint(decide(said(retry_on=(ZeroDivisionError,))).retry_on)


def test_a_type_of_the_servers_script_is_found_under_the_name_that_workers_import() -> None:
    in_script = type("Boom", (Exception,), {"__module__": "__main__"})
    in_worker = type("Boom", (Exception,), {"__module__": "my_server"})
    assert set(decide(said(retry_on=(in_script,))).retry_on) <= set(exception_names(in_worker))


SHARED = [*JobDefaults.model_fields, "isolation"]


@pytest.mark.parametrize("field", [field for field in SHARED if field != "queue"])
def test_an_option_allows_what_its_setting_allows(field: str) -> None:
    section = "workers" if field == "isolation" else "job_defaults"
    setting = setting_at(("queue_plugin", section, field))
    option = msgspec.json.schema(JobOptions)["$defs"]["JobOptions"]["properties"][field]
    assert setting is not None
    assert [bounds(branch) for branch in branches(option)] == [bounds(branch) for branch in branches(setting)]
    assert option["default"] == setting["default"]


def bounds(node: Node) -> dict[str, Any]:
    if "enum" in node:
        return {"enum": sorted(node["enum"])}
    return {key: node[key] for key in ("type", "minimum", "exclusiveMinimum", "maximum") if key in node}
