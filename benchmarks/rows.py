"""Rows: one for each number of a cell, with what each competitor's rounds gave. No framework is needed here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import fmean, median
from typing import Any

from benchmarks.competitors import OURS, PEERS
from benchmarks.sections import SECTIONS, section_of
from benchmarks.tasks import OTHERS, TASKS

NEAR = 1.5  # ways whose first round was within this of the best are measured again: rounds differ by 30 %
BAD = "failed"
Row = dict[str, Any]
Result = dict[str, Any]


# ---- made of what processes return -------------------------------------------------------------------------------


def measures_of(result: Result) -> list[str]:
    """Return the names of the numbers in what a process returned."""
    return [name for name, value in result.items() if isinstance(value, float)] + list(result.get("ways", {}))


def near_ways(result: Result) -> dict[str, list[str]]:
    """Return, by measure, the ways worth measuring again: nearly as good as the best."""
    near = {}
    for measure, numbers in result.get("ways", {}).items():
        best = min(numbers.values())
        near[measure] = [way for way, number in numbers.items() if number <= NEAR * best]
    return near


def _best_way(who: str, ways: Mapping[str, list[float]]) -> Row:
    """Return the number of the best way, by the medians over its rounds, and the rounds of all ways."""
    best = min(ways, key=lambda way: median(ways[way]))
    return {who: median(ways[best]), f"{who}_rounds": ways[best], f"{who}_way": best, f"{who}_ways": dict(ways)}


def _of_ways(who: str, results: list[Result], measure: str) -> Row:
    ways: dict[str, list[float]] = {}
    for result in results:
        for way, number in result.get("ways", {}).get(measure, {}).items():
            ways.setdefault(way, []).append(number)
    return _best_way(who, ways)


def _with_defaults(row: Row) -> Row:
    """Return a row in which Keras's defaults are one of the ways to tune it."""
    if not {"tuned_ways", "keras_rounds"} <= row.keys():
        return row
    return row | _best_way("tuned", row["tuned_ways"] | {"defaults": row["keras_rounds"]})


def _losses(result: Result, way: str | None) -> list[float] | None:
    losses = result.get("losses")
    return losses.get(way) if isinstance(losses, dict) else losses


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
                row |= _of_ways(who, runs, measure)
            else:
                row[who] = median(run[measure] for run in runs)
                row[f"{who}_rounds"] = [run[measure] for run in runs]
            if measure != "predict" and (losses := _losses(runs[0], row.get(f"{who}_way"))):
                row[f"{who}_losses"] = losses
        rows.append(_with_defaults(row))
    return rows


def failure(section: str, framework: str, task: str, who: str, error: str) -> Row:
    """Return the row of a process that failed."""
    return {"section": section, "framework": framework, "task": task, "measure": BAD, "who": who, "error": error}


def failures(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of processes that failed."""
    return [row for row in rows if "error" in row]


def comparable(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that have a number of ours: all tables but that of the check need one."""
    return [row for row in rows if OURS in row]


# ---- several runs ------------------------------------------------------------------------------------------------


def _cell(row: Row) -> tuple[str, ...]:
    return row["section"], row["framework"], row["task"]


def _key(row: Row) -> tuple[str, ...]:
    return (*_cell(row), row["measure"], row.get("who", ""))


def merged(runs: Iterable[list[Row]]) -> list[Row]:
    """Return the rows of several runs as those of one, in the order of the registry; numbers of later ones win.

    A competitor that a later run did not measure keeps its numbers. What failed in an earlier run is forgotten where a
    later one has the cell.
    """
    found: dict[tuple[str, ...], Row] = {}
    for rows in runs:
        cells = {_cell(row) for row in rows}
        found = {key: row for key, row in found.items() if "error" not in row or _cell(row) not in cells}
        found |= {_key(row): _with_defaults(found.get(_key(row), {}) | row) for row in rows}
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


def label_of(task: str) -> str:
    """Return what tables say for a task; nothing for parts that are no models."""
    known = TASKS.get(task) or OTHERS.get(task)
    return known.label if known else ""


def name_of(row: Row) -> str:
    """Return what a row measures, in words."""
    section = SECTIONS[row["section"]]
    if section.unit:  # measures are places on an axis
        return f"{row['task']} {int(row['measure']):,}"
    measure = row["measure"] if len(section.measures) > 1 else ""
    return ", ".join(part for part in (label_of(row["task"]), measure) if part) or row["task"]


def present_peers(rows: Iterable[Row]) -> list[str]:
    """Return those that some row compares with."""
    found = list(rows)
    return [peer for peer in PEERS if any(peer in row for row in found)]
