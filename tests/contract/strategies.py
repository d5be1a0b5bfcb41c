"""Random operations: few names and small numbers, so that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from mcp_queue_plugin.allowed import Overflow
from mcp_queue_plugin.model.admission import LimitRules, limits_of
from mcp_queue_plugin.model.job import ErrorInfo, Idempotency, Question, Submission, Token
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    AnswerQuestion,
    Changes,
    Delete,
    Due,
    Ending,
    EndingKind,
    Finish,
    Operation,
    Retry,
    SetQueue,
    Start,
    Stop,
    Sweep,
)
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import JobQuery, LogQuery
from mcp_queue_plugin.model.questions import AnswerAction, GivenAnswer
from mcp_queue_plugin.model.queues import QueueRule
from mcp_queue_plugin.model.states import Status
from tests.contract.samples import submission

HOUR = 3600.0
IDS = (*"abcdefghij", "ü", "täglich/1 ✓")
OWNERS = (None, None, None, "ann")
QUEUES = ("default", "llm", "bulk")
OVERFLOWS: tuple[Overflow, ...] = ("evict_oldest", "evict_oldest", "reject")

ids = st.sampled_from(IDS)
queues = st.sampled_from(QUEUES)
texts = st.text(max_size=5)
documents = st.binary(max_size=8)

options = st.builds(
    JobOptions,
    queue=queues,
    priority=st.integers(-2, 2),
    delay_seconds=st.sampled_from([0.0, 0.0, 0.0, 0.1, 30.0, HOUR]),
    max_retries=st.sampled_from([1, 0, 2]),
    retry_base_seconds=st.sampled_from([0.0, 0.3, 45.0]),
    retry_on=st.sampled_from([(), (), (), ("Rare",)]),
    max_crashes=st.integers(1, 2),
    on_interrupt=st.sampled_from(["retry", "retry", "fail"]),
) | st.builds(JobOptions, queue=queues, run_at=st.sampled_from([500.0, 1_030.0, 1_000.0 + HOUR, 1_000.0 + 2 * HOUR]))

idempotencies = st.sampled_from(
    [None, None, *(Idempotency(key="k", fingerprint=fingerprint) for fingerprint in ("f", "g"))]
)
submissions = st.builds(
    submission,
    ids,
    job_type=st.sampled_from(["x", "y"]),
    command=st.sampled_from(["echo", "sum", None]),
    owner=st.sampled_from(OWNERS),
    options=options,
    idempotency=idempotencies,
)

at_most = st.sampled_from([None, 1, 2, 3])
limit_rules = st.builds(
    LimitRules,
    max_jobs=at_most,
    max_jobs_by_name=st.dictionaries(st.sampled_from(["x", "echo"]), st.integers(1, 3), max_size=2),
    overflow=st.sampled_from(OVERFLOWS),
)
queue_rules = st.builds(QueueRule, max_queue_size=at_most, overflow=st.sampled_from(OVERFLOWS))


def _limited_add(handed_in: Submission, params: bytes, start: bool, rules: LimitRules, queue: QueueRule) -> Add:
    return Add(submission=handed_in, params=params, start=start, limits=limits_of(handed_in, rules, queue))


KEYS = ("first", "second", "dritte ✓")
keys = st.sampled_from(KEYS)
schemas = st.sampled_from([None, None, None, '{"type":"integer"}'])
questions = st.builds(Question, key=keys, prompt=texts, schema=schemas, attempt=st.just(99))
given_answers = st.builds(GivenAnswer, st.just(AnswerAction.ACCEPT), documents) | st.builds(
    GivenAnswer, st.sampled_from([AnswerAction.DECLINE, AnswerAction.CANCEL])
)
answers = st.builds(
    AnswerQuestion, job_id=ids, key=keys, answer=given_answers, schema=schemas, owner=st.sampled_from(OWNERS)
)
unlimited_adds = st.builds(Add, submission=submissions, params=documents, start=st.booleans())
limited_adds = st.builds(
    _limited_add, submissions, documents, st.sampled_from([True, True, False]), limit_rules, queue_rules
)
limits = st.builds(limits_of, submissions, limit_rules, queue_rules)
operations: st.SearchStrategy[Operation] = st.one_of(
    unlimited_adds,
    limited_adds,
    st.builds(Adopt, submission=submissions, params=documents, description=texts),
    st.builds(Start, ids),
    st.builds(Stop, ids, texts),
    st.builds(Delete, ids, texts, st.none() | st.integers(1, 3)),
    st.builds(Retry, job_id=ids),
    answers,
    st.builds(Due, st.integers(0, 3), st.booleans()),
    st.builds(SetQueue, queues, st.booleans()),
)
sweeps = st.builds(
    Sweep,
    tombstones=st.booleans(),
    age_seconds=st.sampled_from([0.0, 0.0, 60.0, HOUR]),
    limit=st.integers(0, 3),
)

streams = st.sampled_from(["stdout", "stderr"])
written = st.binary(min_size=1, max_size=8) | st.sampled_from([b"line\n" * 50, b"x" * 300 + b"\n", b"\n"])
logs = st.lists(st.builds(LogPiece, streams, st.floats(0, 9), written, st.booleans()), max_size=3).map(tuple)
log_queries = st.builds(
    LogQuery,
    stream=st.none() | streams,
    cursor=st.integers(0, 3_000),
    limit=st.integers(1, 50),
    tail=st.booleans(),
)
changes = st.builds(
    Changes, progress=st.none() | st.integers(-5, 105), description=st.none() | texts, step=st.none() | texts
)
errors = st.none() | st.builds(ErrorInfo, type=texts, message=texts, code=st.none() | st.integers(-9, 9))
endings = st.builds(
    Ending,
    kind=st.sampled_from([EndingKind.FAILED, EndingKind.FAILED, EndingKind.COMPLETED, *EndingKind]),
    result=st.none() | documents,
    error=errors,
    completed_with_error=st.booleans(),
    error_kinds=st.sampled_from([(), ("Rare", "Exception")]),
)
finishes = st.builds(
    Finish,
    token=st.just(Token(uid=99, attempt=1)),
    ending=endings,
    jitter=st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1),
    changes=changes,
    log=logs,
)
queries = st.builds(
    JobQuery,
    status=st.none() | st.sampled_from(Status),
    queue=st.none() | queues,
    job_type=st.sampled_from([None, "x"]),
    command=st.sampled_from([None, "echo", "other"]),
    owner=st.sampled_from(OWNERS),
    order=st.sampled_from(["newest", "oldest"]),
    after_uid=st.none() | st.integers(0, 9),
    limit=st.integers(1, 4),
)
