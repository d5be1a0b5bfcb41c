"""Statistics of a CSV file, one row at a time; the memory they take does not grow with the rows."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from typing import TextIO

import msgspec

Row = tuple[list[str] | None, int]
"""The fields of a row and the line of the file that it ends at; None for a row that cannot be read."""

DELIMITERS = (",", ";", "\t", "|")
DISTINCT_MAX = 10_000
MALFORMED_LINES_MAX = 10
MISSING = frozenset({"", "na", "n/a", "nan", "null"})
"""What stands for no value, in any case and with blanks around it."""


class CsvProblem(Exception):
    """The file or what was asked of it does not allow statistics; ``field`` names the parameter to look at."""

    def __init__(self, message: str, field: str) -> None:
        self.field = field
        super().__init__(message)


class NumericColumn(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="numeric"):
    """A column of finite numbers. ``standard_deviation`` is the sample's (n - 1), null below two values.

    A figure that no float can hold is null.
    """

    name: str
    count: int
    missing: int
    min: float
    max: float
    mean: float | None
    standard_deviation: float | None


class TextColumn(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="text"):
    """A column with anything else in it, or nothing. ``longest`` is in characters.

    ``distinct`` counts up to ``DISTINCT_MAX`` values; ``distinct_is_exact`` is false when there are more.
    """

    name: str
    count: int
    missing: int
    distinct: int
    distinct_is_exact: bool
    longest: int


class CsvReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. A malformed row has another number of fields than the header, or cannot be read at all.

    Malformed rows are counted apart and not looked into; ``malformed_lines`` are the line numbers of the first ones.
    """

    rows: int
    malformed_rows: int
    malformed_lines: tuple[int, ...]
    columns: tuple[NumericColumn | TextColumn, ...]


class Numbers:
    """Count, extremes, mean and deviation of numbers, by Welford's method: one pass, no sum that swamps the rest."""

    def __init__(self) -> None:
        self.count = 0
        self.min = math.inf
        self.max = -math.inf
        self._mean = 0.0
        self._squares = 0.0

    def add(self, value: float) -> None:
        """Take one finite number."""
        self.count += 1
        self.min = min(self.min, value)
        self.max = max(self.max, value)
        delta = value - self._mean
        self._mean += delta / self.count
        self._squares += delta * (value - self._mean)

    @property
    def mean(self) -> float | None:
        """The arithmetic mean; None without numbers, or when it overflowed."""
        return self._mean if self.count and math.isfinite(self._mean) else None

    @property
    def standard_deviation(self) -> float | None:
        """The sample standard deviation; None below two numbers, or when it overflowed."""
        if self.count < 2 or not math.isfinite(self._squares):
            return None
        return math.sqrt(self._squares / (self.count - 1))


class Column:
    """One column as its values come in. It is numeric until a value says otherwise."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._missing = 0
        self._count = 0
        self._longest = 0
        self._distinct: set[int] = set()
        self._distinct_is_exact = True
        self._numbers: Numbers | None = Numbers()

    def add(self, value: str) -> None:
        """Take one field as it stands in the file."""
        if value.strip().lower() in MISSING:
            self._missing += 1
            return
        self._count += 1
        self._longest = max(self._longest, len(value))
        self._add_distinct(value)
        if self._numbers is not None:
            number = parse_number(value)
            if number is None:
                self._numbers = None
            else:
                self._numbers.add(number)

    def report(self) -> NumericColumn | TextColumn:
        """The statistics so far."""
        if self._numbers is None or self._count == 0:
            return TextColumn(
                name=self._name,
                count=self._count,
                missing=self._missing,
                distinct=len(self._distinct),
                distinct_is_exact=self._distinct_is_exact,
                longest=self._longest,
            )
        return NumericColumn(
            name=self._name,
            count=self._count,
            missing=self._missing,
            min=self._numbers.min,
            max=self._numbers.max,
            mean=self._numbers.mean,
            standard_deviation=self._numbers.standard_deviation,
        )

    def _add_distinct(self, value: str) -> None:
        # Hashes instead of values bound the memory: a field may be long, two equal hashes are one in 2**64.
        key = hash(value)
        if len(self._distinct) < DISTINCT_MAX:
            self._distinct.add(key)
        elif key not in self._distinct:
            self._distinct_is_exact = False


class CsvStatistics:
    """The statistics of the rows below ``header``, for all columns or those named in ``columns``.

    Raises:
        CsvProblem: ``columns`` names one that the header does not have.

    """

    def __init__(self, header: Sequence[str], columns: Sequence[str] | None = None) -> None:
        unknown = [name for name in columns or () if name not in header]
        if unknown:
            raise CsvProblem(f"no column {unknown[0]!r} in the header: {', '.join(map(repr, header))}", "columns")
        self._width = len(header)
        self._columns = [
            (index, Column(name)) for index, name in enumerate(header) if columns is None or name in columns
        ]
        self._malformed_lines: list[int] = []
        self._malformed_rows = 0
        self.rows = 0

    def add(self, row: Sequence[str] | None, line: int) -> None:
        """Take one row, which ends at ``line`` of the file; None is a row that could not be read."""
        if row is None or len(row) != self._width:
            self._malformed_rows += 1
            if len(self._malformed_lines) < MALFORMED_LINES_MAX:
                self._malformed_lines.append(line)
            return
        self.rows += 1
        for index, column in self._columns:
            column.add(row[index])

    def report(self) -> CsvReport:
        """The statistics so far."""
        return CsvReport(
            rows=self.rows,
            malformed_rows=self._malformed_rows,
            malformed_lines=tuple(self._malformed_lines),
            columns=tuple(column.report() for _, column in self._columns),
        )


def parse_number(value: str) -> float | None:
    """``value`` as a finite number; None if it is none. Python's underscores (``1_000``) do not make a number."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in value else None


def sniff_delimiter(header_line: str) -> str:
    """The one of ``DELIMITERS`` that cuts the header into the most fields; a comma when none does."""
    return max(DELIMITERS, key=lambda delimiter: len(next(csv.reader([header_line], delimiter=delimiter), ())))


def read_rows(lines: TextIO, delimiter: str) -> Iterator[Row]:
    """Each row of ``lines``. Blank lines are no rows."""
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None, reader.line_num
            continue
        if row:
            yield row, reader.line_num
