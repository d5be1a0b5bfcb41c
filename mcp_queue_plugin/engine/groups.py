"""What goes into one commit: operations, and who is told what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.operations import Ask, Claim, Finish, Operation, Outcome, OutcomeCallback, Report


class Entry(NamedTuple):
    """An operation of a group, and who gets its outcome."""

    operation: Operation
    callback: OutcomeCallback | None


def joined(entries: Sequence[Entry]) -> list[Entry]:
    """The same group, but that the end of an attempt stands for its claim too if both are here and nothing in between.

    It takes the place of the claim: whatever else was asked for meanwhile finds the attempt ended.
    """
    group: list[Entry] = []
    claims: dict[Token, int] = {}
    """Where those stand that an end may still stand for."""
    for entry in entries:
        match entry.operation:
            case Claim(token=token, begun_at=float()):
                claims[token] = len(group)
            case Report(token=token) | Ask(token=token):
                claims.pop(token, None)
            case Finish(token=token) if token in claims:
                place = claims[token]
                group[place] = _join(group[place], entry)
                continue
        group.append(entry)
    return group


def _join(claiming: Entry, finishing: Entry) -> Entry:
    claim, finish = claiming.operation, finishing.operation
    assert isinstance(claim, Claim)
    assert isinstance(finish, Finish)

    def tell_both(outcome: Outcome | QueueError) -> None:
        for callback in (claiming.callback, finishing.callback):
            if callback is not None:
                callback(outcome)

    return Entry(msgspec.structs.replace(finish, begun_at=claim.begun_at), tell_both)
