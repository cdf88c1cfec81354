"""The tables of the sections growth, streaming and progress: numbers that are held against a limit, not a ratio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

TITLES = {
    "growth": "Memory over repetitions: growth of the resident set",
    "streaming": "Training from streams, beside arrays in memory",
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
