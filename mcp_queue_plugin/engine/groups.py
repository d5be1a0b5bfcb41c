"""What goes into one commit: operations, and who is told what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.operations import Add, Ask, Claim, Finish, Operation, Outcome, OutcomeCallback, Report


class Entry(NamedTuple):
    """An operation of a group, and who gets its outcome."""

    operation: Operation
    callback: OutcomeCallback | None


def joined(entries: Sequence[Entry]) -> list[Entry]:
    """The same group, but that the end of an attempt stands for its claim too where both are here.

    Not if anything lies between them that finds the job running, or would: what the attempt itself has written, or what
    was asked for of this or of any job. Ends keep their order, of which queues keep account.
    """
    group: list[Entry | None] = []
    claims: dict[Token, int] = {}
    """Where those stand that an end may still stand for."""
    for entry in entries:
        match entry.operation:
            case Claim(token=token, begun_at=float()):
                claims[token] = len(group)
            case Finish(token=token):
                place = claims.pop(token, None)
                if place is not None and (claiming := group[place]) is not None:
                    group[place] = None
                    entry = _join(claiming, entry)
            case Report(token=token) | Ask(token=token):
                claims.pop(token, None)
            case Claim() | Add(limits=()):
                # A job of its own, for which no other has to go.
                pass
            case _:
                claims.clear()
        group.append(entry)
    return [entry for entry in group if entry is not None]


def _join(claiming: Entry, finishing: Entry) -> Entry:
    claim, finish = claiming.operation, finishing.operation
    assert isinstance(claim, Claim)
    assert isinstance(finish, Finish)

    def tell_both(outcome: Outcome | QueueError) -> None:
        for callback in (claiming.callback, finishing.callback):
            if callback is not None:
                callback(outcome)

    return Entry(msgspec.structs.replace(finish, begun_at=claim.begun_at), tell_both)
