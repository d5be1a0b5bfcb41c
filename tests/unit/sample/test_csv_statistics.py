"""The statistics of a CSV file, against Python's own."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import csv_statistics
from jobs.csv_statistics import (
    CsvProblem,
    CsvReport,
    CsvStatistics,
    Numbers,
    NumericColumn,
    TextColumn,
    parse_number,
    read_rows,
    sniff_delimiter,
)

# Finer figures than these vanish beside the greatest; the two methods may round them away differently.
numbers = st.floats(min_value=-1e9, max_value=1e9).filter(lambda value: value == 0 or abs(value) > 1e-6)


def measure(text: str, delimiter: str = ",", columns: Sequence[str] | None = None) -> CsvReport:
    rows = read_rows(io.StringIO(text, newline=""), delimiter)
    header, _ = next(rows)
    assert header is not None
    result = CsvStatistics(header, columns)
    for fields, line in rows:
        result.add(fields, line)
    return result.report()


@given(st.lists(numbers, min_size=2, max_size=50))
def test_numbers_agree_with_the_statistics_module(values: list[float]) -> None:
    running = Numbers()
    for value in values:
        running.add(value)
    scale = max(abs(value) for value in values)
    assert (running.count, running.min, running.max) == (len(values), min(values), max(values))
    assert running.mean == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-9 * scale)
    assert running.standard_deviation == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-6 * scale)


def test_the_deviation_does_not_drown_in_a_large_mean() -> None:
    report = measure("x\n" + "".join(f"{1e9 + value}\n" for value in (2, 4, 6)))
    assert report.columns == (
        NumericColumn(name="x", count=3, missing=0, min=1e9 + 2, max=1e9 + 6, mean=1e9 + 4, standard_deviation=2.0),
    )


def test_one_number_has_no_deviation_and_none_have_no_mean() -> None:
    running = Numbers()
    assert [running.mean, running.standard_deviation] == [None, None]
    running.add(3.0)
    assert running.mean == 3.0
    assert running.standard_deviation is None


def test_figures_that_no_float_can_hold_are_null() -> None:
    report = measure("x\n1e308\n-1e308\n1e308\n")
    column = report.columns[0]
    assert isinstance(column, NumericColumn)
    assert (column.mean, column.standard_deviation) == (None, None)


def test_numeric_and_text_columns_are_told_apart() -> None:
    report = measure("name,age,note\nAda,36,\nLinus,32,n/a\nAda,NaN,\nGrace,34,null\n")
    assert report.rows == 4
    assert report.columns == (
        TextColumn(name="name", count=4, missing=0, distinct=3, distinct_is_exact=True, longest=5),
        NumericColumn(name="age", count=3, missing=1, min=32, max=36, mean=34, standard_deviation=2.0),
        TextColumn(name="note", count=0, missing=4, distinct=0, distinct_is_exact=True, longest=0),
    )


def test_a_single_word_makes_a_column_text() -> None:
    column = measure("x\n1\n2\ntwo\n3\n").columns[0]
    assert column == TextColumn(name="x", count=4, missing=0, distinct=4, distinct_is_exact=True, longest=3)


def test_distinct_values_are_counted_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_statistics, "DISTINCT_MAX", 3)
    exact = measure("x\n" + "a\nb\nc\na\n").columns[0]
    bounded = measure("x\n" + "a\nb\nc\nd\n").columns[0]
    assert isinstance(exact, TextColumn)
    assert isinstance(bounded, TextColumn)
    assert (exact.distinct, exact.distinct_is_exact) == (3, True)
    assert (bounded.distinct, bounded.distinct_is_exact) == (3, False)


def test_rows_of_another_width_are_malformed_and_blank_lines_are_no_rows() -> None:
    report = measure("a,b\n1,2\n3\n\n4,5,6\n7,8\n")
    assert (report.rows, report.malformed_rows, report.malformed_lines) == (2, 2, (3, 5))


def test_a_field_beyond_the_limit_of_the_reader_is_a_malformed_row() -> None:
    report = measure("a,b\n1,2\n" + "x" * 200_000 + ",3\n4,5\n")
    assert (report.rows, report.malformed_lines) == (2, (3,))


def test_only_the_first_malformed_lines_are_kept() -> None:
    report = measure("a,b\n" + "1\n" * 15)
    assert report.malformed_rows == 15
    assert report.malformed_lines == tuple(range(2, 12))


def test_a_quoted_field_may_span_lines() -> None:
    report = measure('a,b\n"x\ny",1\nz,2,3\n')
    assert (report.rows, report.malformed_lines) == (1, (4,))


def test_only_the_columns_asked_for_are_measured() -> None:
    report = measure("a,b,c\n1,2,3\n", columns=["c", "a"])
    assert [column.name for column in report.columns] == ["a", "c"]


def test_an_unknown_column_is_refused_by_name() -> None:
    with pytest.raises(CsvProblem, match="no column 'z' in the header: 'a', 'b'") as problem:
        measure("a,b\n", columns=["a", "z"])
    assert problem.value.field == "columns"


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1.0), (" -2.5e3 ", -2500.0), ("1_000", None), ("inf", None), ("1e999", None), ("x", None)],
)
def test_what_a_number_is(text: str, number: float | None) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [("a,b,c", ","), ("a;b;c", ";"), ("a\tb", "\t"), ("a|b,c|d", "|"), ('"a;b;c",d,e', ","), ("alone", ","), ("", ",")],
)
def test_the_header_tells_the_delimiter(header: str, delimiter: str) -> None:
    assert sniff_delimiter(header) == delimiter


@given(st.text(max_size=300))
def test_no_text_can_make_the_statistics_fail(text: str) -> None:
    report = measure("a,b\n" + text)
    assert report.rows >= 0
