"""Runs the worker in processes that alternate, and makes rows of what they measured."""

from __future__ import annotations

import compileall
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.console import Console

from benchmarks.competitors import TUNED
from benchmarks.machine import load
from benchmarks.rows import Result, Row, failure, failures, measures_of, near_ways, rows_of
from benchmarks.sections import SECTIONS, competitors, rounds_of

TIMEOUT = 600  # seconds of a process; the longest takes three minutes on a quiet machine
ERROR = 2000  # characters of the end of stderr that are kept
TOLD = re.compile(r"^polykeras|warning", re.IGNORECASE)
NUMBERS = re.compile(r"0x[0-9a-f]+|\d+")  # lines that differ in these alone say the same
# Deprecations within the frameworks are theirs; what warns of slow or wrong results is of these kinds.
WARNINGS = ("-W", "ignore", "-W", "default::UserWarning", "-W", "default::RuntimeWarning")
Ways = Mapping[str, list[str]]


def compile_sources(packages: Iterable[str]) -> None:
    """Write the bytecode of packages: an installed one has it, and without it what is first imported takes longer.

    A process that is told not to write any (PYTHONDONTWRITEBYTECODE) would compile polykeras anew each time.
    """
    for package in packages:
        found = importlib.util.find_spec(package)
        for folder in (found and found.submodule_search_locations) or ():
            compileall.compile_dir(folder, quiet=2)


class WorkerError(RuntimeError):
    """A process failed, or took too long; the message is the end of what it wrote on stderr."""


def run(who: str, framework: str, task: str, section: str, **given: Any) -> tuple[Any, str]:
    """Return what one process of the worker prints, and what it writes on stderr.

    Args:
        who: is measured.
        framework: on which.
        task: of the section, or its part.
        section: what is measured.
        **given: more arguments of the section's function, as JSON takes them.
    """
    command = [sys.executable, *WARNINGS, "-m", "benchmarks.worker", who, framework, task, "--section", section]
    command += ["--given", json.dumps(given)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as slow:
        raise WorkerError(f"it took more than {TIMEOUT} s") from slow
    if done.returncode:
        raise WorkerError(done.stderr[-ERROR:].strip() or f"it ended with {done.returncode} and said nothing")
    try:
        return json.loads(done.stdout.strip().splitlines()[-1]), done.stderr
    except (IndexError, ValueError) as nothing:
        raise WorkerError(f"it printed no JSON: {done.stdout[-ERROR:]!r}") from nothing


def run_tuned(framework: str, task: str, section: str, ways: Ways) -> tuple[Result, str]:
    """Return what Keras measures in each way to tune it, and what was written on stderr.

    Each way has a process of its own, so that its first epoch finds nothing compiled.
    """
    asked = {way for near in ways.values() for way in near}
    found: dict[str, dict[str, float]] = {}
    said = ""
    for way, compiled in TUNED[framework].items():
        if way in asked or not asked:
            result, stderr = run("keras", framework, task, section, compiled=compiled)
            said += stderr
            for measure in measures_of(result):
                found.setdefault(measure, {})[way] = result[measure]
    return {"ways": found}, said


def run_competitor(who: str, framework: str, task: str, section: str, ways: Ways) -> tuple[Result, str]:
    """Return what a competitor measures: in the ways that are asked for, or in all where there are none."""
    if who == "tuned":
        return run_tuned(framework, task, section, ways)
    return run(who, framework, task, section, **({"ways": ways} if ways else {}))


def rotated(who: tuple[str, ...], turn: int) -> tuple[str, ...]:
    """Return the competitors in the order of round `turn`: each is first, and comes after each, as often as others."""
    start = turn % max(len(who), 1)
    return who[start:] + who[:start]


class Runner:
    """Measures cells, goes on where a process fails, and prints what processes say on stderr, each line once.

    Args:
        console: where to print.
        only: the competitors that are measured; all of each section where there are none.
        start: starts the processes.
    """

    def __init__(
        self, console: Console, only: Iterable[str] = (), start: Callable[..., tuple[Any, str]] = run_competitor
    ) -> None:
        self.console = console
        self._only = tuple(only)
        self._start = start
        self._told: set[str] = set()

    def _tell(self, who: str, framework: str, stderr: str) -> None:
        for line in map(str.strip, stderr.splitlines()):
            same = NUMBERS.sub("#", line)
            if TOLD.search(line) and same not in self._told:
                self._told.add(same)
                self.console.print(f"[dim]{who} on {framework} says:[/dim]", end=" ")
                self.console.print(line, highlight=False, markup=False)

    def _results(self, cell: tuple[str, str, str], rounds: int) -> tuple[dict[str, list[Result]], list[Row]]:
        """Return what each competitor's processes returned, and rows of those that failed, which run no more."""
        section, framework, task = cell
        who = competitors(framework, section, self._only)
        results: dict[str, list[Result]] = {name: [] for name in who}
        failed: dict[str, Row] = {}
        ways: dict[str, dict[str, list[str]]] = {name: {} for name in who}
        for turn in range(rounds):
            for name in rotated(who, turn):
                if name in failed:
                    continue
                try:
                    result, stderr = self._start(name, framework, task, section, ways[name])
                except WorkerError as error:
                    failed[name] = failure(section, framework, task, name, str(error))
                    continue
                results[name].append(result)
                self._tell(name, framework, stderr)
                ways[name] = ways[name] or near_ways(result)
        return results, list(failed.values())

    def measure(self, section: str, framework: str, task: str, rounds: int) -> list[Row]:
        """Measure one cell: `rounds` times each of the competitors in turn. Return its rows."""
        results, failed = self._results((section, framework, task), rounds_of(section, rounds))
        if SECTIONS[section].joined:
            from benchmarks.checking import check_rows

            rows = check_rows(framework, task.split(","), results)
        else:
            rows = rows_of(section, framework, task, results, load())
        for row in rows:
            numbers = ", ".join(f"{name} {row[name]:.3g}" for name in results if name in row)
            self.console.print(f"[dim]{framework} {row['task']}, {row['measure']}: {numbers} {row['unit']}[/dim]")
        for row in failed:
            show_failure(row, self.console)
        return rows + failed


def show_failure(row: Row, console: Console) -> None:
    """Print which process failed, and the end of what it said."""
    console.print(f"[bold red]{row['who']} on {row['framework']}, {row['task']}, {row['section']}: failed[/bold red]")
    console.print("\n".join(row["error"].splitlines()[-5:]), highlight=False, markup=False)


def show_failures(rows: list[Row], console: Console) -> bool:
    """Print all processes that failed; return whether there were any."""
    found = failures(rows)
    if found:
        console.print(f"[bold red]failed: {len(found)} processes[/bold red]")
    for row in found:
        show_failure(row, console)
    return bool(found)
