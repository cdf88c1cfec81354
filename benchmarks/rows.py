"""Rows: one for each number of a cell, with what each competitor's rounds gave. No framework is needed here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import fmean, median
from typing import Any

from benchmarks.competitors import OURS, PEERS
from benchmarks.other_models import OTHERS
from benchmarks.sections import SECTIONS, section_of
from benchmarks.tasks import TASKS

NEAR = 1.5  # ways by hand whose first round was within this of the best are measured again: rounds differ by 30 %
BAD = "failed"
Row = dict[str, Any]
Result = dict[str, Any]


# ---- made of what processes return -------------------------------------------------------------------------------


def measures_of(result: Result) -> list[str]:
    """Return the names of the numbers in what a process returned."""
    return [name for name, value in result.items() if isinstance(value, float)] + list(result.get("ways", {}))


def near_ways(result: Result) -> dict[str, list[str]]:
    """Return, by measure, the ways by hand worth measuring again: nearly as good as the best."""
    near = {}
    for measure, numbers in result.get("ways", {}).items():
        best = min(numbers.values())
        near[measure] = [way for way, number in numbers.items() if number <= NEAR * best]
    return near


def _of_ways(results: list[Result], measure: str) -> Row:
    """Return the number of the best way by hand, by the medians over its rounds, and the rounds of all ways."""
    found = [result["ways"][measure] for result in results if measure in result.get("ways", {})]
    ways: dict[str, list[float]] = {}
    for numbers in found:
        for way, number in numbers.items():
            ways.setdefault(way, []).append(number)
    best = min(ways, key=lambda way: median(ways[way]))
    return {"native": median(ways[best]), "native_rounds": ways[best], "native_way": best, "native_ways": ways}


def _losses(result: Result, row: Row) -> list[float] | None:
    losses = result.get("losses")
    return losses.get(row.get("native_way")) if isinstance(losses, dict) else losses


def rows_of(section: str, framework: str, task: str, results: Mapping[str, list[Result]], load: float) -> list[Row]:
    """Return a row for each number that the processes of a cell gave: medians over the rounds, and the rounds.

    Args:
        section: whose processes ran.
        framework: on which.
        task: of `TASKS`, or the part of the section.
        results: what each competitor's processes returned, one after the other.
        load: the machine's load average when they ran.
    """
    rows = []
    ran = {who: runs for who, runs in results.items() if runs}
    for measure in dict.fromkeys(measure for runs in ran.values() for measure in measures_of(runs[0])):
        of = section_of(measure, section)
        row: Row = {"section": of.name, "framework": framework, "task": task, "measure": measure}
        row |= {"unit": of.unit_of(measure), "load": load}
        for who, runs in ran.items():
            if who not in of.who or measure not in measures_of(runs[0]):
                continue
            if measure in runs[0].get("ways", {}):
                row |= _of_ways(runs, measure)
            else:
                row[who] = median(run[measure] for run in runs)
                row[f"{who}_rounds"] = [run[measure] for run in runs]
            if measure != "predict" and (losses := _losses(runs[0], row)):
                row[f"{who}_losses"] = losses
        rows.append(row)
    return rows


def failure(section: str, framework: str, task: str, who: str, error: str) -> Row:
    """Return the row of a process that failed."""
    return {"section": section, "framework": framework, "task": task, "measure": BAD, "who": who, "error": error}


def failures(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of processes that failed."""
    return [row for row in rows if "error" in row]


def comparable(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that have a number of ours: all tables but those of the machine and of the check need one."""
    return [row for row in rows if OURS in row]


# ---- several runs ------------------------------------------------------------------------------------------------


def _cell(row: Row) -> tuple[str, ...]:
    return row["section"], row["framework"], row["task"]


def _key(row: Row) -> tuple[str, ...]:
    return (*_cell(row), row["measure"], row.get("who", ""))


def merged(runs: Iterable[list[Row]]) -> list[Row]:
    """Return the rows of several runs as those of one, in the order of the registry; later ones win.

    What failed in an earlier run is forgotten where a later one has the cell.
    """
    found: dict[tuple[str, ...], Row] = {}
    for rows in runs:
        cells = {_cell(row) for row in rows}
        found = {key: row for key, row in found.items() if "error" not in row or _cell(row) not in cells}
        found |= {_key(row): row for row in rows}
    order = list(SECTIONS)
    return sorted(found.values(), key=lambda row: order.index(row["section"]))


# ---- ratios ------------------------------------------------------------------------------------------------------


def geometric_mean(values: list[float]) -> float:
    """Return the geometric mean of positive numbers."""
    return math.exp(fmean(map(math.log, values)))


def ratios(rows: Iterable[Row], peer: str) -> list[tuple[float, Row]]:
    """Return how many times faster polykeras is than `peer` in each row that has both, the worst first."""
    both = [row for row in rows if peer in row and OURS in row]
    return sorted(((row[peer] / row[OURS], row) for row in both), key=lambda pair: pair[0])


def spread(row: Row, peer: str) -> tuple[float, float] | None:
    """Return the least and the greatest of the ratios of the rounds; None where there were not two."""
    theirs, ours = row.get(f"{peer}_rounds", []), row.get(f"{OURS}_rounds", [])
    # A way by hand that was dropped after the first round, or a process that failed, has fewer rounds.
    found = [their / our for their, our in zip(theirs, ours, strict=False)]
    return (min(found), max(found)) if len(found) > 1 else None


def ratio_words(row: Row, peer: str) -> str:
    """Return the ratio of the medians and the spread of the rounds: "2.31 (2.1-2.5)"; nothing without `peer`."""
    if peer not in row:
        return ""
    ends = spread(row, peer)
    return f"{row[peer] / row[OURS]:.2f}" + ("" if ends is None else f" ({ends[0]:.2f}-{ends[1]:.2f})")


def label_of(task: str) -> str:
    """Return what tables say for a task; nothing for parts that are no models."""
    known = TASKS.get(task) or OTHERS.get(task)
    return known.label if known else ""


def name_of(row: Row) -> str:
    """Return what a row measures, in words."""
    measure = row["measure"] if len(SECTIONS[row["section"]].measures) > 1 else ""
    return ", ".join(part for part in (label_of(row["task"]), measure) if part)


def present_peers(rows: Iterable[Row]) -> list[str]:
    """Return those that some row compares with."""
    found = list(rows)
    return [peer for peer in PEERS if any(peer in row for row in found)]
