"""The job type ``csv_statistics``: statistics of a CSV file of any length."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import msgspec

from jobs.csv_statistics import CsvProblem, CsvStatistics, Row, read_rows, sniff_delimiter
from mcp_queue_plugin import QueueJobBase, register_job_type

HEADER_MAX_LENGTH = 65_536
ROWS_BETWEEN_REPORTS = 1_000


class CsvStatisticsParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the job is asked.

    ``path`` is a file on the server. Without ``delimiter`` the header decides, without ``columns`` all are measured.
    The default ``encoding`` reads UTF-8 with and without a byte order mark.
    """

    path: Annotated[str, msgspec.Meta(min_length=1)]
    delimiter: Annotated[str, msgspec.Meta(pattern=r'\A[^\r\n"]\Z')] | None = None
    columns: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None
    encoding: str = "utf-8-sig"


class CsvStatisticsJob(QueueJobBase):
    """Measure each column of a CSV file: numbers by extremes, mean and deviation, text by its distinct values.

    The result is ``{path, delimiter, complete}`` and the fields of ``CsvReport``; progress is the share of bytes read.
    A stop ends the job within ``ROWS_BETWEEN_REPORTS`` rows, with the statistics so far and ``complete`` false.
    """

    def run(self) -> None:
        """Read the file once and leave its statistics as the job's result, or say what is wrong with it."""
        try:
            self._measure(msgspec.convert(self.mcp_params, CsvStatisticsParameters))
        except msgspec.ValidationError as error:
            self.set_mcp_error(f"csv_statistics: {error}")
        except CsvProblem as problem:
            self.set_mcp_error(f"csv_statistics: {problem}", data={"field": problem.field})

    def _measure(self, parameters: CsvStatisticsParameters) -> None:
        with _open(parameters) as lines:
            try:
                self._read(lines, parameters)
            except UnicodeError as error:
                raise CsvProblem(f"{parameters.path!r} is not {parameters.encoding}: {error}", "encoding") from error

    def _read(self, lines: TextIOWrapper, parameters: CsvStatisticsParameters) -> None:
        delimiter = parameters.delimiter or sniff_delimiter(_header_line(lines))
        rows = read_rows(lines, delimiter)
        header, _ = next(rows, (None, 0))
        if header is None:
            raise CsvProblem(f"{parameters.path!r} has no header", "path")
        print(f"{parameters.path}: {len(header)} columns, delimiter {delimiter!r}")
        statistics = CsvStatistics(header, parameters.columns)
        complete = self._count(lines, rows, statistics)
        report = statistics.report()
        summary = f"{report.rows} rows, {report.malformed_rows} malformed"
        print(summary)
        self.set_description(summary)
        facts: dict[str, Any] = {"path": parameters.path, "delimiter": delimiter, "complete": complete}
        self.set_mcp_result(facts | msgspec.to_builtins(report), status="completed" if complete else "stopped")

    def _count(self, lines: TextIOWrapper, rows: Iterator[Row], statistics: CsvStatistics) -> bool:
        """Take all rows; False if a stop was asked for first."""
        # 0 for a file that is made while it is read, as those of /proc are; one that is written to may outgrow it.
        size_bytes = os.fstat(lines.fileno()).st_size
        for number, (fields, line) in enumerate(rows):
            if number % ROWS_BETWEEN_REPORTS == 0:
                if self.should_stop():
                    return False
                if size_bytes:
                    self.set_progress(min(100, 100 * os.lseek(lines.fileno(), 0, os.SEEK_CUR) // size_bytes))
                self.set_description(f"row {number}, line {line}")
            statistics.add(fields, line)
        return True


def _open(parameters: CsvStatisticsParameters) -> TextIOWrapper:
    path = Path(parameters.path)
    try:
        # Opening a pipe would wait for a writer that may never come.
        if path.exists() and not path.is_file():
            raise CsvProblem(f"{parameters.path!r} is not a file", "path")
        return path.open(encoding=parameters.encoding, newline="")
    except OSError as error:
        raise CsvProblem(f"{parameters.path!r} cannot be read: {error.strerror}", "path") from error
    except LookupError as error:
        raise CsvProblem(str(error), "encoding") from error
    except ValueError as error:
        raise CsvProblem(f"{parameters.path!r} cannot be read: {error}", "path") from error


def _header_line(lines: TextIOWrapper) -> str:
    """The first line that is not blank; ``lines`` is back at its start afterwards."""
    while (line := lines.readline(HEADER_MAX_LENGTH)) and not line.strip("\r\n"):
        pass
    lines.seek(0)
    return line


register_job_type("csv_statistics", CsvStatisticsJob)
