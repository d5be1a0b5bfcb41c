"""What belongs to a source tree, and every reason to leave something out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.source_tree import Skipped, SkipReason, Source, read_source, walk


def names(root: Path, exclude: tuple[str, ...] = ()) -> list[str]:
    return [path.relative_to(root).as_posix() for folder in walk(root, exclude) for path in folder.files]


def write(path: Path, content: str | bytes = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def skipped(path: Path, **options: int) -> Skipped:
    outcome = read_source(path, path.parent, **options)
    assert isinstance(outcome, Skipped)
    return outcome


def text(path: Path) -> str:
    outcome = read_source(path, path.parent)
    assert isinstance(outcome, Source)
    return outcome.text


def test_a_walk_visits_folders_in_order_each_before_its_inner_ones(tmp_path: Path) -> None:
    for name in ("b/z.py", "b/a.py", "a/inner/m.py", "top.py", "a/n.py", "notes.txt"):
        write(tmp_path / name)
    assert names(tmp_path) == ["top.py", "a/n.py", "a/inner/m.py", "b/a.py", "b/z.py"]


def test_excluded_names_and_relative_paths_are_passed_over_in_silence(tmp_path: Path) -> None:
    for name in ("keep/a.py", "keep/generated_a.py", "keep/old/b.py", "other/old/c.py", ".venv/d.py"):
        write(tmp_path / name)
    folders = list(walk(tmp_path, (".*", "generated_*", "keep/old")))
    assert [path.name for folder in folders for path in folder.files] == ["a.py", "c.py"]
    assert all(folder.skipped == () for folder in folders)


def test_caches_hidden_folders_and_virtual_environments_are_excluded_by_default(tmp_path: Path) -> None:
    for name in ("a.py", "__pycache__/b.py", ".git/c.py", "venv/d.py", "node_modules/e.py"):
        write(tmp_path / name)
    assert [path.name for folder in walk(tmp_path) for path in folder.files] == ["a.py"]


def test_a_symlinked_folder_is_reported_and_not_entered_so_that_no_loop_is_endless(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.py")
    (tmp_path / "real" / "loop").symlink_to(tmp_path, target_is_directory=True)
    folders = list(walk(tmp_path))
    assert names(tmp_path) == ["real/a.py"]
    assert [entry for folder in folders for entry in folder.skipped] == [
        Skipped("real/loop", SkipReason.SYMLINKED_FOLDER, "not followed")
    ]


def test_a_folder_named_like_a_module_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "odd.py" / "inner.py")
    assert names(tmp_path) == ["odd.py/inner.py"]


def test_a_folder_that_vanishes_during_the_walk_is_skipped(tmp_path: Path) -> None:
    write(tmp_path / "a.py")
    (tmp_path / "gone").mkdir()
    folders = walk(tmp_path)
    next(folders)
    (tmp_path / "gone").rmdir()
    [folder] = folders
    assert folder.files == ()
    assert folder.skipped == (Skipped("gone", SkipReason.UNREADABLE, "No such file or directory"),)


def test_a_name_that_is_no_text_can_still_be_shown(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py"))
    path.write_bytes(b"x = (")
    assert skipped(path, max_file_bytes=1).path == "caf\\xe9.py"


def test_a_file_above_the_limit_is_skipped_and_one_of_just_that_size_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.py", "x = 1\n")
    assert isinstance(read_source(path, tmp_path, 6), Source)
    assert skipped(path, max_file_bytes=5) == Skipped("a.py", SkipReason.TOO_LARGE, "6 bytes, 5 allowed")


def test_dangling_and_circular_links_are_unreadable(tmp_path: Path) -> None:
    dangling, circular = tmp_path / "dangling.py", tmp_path / "circular.py"
    dangling.symlink_to(tmp_path / "nowhere.py")
    circular.symlink_to(circular)
    assert names(tmp_path) == ["circular.py", "dangling.py"]
    assert skipped(dangling) == Skipped("dangling.py", SkipReason.UNREADABLE, "No such file or directory")
    assert skipped(circular).reason is SkipReason.UNREADABLE


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "pipe.py"
    os.mkfifo(path)
    assert skipped(path).reason is SkipReason.NOT_A_FILE


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbfx = '\xc3\xa9'\n", "x = 'é'\n"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "# -*- coding: latin-1 -*-\nx = 'é'\n"),
        (b"x = 1\r\ny = 2\r", "x = 1\ny = 2\n"),
        (b"", ""),
    ],
    ids=["byte order mark", "coding cookie", "line ends", "empty"],
)
def test_text_is_decoded_as_python_would(tmp_path: Path, content: bytes, expected: str) -> None:
    assert text(write(tmp_path / "a.py", content)) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"x = '\xe9'\n",
        b"x = 1\n" * 5_000 + b"\xff",
        b"# coding: klingon\n",
        b"# coding: rot13\n",
        b"\xef\xbb\xbf# coding: latin-1\n",
    ],
    ids=["not UTF-8", "not UTF-8 far below", "unknown encoding", "not a text encoding", "mark and cookie disagree"],
)
def test_what_cannot_be_decoded_is_skipped(tmp_path: Path, content: bytes) -> None:
    assert skipped(write(tmp_path / "a.py", content)).reason is SkipReason.ENCODING


@given(content=st.binary(max_size=200) | st.from_regex(rb"# coding: [a-z0-9_]{1,12}\n.*", fullmatch=True))
def test_no_content_can_make_reading_fail(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = write(tmp_path_factory.getbasetemp() / "any.py", content)
    outcome = read_source(path, path.parent)
    assert isinstance(outcome, Source | Skipped)


@pytest.mark.parametrize(("content", "lines"), [("", 0), ("x", 1), ("x\n", 1), ("x\n\ny", 3), ("\n", 1)])
def test_lines_are_counted_as_an_editor_does(content: str, lines: int) -> None:
    assert Source(content, len(content)).lines == lines
