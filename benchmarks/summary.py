"""The summary: how many times as long as polykeras the others take, one line a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.competitors import COMPETITORS, FRAMEWORKS, PEERS
from benchmarks.rows import Row, comparable, geometric_mean, ratios

QUESTIONS = {
    ("train", "train"): "a training step",
    ("others", "a step"): "a training step of models that we did not tune for",
    ("first", "first"): "the first epoch, with compilation",
    ("predict", "predict"): "`predict` on many rows, a batch",
    ("calls", "predict(x[:1])"): "`predict(x[:1])` in a loop",
    ("calls", "model(x)"): "`model(x)` in a loop",
    ("calls", "train_on_batch"): "`train_on_batch` in a loop",
}
"""What the lines say, by section and measure, in their order."""


def summary(rows: list[Row], machine: Mapping[str, Any]) -> list[str]:
    """Return a table of the others' times over ours, as geometric means over the models, by framework.

    Args:
        rows: of a run.
        machine: is not looked at.

    Returns:
        Lines of Markdown, with how to read the first cell below; none if nobody was compared with.
    """
    asked = {
        question: [row for row in comparable(rows) if (row["section"], row["measure"]) == question]
        for question in QUESTIONS
    }
    peers = [peer for peer in PEERS if any(ratios(own, peer) for own in asked.values())]
    lines = [_line(QUESTIONS[question], own, peers) for question, own in asked.items() if own]
    head = [" / ".join(COMPETITORS[peer].words for peer in peers), *FRAMEWORKS.values()]
    if not peers:
        return []
    table = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines)]
    return [*table, "", _reading([cell for _, *cells in lines for cell in cells], peers)]


def _reading(cells: list[str], peers: list[str]) -> str:
    """Return a sentence that says what the numbers of a cell mean, for the first of those with most numbers."""
    cell = min(cells, key=lambda cell: cell.split(" / ").count("-"))
    numbers = dict(zip(peers, cell.split(" / "), strict=True))
    words = {COMPETITORS[peer].words: number for peer, number in numbers.items() if number != "-"}
    told = [f"{number} times as long as polykeras ({who})" for who, number in words.items()]
    return f"Read {cell} as: {', '.join(told)}. A dash: not measured."


def _line(words: str, rows: list[Row], peers: list[str]) -> list[str]:
    """Return the cells of a line: what is asked, of how many models, and the means on each framework."""
    models = len({row["task"] for row in rows})
    by_framework = [[row for row in rows if row["framework"] == framework] for framework in FRAMEWORKS]
    return [f"{words} ({models} models)", *(" / ".join(_mean(own, peer) for peer in peers) for own in by_framework)]


def _mean(rows: list[Row], peer: str) -> str:
    found = [ratio for ratio, _ in ratios(rows, peer)]
    return f"{geometric_mean(found):.2f}" if found else "-"
