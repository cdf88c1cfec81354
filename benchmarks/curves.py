"""The section scaling: its table, and a picture an axis with a panel a framework."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.scaling import AXES, size_on

WHO = {"polykeras": "polykeras", "keras": "Keras 3", "native": "by hand"}
STYLES = {
    "keras": {"color": "#3b6fb6", "marker": "s", "linewidth": 1.4, "markersize": 5},
    "native": {"color": "#e08a2c", "marker": "^", "linewidth": 1.4, "markersize": 6},
    "polykeras": {"color": "#1b1b1b", "marker": "o", "linewidth": 2.2, "markersize": 5},
}
KNEE = 1.5
Row = dict[str, Any]


def _growths(rows: list[Row], who: str) -> list[float]:
    return [after[who] / before[who] for before, after in pairwise(rows)]


def knees(rows: list[Row]) -> list[str]:
    """Return the steps along an axis in which our time grows `KNEE` times more than both others' times do."""
    others = [who for who in ("keras", "native") if all(who in row for row in rows)]
    theirs = [_growths(rows, who) for who in others]
    found = []
    for i, growth in enumerate(_growths(rows, "polykeras")):
        if others and growth > KNEE * max(growths[i] for growths in theirs) and growth > KNEE:
            found.append(f"{rows[i]['measure']} to {rows[i + 1]['measure']}")
    return found


def show_scaling(rows: list[Row], console: Console) -> None:
    """Print a table an axis, and what knees there are."""
    for axis in dict.fromkeys(row["task"] for row in rows):
        size = size_on(axis, AXES[axis][0])
        rest = ", ".join(f"{name} {getattr(size, name)}" for name in ("batch", "width", "depth") if name != axis)
        table = Table(title=f"Step time against {axis} (MLP, Adam; {rest}): milliseconds a step")
        for column in ("framework", axis, *WHO.values(), "Keras 3 / ours", "by hand / ours"):
            table.add_column(column, justify="left" if column == "framework" else "right")
        own = [row for row in rows if row["task"] == axis]
        for row in own:
            times = [f"{row[who]:.4g}" if who in row else "" for who in WHO]
            ratios = [f"{row[who] / row['polykeras']:.2f}" if who in row else "" for who in ("keras", "native")]
            table.add_row(row["framework"], f"{int(row['measure']):,}", *times, *ratios)
        console.print(table)
        for framework in dict.fromkeys(row["framework"] for row in own):
            bends = knees([row for row in own if row["framework"] == framework])
            if bends:
                console.print(f"[bold red]{axis}, {framework}: a knee that others lack, {', '.join(bends)}[/bold red]")
            else:
                console.print(f"{axis}, {framework}: no knee (growth over {KNEE} times that of both others)")


def _panel(axes: Any, rows: list[Row]) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    places = [int(row["measure"]) for row in rows]
    for who, style in STYLES.items():
        if all(who in row for row in rows):
            axes.plot(places, [row[who] for row in rows], label=WHO[who], **style)
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

    paths = []
    for axis in dict.fromkeys(row["task"] for row in rows):
        own = [row for row in rows if row["task"] == axis]
        frameworks = list(dict.fromkeys(row["framework"] for row in own))
        figure, panels = plt.subplots(
            1, len(frameworks), figsize=(4.2 * len(frameworks), 3.8), sharey=True, squeeze=False, layout="constrained"
        )
        for framework, axes in zip(frameworks, panels[0], strict=True):
            _panel(axes, [row for row in own if row["framework"] == framework])
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
