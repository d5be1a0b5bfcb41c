"""Every command and every piece of code in the documentation does what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.outputs import json_matches, text_matches
from tests.docs.pages import PAGES, REPOSITORY
from tests.docs.running import PageRun


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_block_of_a_page_works(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    PageRun(path, folder).run()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("```python nonsense\n1\n```\n", "nothing checks a block of the kind 'python nonsense'"),
        ("```\nanything\n```\n", "nothing checks a block of the kind ''"),
        ("```mermaid\nflowchart LR\n```\n", "page.md:1"),
        ("```python\n", "has no end"),
        ("```text output\nalone\n```\n", "no block before it has an output"),
        ("```python\nprint(1)\n```\n```text output\n2\n```\n", "page.md:4: the output is not what the page shows"),
        ("```bash\nfalse | true\n```\n", "page.md:1: it ended with 1"),
        ('```json\n{"queue_plugin": {"worker": {}}}\n```\n', "did you mean queue_plugin.workers"),
        ("```sh\nMCP_QUEUE__DURABILITY=fast\n```\n", "must be"),
        ("```ini\n[Service]\nExecStart=/bin/mcp-queue serve --prot 1\n```\n", "No such option"),
    ],
)
def test_a_wrong_page_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    page, folder = tmp_path / "page.md", tmp_path / "page"
    page.write_text(text)
    folder.mkdir()
    with pytest.raises(AssertionError, match=reason):
        PageRun(page, folder).run()


SHARING = """
```text file=greeting.txt
hello
```

1. In a list:

   ```bash
   greet() { cat greeting.txt; }
   export name=world
   ```

   ```bash exit=3
   greet; echo "$name"; exit 3
   ```

```text output
hello
world
```
"""


def test_blocks_share_their_folder_and_their_shell(tmp_path: Path) -> None:
    page, folder = tmp_path / "page.md", tmp_path / "page"
    page.write_text(SHARING)
    folder.mkdir()
    PageRun(page, folder).run()


def test_dots_stand_for_what_differs() -> None:
    assert text_matches("a ... c\n", "a b c\n")
    assert not text_matches("a c\n", "a b c\n")
    assert json_matches({"id": "...", "...": "..."}, {"id": 7, "more": []})
    assert not json_matches({"id": "..."}, {"id": 7, "more": []})
    assert json_matches([1, "..."], [1, 2, 3])
    assert not json_matches([1], [1, 2])
    assert not json_matches({"ok": True}, {"ok": 1})
