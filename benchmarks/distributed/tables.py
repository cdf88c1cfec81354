"""The tables of `docs/scale.md`, made of a file of measurements and of the model of cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.competitors import FRAMEWORKS
from benchmarks.distributed import scale
from benchmarks.distributed.models import ALONE, MODELS, OTHERS, OURS
from benchmarks.markdown import PLACE
from benchmarks.rows import geometric_mean

Measurements = Mapping[str, Any]


def _lines(rows: Iterable[Iterable[str]]) -> list[str]:
    head, *body = (list(row) for row in rows)
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body)]


def _columns(found: Iterable[Mapping[str, Any]]) -> list[str]:
    names = {row["framework"] for row in found}
    return [name for name in FRAMEWORKS if name in names]


def _of_two(measured: Measurements) -> dict[tuple[str, str], Any]:
    return {(row["model"], row["framework"]): row for row in measured["rows"] if row["workers"] == 2}


def _means(label: str, rows: Mapping[tuple[str, str], Any], frameworks: list[str], number: str) -> list[str]:
    cells = []
    for framework in frameworks:
        own = [rows[name, framework][number] for name in MODELS if (name, framework) in rows]
        cells.append(
            f"{geometric_mean(own):.2f}" + ("" if len(own) == len(MODELS) else f" (of {len(own)})") if own else "-"
        )
    return [label, *cells]


def experts(measured: Measurements) -> list[str]:
    """Return milliseconds a step of `fit` and of the best expert's loop, and their quotient."""
    rows = _of_two(measured)
    frameworks = _columns(rows.values())

    def cell(row: Any) -> str:
        if row is None:
            return "-"
        times = row["milliseconds"]
        return f"{times[OURS]:.3g} / {times[row['best']]:.3g} = {row['of_theirs']:.2f}"

    labels = {name: shared.task.label for name, shared in (MODELS | OTHERS).items()}
    table = [["ms a step: `fit` / expert = share", *(FRAMEWORKS[framework] for framework in frameworks)]]
    for name, label in labels.items():
        if any((name, framework) in rows for framework in frameworks):
            table.append([label, *(cell(rows.get((name, framework))) for framework in frameworks)])
    table.insert(1 + len(MODELS), _means("geometric mean of the five shares", rows, frameworks, "of_theirs"))
    best = sorted({f"{FRAMEWORKS[row['framework']]}: {row['best']}" for row in rows.values()})
    loads = [row["load"] for row in measured["rows"]] or [0.0]
    load = f"The load of the machine meanwhile: {min(loads):.0f} to {max(loads):.0f}."
    return [*_lines(table), "", f"The best ways of the experts: {'; '.join(best)}. {load}"]


def efficiency(measured: Measurements) -> list[str]:
    """Return what two workers are worth, against one process with the same global batch."""
    rows = _of_two(measured)
    frameworks = _columns(rows.values())

    def cell(row: Any) -> str:
        if row is None:
            return "-"
        times = row["milliseconds"]
        return f"{times[ALONE]:.3g} / {times[OURS]:.3g} = {row['efficiency'] * row['workers']:.2f}"

    table = [["ms a step: one process / two = times as fast", *(FRAMEWORKS[name] for name in frameworks)]]
    for name, shared in (MODELS | OTHERS).items():
        found = [rows.get((name, framework)) for framework in frameworks]
        if any(found):
            table.append([shared.task.label, *map(cell, found)])
    return _lines(table)


def links(measured: Measurements) -> list[str]:
    """Return the measured parameters of each engine's sum."""
    table = [["engine", "workers", "latency of a sum", "bytes summed a second", "an agreement", "until the first step"]]
    for row in measured["costs"]:
        rate = 1e-9 / row["seconds_a_byte"]
        times = [f"{1e3 * row['latency']:.2f} ms", f"{rate:.2f} GB", f"{1e3 * row['agreement']:.2f} ms"]
        started = f"{row['start']['first step']:.0f} s"
        table.append([FRAMEWORKS[row["framework"]], str(row["workers"]), *times, started])
    return _lines(table)


def predictions(measured: Measurements) -> list[str]:
    """Return predicted and measured steps."""
    table = [["model", "engine", "workers", "compute", "sum", "predicted", "measured", "measured / predicted"]]
    for row in measured["costs"]:
        for name, model in row["models"].items():
            times = [f"{1e3 * model[part]:.2f} ms" for part in ("compute", "sum", "predicted", "measured")]
            quotient = f"{model['measured'] / model['predicted']:.2f}"
            label = MODELS[name].task.label
            table.append([label, FRAMEWORKS[row["framework"]], str(row["workers"]), *times, quotient])
    return _lines(table)


TABLES: dict[str, Callable[[Measurements], list[str]]] = {
    "experts": experts,
    "efficiency": efficiency,
    "links": links,
    "predictions": predictions,
    "scaling": lambda _: _lines(scale.scaling()),
    "memory": lambda _: _lines(scale.memory()),
    "backups": lambda _: _lines(scale.backups()),
}


def replaced(text: str, measured: Measurements) -> str:
    """Return a document with the tables between `<!-- table NAME -->` and `<!-- end -->` made anew."""

    def filled(found: re.Match[str]) -> str:
        return f"<!-- table {found['name']} -->\n" + "\n".join(TABLES[found["name"]](measured)) + "\n<!-- end -->"

    return PLACE.sub(filled, text)


def fill(path: Path, measured: Measurements) -> None:
    """Replace the tables in a file."""
    path.write_text(replaced(path.read_text(encoding="utf-8"), measured), encoding="utf-8")
