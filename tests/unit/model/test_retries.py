"""Whether a failed attempt is followed by another, and after what wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.allowed import LARGEST
from mcp_queue_plugin.model.operations import Ending, EndingKind
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.retries import retry_delay_seconds, wants_retry

OPTIONS = JobOptions(max_retries=2, retry_base_seconds=3.0, retry_max_seconds=20.0)


@pytest.mark.parametrize("kind", EndingKind)
@pytest.mark.parametrize("with_error", [False, True])
def test_only_an_error_is_retried_raised_or_returned(kind: EndingKind, with_error: bool) -> None:
    is_error = kind is EndingKind.FAILED or (kind is EndingKind.COMPLETED and with_error)
    assert wants_retry(OPTIONS, 0, Ending(kind=kind, completed_with_error=with_error)) is is_error


@pytest.mark.parametrize(("retries", "expected"), [(0, True), (1, True), (2, False), (3, False)])
def test_so_many_retries_and_no_more(retries: int, expected: bool) -> None:
    assert wants_retry(OPTIONS, retries, Ending(kind=EndingKind.FAILED)) is expected


def test_no_retries_by_default() -> None:
    assert not wants_retry(JobOptions(), 0, Ending(kind=EndingKind.FAILED))


@pytest.mark.parametrize(
    ("retry_on", "error_kinds", "expected"),
    [
        ((), (), True),
        ((), ("ValueError",), True),
        (("OSError",), ("TimeoutError", "OSError", "Exception"), True),
        (("ValueError", "JobTimeout"), ("JobTimeout",), True),
        (("ErrorResult",), ("ErrorResult",), True),
        (("OSError",), ("ValueError", "Exception"), False),
        (("OSError",), (), False),
    ],
)
@pytest.mark.parametrize("kind", [EndingKind.FAILED, EndingKind.COMPLETED])
def test_only_errors_that_are_worth_it(
    kind: EndingKind, retry_on: tuple[str, ...], error_kinds: tuple[str, ...], expected: bool
) -> None:
    options = JobOptions(max_retries=1, retry_on=retry_on)
    ending = Ending(kind=kind, completed_with_error=True, error_kinds=error_kinds)
    assert wants_retry(options, 0, ending) is expected


@pytest.mark.parametrize(("retries", "longest"), [(0, 3.0), (1, 6.0), (2, 12.0), (3, 20.0), (4, 20.0), (LARGEST, 20.0)])
def test_the_longest_wait_doubles_with_each_retry_up_to_its_maximum(retries: int, longest: float) -> None:
    assert retry_delay_seconds(OPTIONS, retries, 1.0) == longest


@given(
    base=st.floats(0, LARGEST),
    most=st.floats(0, LARGEST),
    retries=st.integers(0, LARGEST),
    jitter=st.floats(0, 1),
)
def test_chance_shortens_it_by_anything_and_never_makes_it_longer(
    base: float, most: float, retries: int, jitter: float
) -> None:
    options = JobOptions(max_retries=LARGEST, retry_base_seconds=base, retry_max_seconds=most)
    longest = retry_delay_seconds(options, retries, 1.0)
    assert longest <= most
    assert longest >= min(base, most)
    assert retry_delay_seconds(options, retries, jitter) == jitter * longest
    assert retry_delay_seconds(options, retries, 0.0) == 0.0
