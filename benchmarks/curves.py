"""The section scaling: its table, and a picture an axis with a panel a framework."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.competitors import ALL, COMPETITORS, OURS
from benchmarks.rows import Row, comparable, ratio_words
from benchmarks.scaling import AXES, size_on

KNEE = 1.5


def _growths(rows: list[Row], who: str) -> list[float]:
    return [after[who] / before[who] for before, after in pairwise(rows)]


def knees(rows: list[Row]) -> list[str]:
    """Return the steps along an axis in which our time grows `KNEE` times more than both others' times do."""
    others = [who for who in ALL if who != OURS and all(who in row for row in rows)]
    theirs = [_growths(rows, who) for who in others]
    found = []
    for i, growth in enumerate(_growths(rows, OURS)):
        if others and growth > KNEE * max(growths[i] for growths in theirs) and growth > KNEE:
            found.append(f"{rows[i]['measure']} to {rows[i + 1]['measure']}")
    return found


def lines_of(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """Return the rows of the section scaling by axis and framework, in the order of the sizes."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in comparable(rows):
        if row["section"] == "scaling":
            found.setdefault((row["task"], row["framework"]), []).append(row)
    return {place: sorted(own, key=lambda row: int(row["measure"])) for place, own in found.items()}


def all_knees(rows: list[Row]) -> list[str]:
    """Return, in words, the knees on all axes and frameworks."""
    return [f"{axis} on {f}: {knee}" for (axis, f), own in lines_of(rows).items() for knee in knees(own)]


def show_scaling(rows: list[Row], console: Console) -> None:
    """Print a table an axis, and what knees there are."""
    lines = lines_of(rows)
    for axis in dict.fromkeys(axis for axis, _ in lines):
        size = size_on(axis, AXES[axis][0])
        rest = ", ".join(f"{name} {getattr(size, name)}" for name in ("batch", "width", "depth") if name != axis)
        table = Table(title=f"Step time against {axis} (MLP, Adam; {rest}): milliseconds a step")
        words = [COMPETITORS[who].words for who in ALL]
        for column in ("framework", axis, *words, *(f"{name} / ours" for name in words[1:])):
            table.add_column(column, justify="left" if column == "framework" else "right")
        own = {framework: line for (other, framework), line in lines.items() if other == axis}
        for row in (row for line in own.values() for row in line):
            times = [f"{row[who]:.4g}" if who in row else "" for who in ALL]
            found = [ratio_words(row, who) for who in ALL[1:]]
            table.add_row(row["framework"], f"{int(row['measure']):,}", *times, *found)
        console.print(table)
        for framework, line in own.items():
            if bends := knees(line):
                console.print(f"[bold red]{axis}, {framework}: a knee that others lack, {', '.join(bends)}[/bold red]")
            else:
                console.print(f"{axis}, {framework}: no knee (growth over {KNEE} times that of both others)")


def _panel(axes: Any, rows: list[Row]) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    places = [int(row["measure"]) for row in rows]
    for who in (*ALL[1:], OURS):  # ours on top
        if all(who in row for row in rows):
            own, width = COMPETITORS[who], 2.2 if who == OURS else 1.4
            times = [row[who] for row in rows]
            axes.plot(places, times, label=own.words, color=own.color, marker=own.marker, linewidth=width, markersize=5)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(places, [f"{place:,}" for place in places], fontsize=8)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", alpha=0.3)
    axes.grid(which="minor", axis="y", alpha=0.12)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def draw_scaling(rows: list[Row], stem: Path) -> list[Path]:
    """Write a picture for each axis, `<stem>_<axis>.png`; return the paths."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    paths, lines = [], lines_of(rows)
    for axis in dict.fromkeys(axis for axis, _ in lines):
        frameworks = [framework for other, framework in lines if other == axis]
        figure, panels = plt.subplots(
            1, len(frameworks), figsize=(4.2 * len(frameworks), 3.8), sharey=True, squeeze=False, layout="constrained"
        )
        for framework, axes in zip(frameworks, panels[0], strict=True):
            _panel(axes, lines[axis, framework])
            axes.set_title(framework, fontsize=11)
            axes.set_xlabel(axis)
        panels[0][0].set_ylabel("milliseconds a step")
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
        path = stem.with_name(f"{stem.name}_{axis}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)
        plt.close(figure)
        paths.append(path)
    return paths
