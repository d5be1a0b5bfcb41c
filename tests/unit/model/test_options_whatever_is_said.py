"""Whatever is said of a job, it is refused by name or can be kept and read again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from msgspec import UNSET

from mcp_queue_plugin.errors import InvalidParameters, JobTimeout
from mcp_queue_plugin.model.options import JobOptions, QueueOptions, decide_options
from tests.unit.model.odd_values import Boom, Lane, Level, Number, Text, Ugly, Unfinished, WithoutOffset

QUEUES = ("default", "llm", "gpu")
DEFAULTS = JobOptions()
FIELDS = QueueOptions.__struct_fields__

# The machine may be busy with other things.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

numbers = st.one_of(st.integers(), st.floats(), st.booleans(), st.sampled_from([10**400, Number(2), Level.HIGH]))
texts = st.one_of(
    st.text(), st.text(st.characters(categories=["Cs"])), st.sampled_from([*QUEUES, Lane.LLM, Text("gpu")])
)
moments = st.one_of(
    st.datetimes(timezones=st.one_of(st.none(), st.timezones(), st.builds(WithoutOffset), st.builds(Unfinished))),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    st.sampled_from(["2030-01-31T12:00:00", "2030-01-31T12:00:00Z"]),
)
types = st.one_of(texts, st.sampled_from([ValueError, Boom, Boom.Inner, JobTimeout, int, type, Ugly]))
anything = st.recursive(
    st.one_of(st.none(), numbers, texts, moments, types, st.binary(), st.builds(Ugly), st.builds(object)),
    lambda inner: st.one_of(st.lists(inner), st.tuples(inner, inner), st.dictionaries(texts, inner)),
    max_leaves=5,
)
likely: Mapping[str, st.SearchStrategy[Any]] = {
    "queue": st.sampled_from(QUEUES),
    "priority": st.integers(-10, 10),
    "delay_seconds": st.floats(0, 100) | st.integers(0, 100),
    "run_at": moments | st.floats(0, 1e9) | st.none(),
    "timeout_seconds": st.floats(0.5, 100) | st.none(),
    "max_retries": st.integers(0, 5),
    "retry_base_seconds": st.floats(0, 10),
    "retry_max_seconds": st.floats(0, 10),
    "retry_on": st.lists(types).map(tuple),
    "idempotency_key": st.text(min_size=1) | st.none(),
    "isolation": st.sampled_from(["warm", "fresh"]),
    "max_crashes": st.integers(1, 5),
    "on_interrupt": st.sampled_from(["retry", "fail"]),
    "stop_grace_seconds": st.floats(0, 10),
}
some_options = st.fixed_dictionaries({}, optional=dict(likely)).map(lambda options: QueueOptions(**options))
wild_options = st.dictionaries(st.sampled_from(FIELDS), anything).map(lambda options: QueueOptions(**options))


def decided(*layers: Any) -> tuple[JobOptions, str | None] | InvalidParameters:
    try:
        return decide_options(*layers, defaults=DEFAULTS, queues=QUEUES)
    except InvalidParameters as error:
        return error


@patient
@given(layers=st.lists(st.one_of(some_options, wild_options, anything), max_size=3))
def test_options_are_refused_by_name_or_can_be_kept(layers: list[Any]) -> None:
    answer = decided(*layers)
    if isinstance(answer, InvalidParameters):
        assert answer.data["field"] in {*FIELDS, "options"}
        assert str(answer).startswith(answer.data["field"])
        assert msgspec.json.encode([str(answer), answer.data])
    else:
        options, key = answer
        kept = msgspec.json.decode(msgspec.json.encode(options), type=JobOptions)
        assert (kept, hash(kept)) == (options, hash(options))
        assert options.queue in QUEUES
        assert options.run_at is None or options.delay_seconds == 0
        assert key is None or 1 <= len(key) <= 200


@patient
@given(field=st.sampled_from(FIELDS), value=anything)
def test_a_value_is_taken_or_refused_under_its_own_name(field: str, value: Any) -> None:
    answer = decided(QueueOptions(**{field: value}))
    assert not isinstance(answer, InvalidParameters) or answer.data["field"] == field


@patient
@given(layers=st.lists(some_options, max_size=4))
def test_each_option_is_that_of_the_first_who_says_it(layers: list[QueueOptions]) -> None:
    answer = decided(*layers)
    if isinstance(answer, InvalidParameters):
        reject()
    options, key = answer
    for field in set(FIELDS) - {"run_at", "delay_seconds", "retry_on"}:
        default = getattr(DEFAULTS, field, None)
        first = next((value for layer in layers if (value := getattr(layer, field)) is not UNSET), default)
        assert (key if field == "idempotency_key" else getattr(options, field)) == first
