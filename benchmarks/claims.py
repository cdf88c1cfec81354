"""What is asked of polykeras, and whether it holds: limits of numbers, and of ratios to Keras 3 and loops by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.tables import PEERS, geometric_mean, name, ratios

TITLES = {
    "growth": "Memory over repetitions: growth of the resident set",
    "streaming": "Training from streams, beside arrays in memory",
    "saving": "Backups and checkpoints while training goes on, in percent of a step",
    "progress": "The progress bar and metrics, in percent of a step; reads of values by the host",
}
# What is asked of polykeras: in words, and as a question to the number.
ASKED: dict[str, tuple[str, Callable[[float], bool]]] = {
    "50 fits": ("flat: <= 5", lambda value: value <= 5),
    "50 models": ("flat: <= 25", lambda value: value <= 25),
    "models alive": ("<= 1", lambda value: value <= 1),
    "rate of a generator": (">= 0.9", lambda value: value >= 0.9),
    "rate of a DataLoader": (">= 0.9", lambda value: value >= 0.9),
    "slow source": ("1, not 2: <= 1.2", lambda value: value <= 1.2),
    "bar": ("<= 2", lambda value: value <= 2),
    "accuracy": ("<= 2", lambda value: value <= 2),
    "accuracy and AUC": ("<= 2", lambda value: value <= 2),
    "host reads inside chunks": ("0", lambda value: value == 0),
}
# By measure: whose time over ours, its least geometric mean over the cells, and its least in a cell.
ASKED_RATIOS: dict[str, list[tuple[str, float, float]]] = {
    "train": [("keras", 3.0, 1.2), ("native", 1.0, 1 / 1.05)],
    "first": [("keras", 1.0, 1.0)],
    "predict": [("keras", 2.0, 0.0)],
    "predict(x[:1])": [("keras", 5.0, 5.0)],
    "model(x)": [("keras", 5.0, 5.0)],
    "train_on_batch": [("keras", 1.5, 1.5)],
    "peak of the first fit": [("keras", 1.0, 1.0)],
    "peak of a second fit": [("keras", 1.0, 1.0)],
}
Row = dict[str, Any]


def _table(section: str, rows: list[Row]) -> Table:
    table = Table(title=f"{TITLES[section]} (medians; bold: not as asked)")
    for column in ("task", "framework", "measured", "unit"):
        table.add_column(column, no_wrap=True)
    for column in ("polykeras", "Keras 3", "asked"):
        table.add_column(column, justify="right")
    for row in rows:
        words, holds = ASKED.get(row["measure"], ("", lambda value: True))
        ours = f"{row['polykeras']:.4g}"
        ours = ours if holds(row["polykeras"]) else f"[bold red]{ours}[/bold red]"
        keras = f"{row['keras']:.4g}" if "keras" in row else ""
        table.add_row(row["task"], row["framework"], row["measure"], row["unit"], ours, keras, words)
    return table


def show_claims(rows: list[Row], console: Console) -> None:
    """Print the tables, and how much of what is asked holds."""
    for section in TITLES:
        own = [row for row in rows if row["section"] == section]
        if not own:
            continue
        console.print(_table(section, own))
        asked = [row for row in own if row["measure"] in ASKED]
        good = sum(ASKED[row["measure"]][1](row["polykeras"]) for row in asked)
        console.print(f"{section}: {good} of {len(asked)} as asked")


def unmet(rows: list[Row]) -> list[str]:
    """Return, in words, what is asked and does not hold."""
    found = []
    for row in rows:
        words, holds = ASKED.get(row["measure"], ("", lambda value: True))
        if not holds(row["polykeras"]):
            found.append(f"{row['measure']}, {row['task']} on {row['framework']}: {row['polykeras']:.3g} ({words})")
    for measure, asked in ASKED_RATIOS.items():
        own = [row for row in rows if row["measure"] == measure]
        for peer, mean, least in asked:
            found += _unmet_ratios(measure, peer, mean, least, own)
    return found


def _unmet_ratios(measure: str, peer: str, mean: float, least: float, rows: list[Row]) -> list[str]:
    cells = ratios(rows, peer)
    if not cells:
        return []
    what = f"{measure}, {PEERS[peer]} / ours"
    reached = geometric_mean([ratio for ratio, _ in cells])
    found = [f"{what}: geometric mean {reached:.3g} (>= {mean:.3g})"] if reached < mean else []
    found += [f"{what}, {name(row)} on {row['framework']}: {r:.3g} (>= {least:.3g})" for r, row in cells if r < least]
    return found


def show_unmet(rows: list[Row], console: Console) -> bool:
    """Print what does not hold of all that is asked of these rows; return whether all holds."""
    found = unmet(rows)
    console.print(f"not as asked: {len(found)}" if found else "all is as asked")
    for line in found:
        console.print(f"    {line}", highlight=False)
    return not found
