"""What the user sees: the running job, its log, and what came out of it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from commands.code_map import Module, Totals
from commands.source_tree import Skipped
from scripts.sample_client.rpc import JobRecord, LogEntry

BIGGEST_MODULES = 5
SKIPPED_SHOWN = 10
PLAIN_STEP_PERCENT = 10


class CodeMap(msgspec.Struct, frozen=True):
    """The data that ``analyze_project`` answers."""

    root_dir: str
    totals: Totals
    modules: Sequence[Module]
    skipped: Sequence[Skipped]


class JobView:
    """Log lines above a progress bar; plain lines, one for every tenth, where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._shown_percent = -PLAIN_STEP_PERCENT
        self._bar = Progress(
            TextColumn("{task.fields[status]}", style="bold"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
            console=console,
            disable=not self._live,
            expand=True,
        )
        self._task = self._bar.add_task("", total=100, status="pending")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, record: JobRecord) -> None:
        """Show where the job stands."""
        self._bar.update(self._task, completed=record.progress, description=record.description, status=record.status)
        is_due = record.progress >= self._shown_percent + PLAIN_STEP_PERCENT or record.has_ended
        if not self._live and is_due:
            self._shown_percent = record.progress - record.progress % PLAIN_STEP_PERCENT
            self._print(f"{record.status} {record.progress} % {record.description}", "bold")

    def log(self, entry: LogEntry) -> None:
        """Show one line of the job's log."""
        self._print(f"  {entry.line}", "yellow" if entry.stream == "stderr" else "dim")

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(text, style), soft_wrap=True)


def print_summary(console: Console, code_map: CodeMap) -> None:
    """Print the totals, the biggest modules and the first skipped files."""
    console.print(Text(f"\nCode map of {code_map.root_dir}", "bold"), soft_wrap=True)
    console.print(_totals_table(code_map.totals))
    console.print(Text("The biggest modules", "bold"))
    console.print(_modules_table(code_map.modules))
    for skipped in code_map.skipped[:SKIPPED_SHOWN]:
        console.print(Text(f"skipped {skipped.path}: {skipped.reason} ({skipped.detail})"), soft_wrap=True)
    if len(code_map.skipped) > SKIPPED_SHOWN:
        console.print(Text(f"... and {len(code_map.skipped) - SKIPPED_SHOWN} more skipped files"))


def _totals_table(totals: Totals) -> Table:
    table = Table()
    counts = msgspec.to_builtins(totals)
    for name in counts:
        table.add_column(name, justify="right")
    table.add_row(*(f"{count:,}" for count in counts.values()))
    return table


def _modules_table(modules: Sequence[Module]) -> Table:
    table = Table(Column("module", overflow="fold"))
    for name in ("lines", "classes", "functions"):
        table.add_column(name, justify="right")
    for module in sorted(modules, key=lambda module: module.lines, reverse=True)[:BIGGEST_MODULES]:
        table.add_row(module.name, f"{module.lines:,}", str(len(module.classes)), str(len(module.functions)))
    return table
