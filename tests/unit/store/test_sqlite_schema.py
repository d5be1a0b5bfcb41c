"""The schema says what the model says, and its indexes serve the queries."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import msgspec
import pytest

from mcp_queue_plugin.errors import StoreRefused
from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.decide import Moment
from mcp_queue_plugin.model.job import Job, Question, Token
from mcp_queue_plugin.model.operations import Claim, Delete, Refused, Stop, Sweep
from mcp_queue_plugin.model.queues import QueueState
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.sqlite import rows
from mcp_queue_plugin.store.sqlite.header import APPLICATION_ID
from mcp_queue_plugin.store.sqlite.live import Draft, Live
from mcp_queue_plugin.store.sqlite.queries import SQL
from mcp_queue_plugin.store.sqlite.records import _IN_SCOPE, SqliteRecords
from mcp_queue_plugin.store.sqlite.schema import MIGRATIONS
from mcp_queue_plugin.store.steps import Steps
from tests.contract.samples import add, applied, finish
from tests.unit.store.conftest import NewStore


@pytest.fixture
def connection() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    for script in MIGRATIONS:
        connection.execute(script)
    return connection


def _insert(connection: apsw.Connection, uid: int, state: str) -> None:
    job = decide.add(add(f"job {uid}"), uid=uid, at=Moment(1.0, 1.0, uid))
    values = list(rows.encode_job(job))
    values[Job.__struct_fields__.index("state")] = state
    connection.execute(SQL["insert_job"], values)


def test_the_schema_knows_the_states_of_the_model(connection: apsw.Connection) -> None:
    for uid, state in enumerate(State):
        _insert(connection, uid, state.value)
    found = connection.execute("SELECT state, status FROM jobs ORDER BY uid").fetchall()
    assert found == [(state.value, state.status.value) for state in State]
    with pytest.raises(apsw.ConstraintError):
        _insert(connection, 99, "lost")


def test_the_columns_are_the_fields_of_a_record(connection: apsw.Connection) -> None:
    columns = [row[1] for row in connection.execute("PRAGMA table_info(jobs)").fetchall()]
    assert columns == [*Job.__struct_fields__, "queue"]


def test_there_is_a_counter_per_state(connection: apsw.Connection) -> None:
    columns = [row[1] for row in connection.execute("PRAGMA table_info(counters)").fetchall()]
    assert columns == ["id", "version", "last_uid", "rank_time", *State]


def test_the_columns_of_a_queue_are_the_fields_of_its_state(connection: apsw.Connection) -> None:
    columns = [row[1] for row in connection.execute("PRAGMA table_info(queues)").fetchall()]
    assert columns == list(QueueState.__struct_fields__)


def test_a_queues_state_survives_its_row(connection: apsw.Connection) -> None:
    state = QueueState(
        name="täglich",
        paused=True,
        consecutive_failures=3,
        ended_at=1.1,
        average_seconds=0.1 + 0.2,
        processed_total=2**40,
        failed_total=4,
    )
    for expected in (QueueState(name="täglich"), state):
        connection.execute(SQL["put_queue"], rows.encode_queue(expected))
        (row,) = connection.execute(SQL["queues"]).fetchall()
        assert rows.decode_queue(row) == expected


PLANS = [
    ("job_by_uid", "", ["INTEGER PRIMARY KEY"]),
    ("last_job", "", ["jobs_named (job_id=?)"]),
    ("queued_jobs", "", ["jobs_queued (queue=?)", "params USING INTEGER PRIMARY KEY"]),
    ("count_behind", "", ["COVERING INDEX jobs_queued (queue=? AND (rank,order)>(?,?))", "SCAN (subquery-1)"]),
    ("count_between", "", ["COVERING INDEX jobs_queued (queue=? AND (rank,order)>(?,?) AND (rank,order)<(?,?))"]),
    ("oldest_queued_at", "", ["COVERING INDEX jobs_queued"]),
    ("due_jobs", "", ["jobs_scheduled (not_before<?)"]),
    ("later_jobs", "", ["jobs_scheduled (not_before>?)"]),
    ("next_due", "", ["COVERING INDEX jobs_scheduled"]),
    *(("oldest_pending", condition, ["jobs_living (owner=? AND status=?)"]) for condition in _IN_SCOPE.values()),
    *(("oldest_running", condition, ["jobs_living (owner=? AND status=?)"]) for condition in _IN_SCOPE.values()),
    ("recoverable", "", ["jobs_listed (status=?)", "jobs_listed (status=?)", "jobs_scheduled (not_before>?)"]),
    ("old_finished_jobs", "", ["jobs_finished (completed_at<?)"]),
    ("old_tombstones", "", ["jobs_deleted (deleted_at<?)"]),
    ("same_submission", "", ["idempotency_keys_of_subject (key=? AND subject=?)", "jobs USING INTEGER PRIMARY KEY"]),
    ("delete_idempotency_key", "", ["INTEGER PRIMARY KEY"]),
    ("answer", "", ["answers_1 (uid=? AND key=?)"]),
    ("delete_answers", "", ["answers_1 (uid=?)"]),
    ("log_begin", "", ["log_pieces_in_order (uid=? AND stream=?)"]),
    ("log_end", "", ["log_pieces_in_order (uid=? AND stream=?)"]),
    ("log_pieces_back", "", ["log_pieces_in_order (uid=? AND stream=?)"]),
    ("list_newest", "status = ?", ["jobs_listed (status=?)"]),
    ("list_oldest", "status = ? AND uid > ?", ["jobs_listed (status=? AND rowid>?)"]),
    ("list_newest", "status <> ? AND owner = ?", ["jobs_owned (owner=?)"]),
    ("list_newest", "status <> ?", ["SCAN jobs"]),
    ("tallies", "", ["jobs_listed (status=?)", "TEMP B-TREE FOR GROUP BY"]),
]


@pytest.mark.parametrize(("query", "conditions", "steps"), PLANS)
def test_a_query_reads_only_what_it_answers(
    connection: apsw.Connection, query: str, conditions: str, steps: list[str]
) -> None:
    """In the order that it answers in: nothing but the one count at the start is sorted apart."""
    # As the store plans them: without a look at the values.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    sql = SQL[query].format(conditions=conditions, condition=conditions)
    rows_of_plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * sql.count("?")).fetchall()
    found = [str(row[3]) for row in rows_of_plan]
    reading = [step for step in found if step.startswith(("SEARCH", "SCAN", "USE TEMP"))]
    assert len(reading) == len(steps)
    for step, expected in zip(reading, steps, strict=True):
        assert expected in step


def test_an_index_is_no_larger_than_what_it_serves(connection: apsw.Connection) -> None:
    """Each partial index holds the jobs of its states and no others."""
    connection.execute(SQL["insert_job"], rows.encode_job(decide.add(add("queued"), uid=1, at=Moment(1.0, 1.0, 1))))
    for uid, (state, fields) in enumerate(_OF_INDEX.values(), start=2):
        job = decide.add(add(str(uid)), uid=uid, at=Moment(1.0, 1.0, uid))
        connection.execute(SQL["insert_job"], rows.encode_job(msgspec.structs.replace(job, state=state, **fields)))
    for index, (state, _) in _OF_INDEX.items():
        (condition,) = re.findall(rf"CREATE INDEX {index} ON jobs \(\w+\) WHERE (.*);", MIGRATIONS[0])
        found = connection.execute(f"SELECT state FROM jobs WHERE {condition}").fetchall()
        assert found == [(state.value,)]


_OF_INDEX: dict[str, tuple[State, dict[str, float]]] = {
    "jobs_scheduled": (State.SCHEDULED, {"not_before": 5.0}),
    "jobs_finished": (State.STOPPED, {"completed_at": 5.0}),
    "jobs_deleted": (State.DELETED, {"completed_at": 5.0, "deleted_at": 6.0}),
}


def _content(path: Path) -> bytes:
    return path.read_bytes()


SECOND = """
CREATE TABLE labels (uid INTEGER PRIMARY KEY, label TEXT NOT NULL) STRICT;
INSERT INTO labels SELECT uid, job_id FROM jobs;
"""


async def test_an_older_store_is_migrated_and_a_newer_one_refused(new_store: NewStore, path: Path) -> None:
    store = new_store()
    await store.open()
    job = await applied(store, add("a"))
    await store.close()

    newer = new_store(migrations=(*MIGRATIONS, SECOND))
    await newer.open()
    assert await newer.get("a") == job
    await newer.close()
    connection = apsw.Connection(str(path))
    assert connection.execute("SELECT * FROM labels").fetchall() == [(job.uid, "a")]
    assert connection.pragma("user_version") == 2
    connection.close()

    before = _content(path)
    with pytest.raises(StoreRefused, match="its schema has version 2, and this release knows versions up to 1"):
        await new_store().open()
    assert _content(path) == before


async def test_a_job_that_asks_nothing_costs_nothing_of_questions(connection: apsw.Connection) -> None:
    """No query of its life, from the first to the last, is about answers, and its row holds nothing of questions."""
    statements: list[str] = []

    def trace(_cursor: object, sql: str, _values: object) -> bool:
        statements.append(sql)
        return True

    connection.exec_trace = trace
    records = SqliteRecords(connection, Draft(Live()), now=1.0, log_bytes=1_000)
    steps = Steps(records)
    for operation in (
        add("a"),
        Claim(Token(1, 1)),
        finish(Token(1, 1), result=b"1"),
        Sweep(tombstones=False, age_seconds=-1.0, limit=1),
        add("b"),
        Stop("b"),
        Delete("b"),
    ):
        outcome = steps.apply(operation)
        assert not isinstance(outcome, Refused)
        records.flush(always=True)
    assert statements
    assert not [sql for sql in statements if "answers " in sql.replace("has_answers", "")]
    assert connection.execute("SELECT DISTINCT questions, has_answers FROM jobs").fetchall() == [(None, 0)]


async def test_a_failed_migration_changes_nothing(new_store: NewStore) -> None:
    store = new_store()
    await store.open()
    job = await applied(store, add("a"))
    await store.close()
    with pytest.raises(apsw.SQLError):
        await new_store(migrations=(*MIGRATIONS, SECOND, "DROP TABLE nothing")).open()
    again = new_store()
    await again.open()
    assert await again.get("a") == job


async def test_a_creation_that_was_cut_short_is_completed(new_store: NewStore, path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", APPLICATION_ID)
    connection.close()
    store = new_store()
    await store.open()
    await applied(store, add("a"))


def test_a_record_survives_its_row(connection: apsw.Connection) -> None:
    job = decide.add(add("a"), uid=1, at=Moment(1.0, 1.0, 1))
    questions = (Question(key="k", prompt="ü?", schema="{}", attempt=2), Question(key="l", prompt="", attempt=1))
    job = msgspec.structs.replace(job, not_before=9.5, step="s", reason="r", questions=questions, has_answers=True)
    connection.execute(SQL["insert_job"], rows.encode_job(job))
    (row,) = connection.execute(SQL["job_by_uid"], (1,)).fetchall()
    assert rows.decode_job(row) == job
