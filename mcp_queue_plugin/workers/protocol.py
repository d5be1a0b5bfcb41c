"""Frames: how a worker and the engine talk over a stream socket, and how jobs lie in a worker's inbox.

A frame is a fixed prefix (payload length, header length, kind), a small JSON header, and a payload of raw bytes that
nobody between its two ends decodes::

    u32 payload_length | u16 header_length | u8 kind | header | payload

The same codec serves the border between the engine and its server.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Annotated, NamedTuple, TypeVar

import msgspec

from mcp_queue_plugin.errors import ProtocolViolation
from mcp_queue_plugin.model.job import JOB_ID_MAX_LENGTH, ErrorInfo, Token
from mcp_queue_plugin.model.operations import Changes, EndingKind
from mcp_queue_plugin.model.questions import PROMPT_MAX_LENGTH, SCHEMA_MAX_BYTES, AnswerAction

PREFIX = struct.Struct("!IHB")
HEADER_MAX_BYTES = 65_535
PAYLOAD_MAX_BYTES = 256 * 1024 * 1024


HeaderT = TypeVar("HeaderT")


class Frame(NamedTuple):
    """One message: its kind, its JSON header and its raw payload."""

    kind: int
    header: bytes
    payload: bytes


class Kind(IntEnum):
    """The frames between the engine (down) and a worker (up).

    RUN, RUN_APART and RETIRE lie in the worker's inbox, each a packet; all else goes over the control socket. RUN_APART
    stands for a RUN that is too large for the inbox and comes over the control socket as well.
    """

    INIT = 1
    RUN = 2
    STOP = 3
    RETIRE = 4
    RUN_APART = 5
    PROCEED = 6
    ANSWER = 7
    READY = 16
    BROKEN = 17
    PROGRESS = 18
    RESULT = 19
    ASK = 20


def encode(kind: int, header: object, payload: bytes = b"") -> bytes:
    """One frame as bytes; ``header`` is any value msgspec can encode.

    Raises:
        ProtocolViolation: the header or the payload is larger than a frame can carry, or a text of the header is not
            Unicode.
    """
    try:
        head = msgspec.json.encode(header)
    except UnicodeEncodeError as error:
        raise ProtocolViolation(f"a text in a frame of kind {kind} holds a lone surrogate: {error.reason}") from error
    if len(head) > HEADER_MAX_BYTES or len(payload) > PAYLOAD_MAX_BYTES:
        raise ProtocolViolation(
            f"a frame of kind {kind} is too large to send: header {len(head)} of {HEADER_MAX_BYTES} bytes, "
            f"payload {len(payload)} of {PAYLOAD_MAX_BYTES} bytes"
        )
    return b"".join((PREFIX.pack(len(payload), len(head), kind), head, payload))


class FrameReader:
    """Cuts a stream of bytes into frames, whatever pieces it arrives in."""

    def __init__(self, payload_max_bytes: int = PAYLOAD_MAX_BYTES) -> None:
        """Refuse frames with a payload of more than ``payload_max_bytes``."""
        self._buffer = bytearray()
        self._payload_max_bytes = payload_max_bytes

    def feed(self, data: bytes | memoryview) -> Iterator[Frame]:
        """Add ``data`` and yield every frame that is complete now.

        Raises:
            ProtocolViolation: a frame announces a payload that is too large.

        """
        self._buffer += data
        buffer = self._buffer
        position = 0
        try:
            while len(buffer) - position >= PREFIX.size:
                payload_length, header_length, kind = PREFIX.unpack_from(buffer, position)
                if payload_length > self._payload_max_bytes:
                    raise ProtocolViolation(
                        f"a frame announces {payload_length} bytes of payload; {self._payload_max_bytes} are allowed"
                    )
                start = position + PREFIX.size
                end = start + header_length + payload_length
                if len(buffer) < end:
                    break
                position = end
                yield Frame(
                    kind,
                    bytes(buffer[start : start + header_length]),
                    bytes(buffer[start + header_length : end]),
                )
        finally:
            del buffer[:position]


def decode(document: bytes, model: type[HeaderT]) -> HeaderT:
    """A header, or a payload that carries a value of ours, as ``model``.

    Raises:
        ProtocolViolation: it is not JSON, or not of that shape.

    """
    try:
        return msgspec.json.decode(document, type=model)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolViolation(f"a frame's header is not a {model.__name__}: {error}") from error


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """INIT: what makes a worker of this generation. ``runner`` is the factory of its Runner, as ``module:qualname``.

    Threads of the modules ``lasting_threads`` may outlive the job that has started them. A result of more than
    ``result_bytes`` fails its job.
    """

    runner: str
    sys_path: tuple[str, ...] = ()
    auto_import_modules: tuple[str, ...] = ()
    hook_modules: tuple[tuple[str, str], ...] = ()
    config_path: str | None = None
    log_level: str | None = None
    lasting_threads: tuple[str, ...] = ()
    result_bytes: int = PAYLOAD_MAX_BYTES


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RUN: one attempt. The payload is the parameters, a JSON document.

    It was sent ``ahead`` if the worker had another then.
    """

    token: Token
    job_id: str
    job_type: str
    target: str
    command: str | None = None
    ahead: bool = False


class RunApart(msgspec.Struct, frozen=True):
    """RUN_APART: the RUN of this attempt comes over the control socket. Others there, before it, were taken back."""

    token: Token


class Stop(msgspec.Struct, frozen=True):
    """STOP: the attempt is to let go, by request or because its time is over."""

    token: Token
    timed_out: bool = False


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """READY: the worker takes jobs. ``failed_imports`` maps a module to its traceback.

    It travels as the payload, because tracebacks may outgrow a header; so does ``Broken``.
    """

    commands: tuple[str, ...] = ()
    failed_imports: dict[str, str] = {}


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """BROKEN: the worker could not be set up; it ends."""

    error: str
    traceback: str


class Progress(msgspec.Struct, frozen=True):
    """PROGRESS: what the attempt reports of itself."""

    token: Token
    changes: Changes


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """ASK: a question of the attempt. Whatever a question may hold fits into a header."""

    token: Token
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=JOB_ID_MAX_LENGTH)]
    prompt: Annotated[str, msgspec.Meta(max_length=PROMPT_MAX_LENGTH)]
    schema: Annotated[str, msgspec.Meta(max_length=SCHEMA_MAX_BYTES)] | None = None


class Answered(msgspec.Struct, frozen=True):
    """ANSWER: what was answered to a question; the payload is the value, if it was accepted."""

    token: Token
    key: str
    action: AnswerAction


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RESULT: the attempt's end. The payload is the result document, if ``has_result``.

    The attempt ``took_seconds``. With ``unread`` there is something in the pipes that it wrote, and the worker begins
    no other before a PROCEED says that it was read. ``dirty`` says what the job left behind; a dirty worker takes no
    other.
    """

    token: Token
    kind: EndingKind
    changes: Changes = Changes()
    error: ErrorInfo | None = None
    completed_with_error: bool = False
    has_result: bool = False
    error_kinds: tuple[str, ...] = ()
    dirty: str | None = None
    took_seconds: float = 0.0
    unread: bool = False
