"""The job type ``csv_statistics`` on real files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jobs import data_processing_job
from jobs.data_processing_job import CsvStatisticsJob


class WatchedJob(CsvStatisticsJob):
    """The job outside a queue: keeps what it would tell one, and is asked to stop when ``stop`` is set."""

    def __init__(self, **params: Any) -> None:
        super().__init__("job", params)
        self.stop = False
        self.progress: list[int] = []
        self.outcome: dict[str, Any] = {}
        self.status: str | None = None

    def should_stop(self) -> bool:
        return self.stop

    def set_progress(self, progress: int) -> None:
        self.progress.append(progress)

    def set_mcp_result(self, result: dict[str, Any], status: str | None = None) -> None:
        self.outcome, self.status = json.loads(json.dumps(result)), status

    def set_mcp_error(
        self, message: str, status: str = "failed", *, code: int | None = None, data: dict[str, Any] | None = None
    ) -> None:
        self.outcome, self.status = {"message": message, "data": data}, status


def run(**params: Any) -> WatchedJob:
    job = WatchedJob(**params)
    job.run()
    return job


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    path.write_text("\n\nitem;price\nnut;1.5\nbolt;2.5\nbent\n", "utf-8-sig")
    return path


def test_the_result_holds_the_statistics(sales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = run(path=str(sales))
    assert job.status == "completed"
    assert job.outcome == {
        "path": str(sales),
        "delimiter": ";",
        "complete": True,
        "rows": 2,
        "malformed_rows": 1,
        "malformed_lines": [6],
        "columns": [
            {
                "kind": "text",
                "name": "item",
                "count": 2,
                "missing": 0,
                "distinct": 2,
                "distinct_is_exact": True,
                "longest": 4,
            },
            {
                "kind": "numeric",
                "name": "price",
                "count": 2,
                "missing": 0,
                "min": 1.5,
                "max": 2.5,
                "mean": 2.0,
                "standard_deviation": pytest.approx(0.5**0.5),
            },
        ],
    }
    assert capsys.readouterr().out.splitlines() == [f"{sales}: 2 columns, delimiter ';'", "2 rows, 1 malformed"]


def test_delimiter_columns_and_encoding_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("größe:zahl\n1:2\n".encode("latin-1"))
    job = run(path=str(path), delimiter=":", columns=["größe"], encoding="latin-1")
    assert [column["name"] for column in job.outcome["columns"]] == ["größe"]


def test_progress_is_the_share_of_bytes_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.csv"
    path.write_text("n\n" + "1\n" * 50_000)
    monkeypatch.setattr(data_processing_job, "ROWS_BETWEEN_REPORTS", 10_000)
    progress = run(path=str(path)).progress
    assert len(progress) == 5
    assert progress == sorted(progress)
    assert 70 <= progress[-1] <= 100


def test_a_file_that_tells_no_size_is_read_without_progress() -> None:
    path = Path("/proc/self/status")
    assert path.stat().st_size == 0
    job = run(path=str(path), delimiter=":")
    assert (job.status, job.progress) == ("completed", [])
    assert job.outcome["rows"] > 10


def test_a_stop_ends_it_with_the_statistics_so_far(sales: Path) -> None:
    job = WatchedJob(path=str(sales))
    job.stop = True
    job.run()
    assert (job.status, job.outcome["complete"], job.outcome["rows"]) == ("stopped", False, 0)


def test_a_header_alone_is_a_file_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b")
    assert run(path=str(path)).outcome["rows"] == 0


@pytest.mark.parametrize("content", ["", "\n\r\n\n"], ids=["empty", "blank lines"])
def test_a_file_without_a_header_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    job = run(path=str(path))
    assert job.status == "failed"
    assert job.outcome == {"message": f"csv_statistics: {str(path)!r} has no header", "data": {"field": "path"}}


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"path": "/nowhere/a.csv"}, "path", "No such file"),
        ({"path": "a\0b"}, "path", "null byte"),
        ({"path": "/dev/null"}, "path", "is not a file"),
        ({"columns": ["item", "weight"]}, "columns", "no column 'weight'"),
        ({"encoding": "klingon"}, "encoding", "unknown encoding"),
        ({"encoding": "utf-16"}, "encoding", "is not utf-16"),
    ],
)
def test_what_does_not_fit_the_file_is_an_error_that_names_the_parameter(
    sales: Path, changes: dict[str, Any], field: str, message: str
) -> None:
    job = run(**{"path": str(sales), **changes})
    assert job.status == "failed"
    assert message in job.outcome["message"]
    assert job.outcome["data"] == {"field": field}


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    assert "is not a file" in run(path=str(path)).outcome["message"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "missing required field `path`"),
        ({"path": 1}, "Expected `str`"),
        ({"path": "a", "delimiter": "ab"}, "$.delimiter"),
        ({"path": "a", "delimiter": '"'}, "$.delimiter"),
        ({"path": "a", "columns": []}, "$.columns"),
        ({"path": "a", "delimeter": ";"}, "unknown field `delimeter`"),
    ],
)
def test_wrong_parameters_are_an_error_that_names_them(params: dict[str, Any], message: str) -> None:
    job = run(**params)
    assert job.status == "failed"
    assert message in job.outcome["message"]
