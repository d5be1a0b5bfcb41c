"""Links between the pages lead somewhere, and a way leads to every page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, REPOSITORY, Page


def target_of(page: Page, link: str) -> tuple[Path, str]:
    path, _, anchor = link.partition("#")
    return (page.path.parent / path).resolve() if path else page.path, anchor


def local_links(page: Page) -> list[str]:
    return [link for link in page.links() if "://" not in link]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path: Path) -> None:
    page = Page(path)
    for link in local_links(page):
        target, anchor = target_of(page, link)
        assert target.exists(), f"{page.name} links to {link}, which is not there"
        if anchor:
            assert anchor in Page(target).anchors(), f"{page.name} links to {link}, which has no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [REPOSITORY / "README.md"]
    while waiting:
        path = waiting.pop()
        if path not in reached and path.suffix == ".md":
            reached.add(path)
            page = Page(path)
            waiting.extend(target_of(page, link)[0] for link in local_links(page))
    assert reached >= set(PAGES)
