"""Tables for the documents: what stands between `<!-- table NAME -->` and `<!-- end -->` is replaced by table NAME."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.checking import LOSSES, PREDICTIONS, tolerance
from benchmarks.competitors import ALL, COMPETITORS, FRAMEWORKS, OURS
from benchmarks.curves import knees, lines_of
from benchmarks.physics import Bound, bounds, cache_bytes, reached, work_of
from benchmarks.rows import Row, comparable, geometric_mean, label_of, name_of, present_peers, ratios
from benchmarks.sections import SECTIONS
from benchmarks.summary import summary
from benchmarks.tasks import TASKS

PLACE = re.compile(r"<!-- table (?P<name>[\w ]+?) -->\n(?P<body>(?:(?!<!-- table ).)*?)<!-- end -->", re.DOTALL)
START = re.compile(r"<!-- table ([\w ]+?) -->")
ORDER = (OURS, "keras", "native", "plain")
Machine = Mapping[str, Any]


def _lines(header: Iterable[str], lines: Iterable[Iterable[str]]) -> list[str]:
    head = list(header)
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)]


def _cell(row: Row | None, peers: list[str]) -> str:
    if row is None:
        return ""
    return " / ".join(_figure(row[who]) if who in row else "-" for who in (OURS, *peers))


def _frameworks(rows: Iterable[Row]) -> list[str]:
    known = {row["framework"]: None for row in rows}
    return [f for f in FRAMEWORKS if f in known] + [f for f in known if f not in FRAMEWORKS]


def _heads(frameworks: Iterable[str]) -> list[str]:
    return [FRAMEWORKS.get(framework, framework) for framework in frameworks]


def _measured(row: Row) -> str:
    """Return a measure with its unit, which one of both may say already."""
    measure, unit = row["measure"], row["unit"]
    if measure in unit or unit in measure:
        return max(measure, unit, key=len)
    return f"{measure} ({unit})"


def _name(row: Row) -> str:
    label, several = label_of(row["task"]), len(set(SECTIONS[row["section"]].measures.values())) > 1
    if not several:
        return name_of(row)
    return f"{label}, {_measured(row)}" if label else _measured(row)


def _figure(value: float) -> str:
    """Return three figures, and all those before the point."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _means(rows: list[Row], peers: list[str]) -> str:
    """Return the geometric means and the least cells: over all, and a framework."""
    parts = []
    for peer in peers:
        found = [(ratio, row["framework"]) for ratio, row in ratios(rows, peer)]
        each = []
        for framework, head in zip(_frameworks(rows), _heads(_frameworks(rows)), strict=True):
            if own := [ratio for ratio, where in found if where == framework]:
                each.append(f"{head} {geometric_mean(own):.2f}, least {min(own):.2f}")
        mean = geometric_mean([ratio for ratio, _ in found])
        words = f"{COMPETITORS[peer].words.capitalize()} / polykeras"
        parts.append(f"{words}: geometric mean {mean:.2f} over {len(found)} cells ({'; '.join(each)})")
    return ". ".join(parts) + "."


def cells(name: str, rows: list[Row], machine: Machine) -> list[str]:
    """Return a table of models (and measures) against frameworks; with the means where ratios are compared."""
    own = [row for row in comparable(rows) if row["section"] == name]
    if not own:
        return []
    section, peers, frameworks = SECTIONS[name], [p for p in ORDER if p in present_peers(own)], _frameworks(own)
    places: dict[str, dict[str, Row]] = {}
    for row in own:
        places.setdefault(_name(row), {})[row["framework"]] = row
    units = set(section.measures.values())
    unit = f"{units.pop()}: " if len(units) == 1 and section.table == "ratios" else ""
    who = " / ".join(COMPETITORS[name].words for name in (OURS, *peers))
    lines = [[place, *(_cell(found.get(f), peers) for f in frameworks)] for place, found in places.items()]
    table = _lines([unit + who, *_heads(frameworks)], lines)
    if section.table != "ratios" or not peers:
        return table
    table.append("")
    measures = list(dict.fromkeys(row["measure"] for row in own))
    for measure in measures:
        same = [row for row in own if row["measure"] == measure]
        table.append((f"{measure}: " if len(measures) > 1 else "") + _means(same, present_peers(same)))
    return table


def scaling_knees(rows: list[Row], machine: Machine) -> list[str]:
    """Return the knees of each axis on each framework."""
    found = lines_of(rows)
    frameworks = [f for f in FRAMEWORKS if any(f == own for _, own in found)]
    axes = dict.fromkeys(axis for axis, _ in found)

    def words(axis: str, framework: str) -> str:
        line = found.get((axis, framework))
        return "" if line is None else ", ".join(knees(line)) or "none"

    return (
        _lines(["knees", *_heads(frameworks)], [[a, *(words(a, f) for f in frameworks)] for a in axes]) if axes else []
    )


def _least(bound: Bound) -> str:
    """Return the shortest time of a step, and our share of it."""
    least = f"{bound.milliseconds:.2g}{'*' if bound.by_bytes else ''}"
    return least if bound.share is None else f"{least}, {100 * bound.share:.0f} %"


def physics(rows: list[Row], machine: Machine) -> list[str]:
    """Return the work of a step of each model, and the shares of what the machine reaches."""
    rates = reached(rows)
    frameworks = [framework for framework in FRAMEWORKS if framework in rates]
    if not frameworks:
        return []
    cache, lines = cache_bytes(machine.get("l3_bytes")), []
    for name, task in TASKS.items():
        work = work_of(task)
        found = bounds(rows, name, work, cache)
        figures = [f"{size / 1e6:.3g}" for size in (work.flops, work.held, work.moved(cache))]
        lines.append([task.label, *figures, *(_least(found[framework]) for framework in frameworks)])
    each = [f"{rates[f][0]:.0f} GFLOP/s, {rates[f][1]:.0f} GB/s on {FRAMEWORKS[f]}" for f in frameworks]
    return [
        *_lines(["ms a step takes at least, over ours", "MFLOP", "MB held", "MB moved", *_heads(frameworks)], lines),
        "",
        f"Reached: {'; '.join(each)}; last cache {cache / 2**20:.0f} MB. *: the bytes take longer than the arithmetic.",
    ]


def check(rows: list[Row], machine: Machine) -> list[str]:
    """Return how far Keras and the loops by hand are from polykeras: losses, and predictions."""
    own = [row for row in rows if row["section"] == "check"]
    if not own:
        return []
    frameworks, places = _frameworks(own), {(r["task"], r["measure"], r["framework"]): r for r in own}

    def cell(row: Row | None) -> str:
        return " / ".join(f"{row[who]:.0e}" if who in row else "-" for who in ALL[1:]) if row else ""

    lines = [
        [f"{label_of(task)}, {measure}", *(cell(places.get((task, measure, f))) for f in frameworks)]
        for task, measure in dict.fromkeys((row["task"], row["measure"]) for row in own)
    ]
    wider = [f"{r['task']} of Keras on {r['framework']} {tolerance(r, 'keras'):g}" for r in own if _wider(r)]
    allowed = f"Tolerance: losses {LOSSES:g}, relative; predictions {PREDICTIONS:g}, absolute"
    head = ["differences from polykeras: Keras 3 / by hand", *_heads(frameworks)]
    return [*_lines(head, lines), "", "; ".join([allowed, *wider]) + "."]


def _wider(row: Row) -> bool:
    return tolerance(row, "keras") > tolerance(row, "native")


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


OWN: dict[str, Callable[[list[Row], Machine], list[str]]] = {
    "summary": summary,
    "scaling knees": scaling_knees,
    "physics": physics,
    "check": check,
    "machine": machine_table,
}
TABLES = OWN | {n: partial(cells, n) for n, s in SECTIONS.items() if s.table in ("ratios", "numbers")}


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
