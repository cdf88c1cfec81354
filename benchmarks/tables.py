"""The tables of a run: a table a section, geometric means and the worst cells."""

from __future__ import annotations

import math
import statistics
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.tasks import TASKS

TITLES = {
    "train": "Training: milliseconds a step",
    "first": "First epoch, tracing and compiling included: seconds",
    "predict": "predict on the rows of an epoch: milliseconds a batch",
    "calls": "Calls in a Python loop: milliseconds a call",
    "memory": "Peak of memory in fit over the start: MB",
    "build": "Import, 300 layers, summary: seconds; one Dense call in eager mode: microseconds",
}
PEERS = {"keras": "Keras 3", "native": "by hand"}
Row = dict[str, Any]


def geometric_mean(values: list[float]) -> float:
    """Return the geometric mean of positive numbers."""
    return math.exp(statistics.fmean(map(math.log, values)))


def ratios(rows: list[Row], peer: str) -> list[tuple[float, Row]]:
    """Return how many times faster polykeras is than `peer` in each row that has both, the worst first."""
    return sorted(((row[peer] / row["polykeras"], row) for row in rows if peer in row), key=lambda pair: pair[0])


def name(row: Row) -> str:
    """Return what a row measures, in words."""
    label = TASKS[row["task"]].label if row["task"] in TASKS else ""
    measure = row["measure"] if row["section"] in ("calls", "build", "memory") else ""
    return ", ".join(part for part in (label, measure) if part)


def _table(section: str, rows: list[Row]) -> Table:
    table = Table(title=TITLES[section] + " (medians); ratios above 1: polykeras is better")
    for column in ("measured", "framework"):
        table.add_column(column, no_wrap=True)
    peers = [peer for peer in PEERS if any(peer in row for row in rows)]
    for column in ("polykeras", *(PEERS[peer] for peer in peers), *(f"{PEERS[peer]} / ours" for peer in peers)):
        table.add_column(column, justify="right")
    if "native" in peers:
        table.add_column("fastest way by hand")
    for row in rows:
        numbers = [f"{row['polykeras']:.4g}", *(f"{row[peer]:.4g}" if peer in row else "" for peer in peers)]
        numbers += [f"{row[peer] / row['polykeras']:.2f}" if peer in row else "" for peer in peers]
        way = [row.get("native_way", "")] if "native" in peers else []
        table.add_row(name(row), row["framework"], *numbers, *way)
    return table


def _summary(section: str, rows: list[Row], peer: str, console: Console) -> None:
    found = ratios(rows, peer)
    if not found:
        return
    worst = "; ".join(f"{ratio:.2f} {name(row)} ({row['framework']})" for ratio, row in found[:3])
    mean = geometric_mean([ratio for ratio, _ in found])
    console.print(f"{section}, {PEERS[peer]} / polykeras: geometric mean {mean:.2f} over {len(found)}; least: {worst}")
    for framework in dict.fromkeys(row["framework"] for row in rows):
        own = [ratio for ratio, row in found if row["framework"] == framework]
        if 0 < len(own) < len(found):
            console.print(f"    {framework}: geometric mean {geometric_mean(own):.2f}, least {min(own):.2f}")


def show(rows: list[Row], console: Console) -> None:
    """Print everything."""
    for section in TITLES:
        own = [row for row in rows if row["section"] == section]
        if not own:
            continue
        console.print(_table(section, own))
        for measure in dict.fromkeys(row["measure"] for row in own):
            for peer in PEERS:
                label = section if measure == section else f"{section} ({measure})"
                _summary(label, [row for row in own if row["measure"] == measure], peer, console)
