"""The pages of the documentation, cut into what can be checked: code blocks, headings and links."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from types import MappingProxyType
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])

SAMPLE_APPLICATION = "<!-- docs test: in the folder of the sample application -->"
"""On a page with this line the blocks run beside the sample's config.json, commands and jobs."""

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`]*)$")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?) *$")
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^()\s]+)\)")


class Block(NamedTuple):
    """A fenced code block: ``language`` and ``flags`` are the words behind its fence."""

    place: str
    language: str
    flags: dict[str, str]
    text: str


class Page:
    """One Markdown file, with each key of ``replacements`` replaced by its value."""

    def __init__(self, path: Path, replacements: Mapping[str, str] = MappingProxyType({})) -> None:
        self.path = path
        self.name = str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else path.name
        self.text = path.read_text(encoding="utf-8")
        for old, new in replacements.items():
            self.text = self.text.replace(old, new)

    def blocks(self) -> Iterator[Block]:
        """The fenced blocks in their order."""
        lines = iter(enumerate(self.text.splitlines(), start=1))
        for number, line in lines:
            opening = _FENCE.match(line)
            if opening is None:
                continue
            closing = opening["indent"] + opening["fence"]
            body: list[str] = []
            for _, inner in lines:
                if inner.rstrip() == closing:
                    break
                body.append(inner)
            else:
                raise AssertionError(f"{self.name}:{number}: the code block has no end")
            language, *flags = opening["info"].split() or [""]
            text = dedent("\n".join(body) + "\n")
            yield Block(f"{self.name}:{number}", language, dict(_flag(word) for word in flags), text)

    def anchors(self) -> set[str]:
        """The anchors of the headings, as the usual Markdown hosts make them."""
        headings = (_HEADING.match(line) for line in self._prose())
        return {_anchor(heading["text"]) for heading in headings if heading is not None}

    def links(self) -> list[str]:
        """The targets of all links outside code."""
        return _LINK.findall("\n".join(self._prose()))

    def section(self, heading: str) -> str:
        """The text below ``heading`` up to the next one of the same or a higher level."""
        level = len(heading) - len(heading.lstrip("#"))
        found = re.search(rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{level}}} |\Z)", self.text, re.MULTILINE | re.DOTALL)
        assert found is not None, f"{self.name} has no section {heading!r}"
        return found[1]

    def _prose(self) -> list[str]:
        prose: list[str] = []
        fence: str | None = None
        for line in self.text.splitlines():
            mark = _FENCE.match(line)
            if fence is None and mark is not None:
                fence = mark["fence"]
            elif fence is not None and line.strip() == fence:
                fence = None
            elif fence is None:
                prose.append(re.sub(r"`[^`]*`(?!\])", lambda code: code[0].replace("[", " "), line))
        return prose


def table(text: str) -> list[list[str]]:
    """The body rows of the first table in ``text``, as stripped cells."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def tables(text: str) -> list[list[list[str]]]:
    """The body rows of each table in ``text``."""
    return [table(part) for part in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]


def _flag(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")
