"""Whether a failed attempt is followed by another, and when."""

from __future__ import annotations

from mcp_queue_plugin.model.operations import Ending, EndingKind
from mcp_queue_plugin.model.options import JobOptions

MAX_DOUBLINGS = 60


def wants_retry(options: JobOptions, retries: int, ending: Ending) -> bool:
    """Whether an attempt that ended so is tried again, after ``retries`` retries before.

    An error that a command returned counts like one that it raised.
    """
    failed = ending.kind is EndingKind.FAILED or (ending.kind is EndingKind.COMPLETED and ending.completed_with_error)
    return failed and retries < options.max_retries and _is_worth_it(options, ending)


def retry_delay_seconds(options: JobOptions, retries: int, jitter: float) -> float:
    """How long to wait before the next retry: exponential backoff with full jitter.

    ``jitter`` is a random number from 0 to 1. See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """
    longest = min(options.retry_base_seconds * 2.0 ** min(retries, MAX_DOUBLINGS), options.retry_max_seconds)
    return jitter * longest


def _is_worth_it(options: JobOptions, ending: Ending) -> bool:
    return not options.retry_on or not set(options.retry_on).isdisjoint(ending.error_kinds)
