"""Frames of a worker, as a broken or hostile one would send them: the worker ends, and nobody else is harmed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.errors import ProtocolViolation
from mcp_queue_plugin.model.job import ErrorInfo, Question, Token
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.model.operations import Changes, Ending, EndingKind
from mcp_queue_plugin.workers.process import Worker
from mcp_queue_plugin.workers.protocol import (
    Asked,
    Broken,
    FrameReader,
    Kind,
    Progress,
    Ready,
    Result,
    Run,
    Setup,
    decode,
    encode,
)
from tests.fuzz.cases import fuzzing, texts, values

TOKEN = Token(uid=1, attempt=1)
END_SECONDS = 20.0

SENDER = """
import os, sys
os.write(int(sys.argv[2]), open(sys.argv[1], "rb").read())
"""

tokens = st.just(TOKEN) | st.builds(Token, uid=st.integers(-2, 2), attempt=st.integers(-2, 2))
words = st.text(max_size=20)
changes = st.builds(
    Changes, progress=st.none() | st.integers(-5, 200), description=st.none() | words, step=st.none() | words
)
results = st.builds(
    Result,
    token=tokens,
    kind=st.sampled_from(EndingKind),
    changes=changes,
    error=st.none() | st.builds(ErrorInfo, type=words, message=words),
    has_result=st.booleans(),
    took_seconds=st.floats(allow_nan=False, allow_infinity=False),
)
questions = st.builds(
    Asked,
    token=tokens,
    key=words,
    prompt=words | st.just("p" * 5_000),
    schema=st.sampled_from([None, "{}", '{"type":"integer"}', "[]", "{", "null"]) | words,
)
payloads = st.binary(max_size=40)
frames = (
    st.builds(lambda header, payload: encode(Kind.RESULT, header, payload), results, payloads)
    | st.builds(lambda token, said: encode(Kind.PROGRESS, Progress(token, said)), tokens, changes)
    | st.builds(lambda asked, payload: encode(Kind.ASK, asked, payload), questions, payloads)
    | st.builds(lambda ready: encode(Kind.READY, None, msgspec.json.encode(ready)), st.builds(Ready))
    | st.builds(lambda text: encode(Kind.BROKEN, None, msgspec.json.encode(Broken(error=text, traceback=text))), words)
    | st.builds(lambda kind, header, payload: encode(kind, header, payload), st.integers(0, 255), words, payloads)
    | st.binary(max_size=30)
)
streams = st.lists(frames, max_size=5).map(b"".join)
cut_streams = streams | st.builds(
    lambda stream, place, byte: stream[: place % (len(stream) + 1)] + byte + stream[place % (len(stream) + 1) :],
    streams,
    st.integers(0, 500),
    st.binary(max_size=2),
)


class Witness:
    """The owner of one worker: gives it a job when it says that it is ready, and notes what it hears."""

    def __init__(self) -> None:
        self.over: list[Token] = []
        """The attempts that have ended, or were taken back because the worker has done nothing of them."""
        self.gave_job = False

    def worker_ready(self, worker: Worker, ready: Ready) -> None:
        run = Run(token=TOKEN, job_id="a", job_type="test", target="a:b")
        worker.assignments.run(run, b"{}", timeout_seconds=None, stop_grace_seconds=1.0)
        self.gave_job = True

    def worker_began(self, token: Token) -> None:
        assert token == TOKEN

    def worker_recalled(self, tokens: Sequence[Token]) -> None:
        self.over += tokens

    def worker_progress(self, token: Token, changes: Changes) -> None:
        assert token == TOKEN

    def worker_asked(self, token: Token, question: Question) -> None:
        assert token == TOKEN
        assert question.schema is None or isinstance(json.loads(question.schema), dict)

    def worker_log(self, token: Token, chunk: LogChunk) -> None:
        assert token == TOKEN

    def worker_ended(self, worker: Worker, token: Token, ending: Ending, changes: Changes) -> None:
        self.over.append(token)

    def worker_gone(self, worker: Worker) -> None:
        """Told by ``gone`` as well."""


async def fate_of(path: Path) -> tuple[Witness, list[dict[str, Any]]]:
    """What the engine hears of a worker that sends what is in ``path`` and ends, and what failed in its loop."""
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    witness = Witness()
    command = (sys.executable, "-I", "-S", "-c", SENDER, str(path))
    worker = Worker(Setup(runner=""), witness, start_timeout_seconds=5.0, clock=system_clock(), command=command)
    async with asyncio.timeout(END_SECONDS):
        await worker.gone
    return witness, failures


@fuzzing
@given(stream=cut_streams, is_ready=st.booleans())
def test_whatever_a_worker_sends_its_job_ends_once_and_the_engine_goes_on(
    tmp_path: Path, stream: bytes, is_ready: bool
) -> None:
    ready = encode(Kind.READY, None, msgspec.json.encode(Ready())) if is_ready else b""
    sent = tmp_path / "stream"
    sent.write_bytes(ready + stream)
    witness, failures = asyncio.run(fate_of(sent))
    assert failures == []
    assert witness.over == ([TOKEN] if witness.gave_job else [])


@fuzzing
@given(stream=cut_streams, model=st.sampled_from([Result, Progress, Ready, Broken, Run]))
def test_what_cannot_be_decoded_is_a_violation_and_nothing_else(stream: bytes, model: type[Any]) -> None:
    try:
        for frame in FrameReader().feed(stream):
            decode(frame.header, model)
            decode(frame.payload, model)
    except ProtocolViolation as violation:
        said = violation.message
    else:
        return
    assert said


@fuzzing
@given(header=values, text=texts)
def test_a_header_of_any_shape_is_a_violation_or_a_value(header: Any, text: str) -> None:
    try:
        frame = encode(Kind.RESULT, {"token": header, "kind": text, "changes": header})
    except (ProtocolViolation, UnicodeEncodeError, OverflowError, msgspec.MsgspecError):
        return
    (read,) = FrameReader().feed(frame)
    try:
        assert isinstance(decode(read.header, Result), Result)
    except ProtocolViolation as violation:
        said = violation.message
    else:
        return
    assert "is not a Result" in said
