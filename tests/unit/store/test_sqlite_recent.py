"""The records kept at hand: the newest version of each, those written last, and never one that is no more."""

from __future__ import annotations

import msgspec
import pytest

from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.decide import Moment
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.sqlite.live import Draft, Live
from mcp_queue_plugin.store.sqlite.recent import Recent
from tests.contract.samples import add


def job(uid: int, job_id: str, state: State = State.QUEUED) -> Job:
    made = decide.add(add(job_id), uid=uid, at=Moment(now=1_000.0, rank_time=1_000.0, version=uid))
    return msgspec.structs.replace(made, state=state)


@pytest.fixture
def recent() -> Recent:
    return Recent(2)


def test_the_newest_version_is_kept(recent: Recent) -> None:
    recent.keep(job(1, "a"))
    recent.keep(job(1, "a", State.WORKING))
    assert recent.at(1) == recent.living("a") == job(1, "a", State.WORKING)


def test_what_was_written_longest_ago_is_forgotten_first(recent: Recent) -> None:
    for kept in (job(1, "a"), job(2, "b"), job(1, "a", State.WORKING), job(3, "c")):
        recent.keep(kept)
    assert (recent.at(2), recent.living("b")) == (None, None)
    assert recent.at(1) is not None
    assert recent.living("c") == job(3, "c")


def test_a_tombstone_is_known_by_its_uid_alone(recent: Recent) -> None:
    recent.keep(job(1, "a"))
    recent.keep(job(1, "a", State.DELETED))
    assert recent.living("a") is None
    assert recent.at(1) == job(1, "a", State.DELETED)


def test_a_forgotten_tombstone_does_not_take_the_next_of_its_name_along(recent: Recent) -> None:
    recent.keep(job(1, "a", State.DELETED))
    recent.keep(job(2, "a"))
    recent.forget(1)
    assert recent.living("a") == job(2, "a")


def test_a_store_of_none_keeps_none() -> None:
    recent = Recent(0)
    recent.keep(job(1, "a"))
    assert (recent.at(1), recent.living("a")) == (None, None)


def test_what_a_transaction_changes_is_seen_in_it_and_by_others_after_it() -> None:
    live = Live(recent_jobs=9)
    draft = Draft(live)
    draft.keep(job(1, "a"))
    assert draft.at(1) == draft.named("a") == job(1, "a")
    assert live.recent.at(1) is None
    draft.commit()
    assert live.recent.living("a") == job(1, "a")


def test_what_a_transaction_removes_is_gone_with_it() -> None:
    live = Live(recent_jobs=9)
    live.recent.keep(job(1, "a", State.DELETED))
    draft = Draft(live)
    draft.keep(job(1, "a", State.DELETED))
    draft.remove(job(1, "a", State.DELETED))
    assert (draft.at(1), draft.named("a")) == (None, None)
    draft.commit()
    assert live.recent.at(1) is None


def test_a_name_given_again_in_the_same_transaction_is_that_of_the_new_job() -> None:
    draft = Draft(Live(recent_jobs=9))
    draft.keep(job(1, "a", State.DELETED))
    draft.keep(job(2, "a"))
    assert draft.named("a") == job(2, "a")
