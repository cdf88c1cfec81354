"""Tables: what a run prints, and what stands in documents between `<!-- table NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.checking import LOSSES, PREDICTIONS, tolerance
from benchmarks.competitors import COMPETITORS, FRAMEWORKS, OURS, TUNED
from benchmarks.rows import Row, comparable, geometric_mean, label_of, name_of, present_peers, ratios
from benchmarks.sections import SECTIONS
from benchmarks.summary import summary

PLACE = re.compile(r"<!-- table (?P<name>[\w ]+?) -->\n(?P<body>(?:(?!<!-- table ).)*?)<!-- end -->", re.DOTALL)
START = re.compile(r"<!-- table ([\w ]+?) -->")
Machine = Mapping[str, Any]


def _lines(header: Iterable[str], lines: Iterable[Iterable[str]]) -> list[str]:
    head = list(header)
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)]


def _cell(row: Row | None, peers: list[str]) -> str:
    if row is None:
        return ""
    return " / ".join(_figure(row[who]) if who in row else "-" for who in (OURS, *peers))


def _frameworks(rows: Iterable[Row]) -> dict[str, str]:
    """Return the frameworks of rows, and their names, in the order of `FRAMEWORKS`."""
    known: dict[str, None] = dict.fromkeys(row["framework"] for row in rows)
    order = [*(name for name in FRAMEWORKS if name in known), *(name for name in known if name not in FRAMEWORKS)]
    return {name: FRAMEWORKS.get(name, name) for name in order}


def _name(row: Row, units: set[str | None]) -> str:
    """Return what a row measures; with its unit where the section has several, which the measure may say already."""
    if len(units) == 1:
        return name_of(row)
    label, measure, unit = label_of(row["task"]), row["measure"], row["unit"]
    said = max(measure, unit, key=len) if measure in unit or unit in measure else f"{measure} ({unit})"
    return f"{label}, {said}" if label else said


def _figure(value: float) -> str:
    """Return three figures, and all those before the point."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _means(rows: list[Row]) -> str:
    """Return the geometric means and the least cells: over all, and a framework."""
    parts = []
    for peer in present_peers(rows):
        found = [(ratio, row["framework"]) for ratio, row in ratios(rows, peer)]
        each = []
        for framework, head in _frameworks(rows).items():
            if own := [ratio for ratio, where in found if where == framework]:
                each.append(f"{head} {geometric_mean(own):.2f}, least {min(own):.2f}")
        mean = geometric_mean([ratio for ratio, _ in found])
        words = COMPETITORS[peer].words
        words = f"{words[0].upper()}{words[1:]} / polykeras"
        parts.append(f"{words}: geometric mean {mean:.2f} over {len(found)} cells ({'; '.join(each)})")
    return ". ".join(parts) + "."


def _tuned(rows: list[Row]) -> list[str]:
    """Return what "tuned" stands for, and what was the best in how many cells; nothing where it was not measured."""
    best = [row["tuned_way"] for row in rows if "tuned_way" in row]
    if not best:
        return []
    counts = ", ".join(f"{way} {best.count(way)}" for way in sorted(set(best), key=lambda way: (-best.count(way), way)))
    ways = "; ".join(
        f"{' / '.join(TUNED[name])} on {head}" for name, head in _frameworks(rows).items() if name in TUNED
    )
    return [
        f"Tuned is the best of Keras's defaults and of these arguments of `compile`, cell by cell: {ways} (32 steps is "
        f"`steps_per_execution=32`; XLA and torch.compile are `jit_compile=True`). The best was: {counts}."
    ]


def cells(name: str, rows: list[Row], machine: Machine, tasks: Iterable[str] | None = None) -> list[str]:
    """Return a table of models (and measures) against frameworks; with the means where ratios are compared.

    Args:
        name: of the section.
        rows: of all sections.
        machine: on which they were measured.
        tasks: whose lines are shown; None for all. The means are over all in any case.
    """
    own = [row for row in comparable(rows) if row["section"] == name]
    if not own:
        return []
    section, peers, frameworks = SECTIONS[name], present_peers(own), _frameworks(own)
    units: set[str | None] = {*section.measures.values(), *([section.unit] if section.unit else [])}
    places: dict[str, dict[str, Row]] = {}
    for row in own:
        if tasks is None or row["task"] in tasks:
            places.setdefault(_name(row, units), {})[row["framework"]] = row
    unit = f"{next(iter(units))}: " if len(units) == 1 else ""
    who = " / ".join(COMPETITORS[name].words for name in (OURS, *peers))
    lines = [[place, *(_cell(found.get(f), peers) for f in frameworks)] for place, found in places.items()]
    table = _lines([unit + who, *frameworks.values()], lines)
    if section.table != "ratios" or not peers:
        return table
    table.append("")
    measures = [None] if section.unit else list(dict.fromkeys(row["measure"] for row in own))
    for measure in measures:
        same = [row for row in own if measure in (None, row["measure"])]
        if present_peers(same):
            table.append((f"{measure}: " if len(measures) > 1 else "") + _means(same))
    return table + _tuned(own)


def check(rows: list[Row], machine: Machine) -> list[str]:
    """Return how far Keras and the loops by hand are from polykeras: losses, and predictions."""
    own = [row for row in rows if row["section"] == "check"]
    if not own:
        return []
    frameworks, places = _frameworks(own), {(r["task"], r["measure"], r["framework"]): r for r in own}

    def cell(row: Row | None) -> str:
        return " / ".join(f"{row[who]:.0e}" if who in row else "-" for who in ("keras", "native")) if row else ""

    lines = [
        [f"{label_of(task)}, {measure}", *(cell(places.get((task, measure, f))) for f in frameworks)]
        for task, measure in dict.fromkeys((row["task"], row["measure"]) for row in own)
    ]
    wide = [r for r in own if tolerance(r, "keras") > tolerance(r, "native")]
    wider = [f"{r['task']} of Keras on {r['framework']} {tolerance(r, 'keras'):g}" for r in wide]
    allowed = f"Tolerance: losses {LOSSES:g}, relative; predictions {PREDICTIONS:g}, absolute"
    head = ["differences from polykeras: Keras 3 / by hand", *frameworks.values()]
    return [*_lines(head, lines), "", "; ".join([allowed, *wider]) + "."]


def machine_table(rows: list[Row], machine: Machine) -> list[str]:
    """Return what the run was measured on, and between which loads of the machine."""
    if not machine:
        return []
    flat = {key: value for key, value in machine.items() if key not in ("versions", "l3_bytes")}
    l3 = machine.get("l3_bytes")
    flat |= {"l3": None if l3 is None else f"{l3 / 2**20:.0f} MB"} | dict(machine.get("versions", {}))
    if loads := [row["load"] for row in rows if "load" in row]:
        flat["load while measuring"] = f"{min(loads):g} to {max(loads):g}"
    told = {True: "yes", False: "no", None: "not told"}
    lines = [
        [key, told[value] if value is None or isinstance(value, bool) else str(value)] for key, value in flat.items()
    ]
    return _lines(["machine", ""], lines)


TABLES: dict[str, Callable[[list[Row], Machine], list[str]]] = {
    "summary": summary,
    **{name: partial(cells, name) for name, section in SECTIONS.items() if section.table != "check"},
    "check": check,
    "machine": machine_table,
}


def table(name: str, rows: list[Row], machine: Machine) -> list[str] | None:
    """Return the lines of a table; none where there are no rows for it, None where there is no such table."""
    return TABLES[name](rows, machine) if name in TABLES else None


def replaced(text: str, rows: list[Row], machine: Machine) -> tuple[str, list[str]]:
    """Return a document with the tables of these rows, and what there is to say of its markers."""
    said: list[str] = []

    def filled(found: re.Match[str]) -> str:
        name = found["name"]
        lines = table(name, rows, machine)
        if not lines:
            known = f"no such table; there are {', '.join(TABLES)}" if lines is None else "no rows"
            said.append(f"table {name}: left as it is, {known}")
            return found[0]
        return f"<!-- table {name} -->\n" + "\n".join(lines) + "\n<!-- end -->"

    whole = PLACE.sub(filled, text)
    starts = {found.start() for found in PLACE.finditer(text)}
    said += [
        f"table {found[1]}: left as it is, no <!-- end --> follows"
        for found in START.finditer(text)
        if found.start() not in starts
    ]
    return whole, said


def fill(path: Path, rows: list[Row], machine: Machine) -> list[str]:
    """Replace the tables in a file; return what there is to say."""
    text, said = replaced(path.read_text(encoding="utf-8"), rows, machine)
    path.write_text(text, encoding="utf-8")
    return said
