"""Values that look like others: of derived types, half finished, or hostile."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from enum import Enum, IntEnum, StrEnum
from typing import NoReturn


class Lane(str, Enum):  # noqa: UP042 - as it was written before StrEnum, and answers to str() with another text
    LLM = "llm"


class OtherLane(StrEnum):
    LLM = "llm"


class Level(IntEnum):
    HIGH = 9


class Text(str):
    __slots__ = ()


class Number(float):
    __slots__ = ()


class Boom(ValueError):
    class Inner(Exception):
        pass


class WithoutOffset(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta | None:
        return None

    def dst(self, _: datetime | None) -> None:
        return None

    def tzname(self, _: datetime | None) -> None:
        return None


class Unfinished(WithoutOffset):
    def utcoffset(self, _: datetime | None) -> NoReturn:
        raise NotImplementedError("utcoffset")


class Ugly:
    def __repr__(self) -> str:
        raise RuntimeError("no words")
