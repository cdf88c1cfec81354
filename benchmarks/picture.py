"""One picture of a run: how many times faster polykeras is, a row of panels a section, a column a framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.competitors import COMPETITORS, OURS
from benchmarks.rows import Row, comparable, label_of, present_peers
from benchmarks.sections import SECTIONS, sections_of


def _label(row: Row) -> str:
    if len(SECTIONS[row["section"]].measures) == 1:
        return row["task"]
    measure = row["measure"].removeprefix("peak of ")
    return f"{row['task']}: {measure}" if label_of(row["task"]) else measure


def _panel(axes: Any, rows: list[Row], limits: tuple[float, float]) -> None:
    peers = present_peers(rows)
    height = 0.8 / max(len(peers), 1)
    for i, peer in enumerate(peers):
        places = [(place + i * height, row[peer] / row[OURS]) for place, row in enumerate(rows) if peer in row]
        color = COMPETITORS[peer].color
        bars = axes.barh([p for p, _ in places], [r - 1 for _, r in places], height, left=1, color=color)
        axes.bar_label(bars, [f"{ratio:.2f}" for _, ratio in places], padding=2, fontsize=7)
    axes.set_yticks([place + (len(peers) - 1) * height / 2 for place in range(len(rows))], [_label(r) for r in rows])
    axes.set_xscale("log")
    axes.set_xlim(limits)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.grid(axis="x", which="major", alpha=0.3)
    axes.tick_params(axis="y", labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _ticks(axes: Any, limits: tuple[float, float]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
    inside = [step for step in steps if limits[0] <= step <= limits[1]]
    inside = inside if len(inside) <= 7 else [step for step in inside if str(step).strip("0.")[0] == "1"]
    axes.xaxis.set_major_locator(FixedLocator(inside))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{step:g}" for step in inside])


def _limits(found: list[float]) -> tuple[float, float]:
    """Return the ends of a logarithmic axis, with room for the numbers beside the bars on both sides."""
    low, high = min(1.0, *found), max(2.0, *found)
    span = high / low
    return low / span ** (0.18 if low < 1 else 0.04), high * span**0.18


def _legend(figure: Any, peers: list[str]) -> None:
    from matplotlib.patches import Patch

    shown = [COMPETITORS[peer] for peer in peers]
    figure.legend(
        handles=[Patch(color=competitor.color, label=f"{competitor.words} / polykeras") for competitor in shown],
        loc="outside upper center",
        ncols=3,
        title="time or memory over polykeras's (above 1: we take less)",
    )


def draw(rows: list[Row], path: Path) -> list[Path]:
    """Write the chart of all rows that have something to compare with to `path`; return it in a list, if drawn."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    compared = [section.name for section in sections_of("ratios")]
    rows = [row for row in comparable(rows) if row["section"] in compared and present_peers([row])]
    sections = [section for section in compared if any(row["section"] == section for row in rows)]
    frameworks = list(dict.fromkeys(row["framework"] for row in rows))
    if not rows:
        return []
    lines = [max(sum((r["section"], r["framework"]) == (s, f) for r in rows) for f in frameworks) for s in sections]
    figure, panels = plt.subplots(
        len(sections),
        len(frameworks),
        figsize=(5.2 * len(frameworks), sum(lines) * 0.36 + 1.1 * len(sections) + 0.8),
        height_ratios=[n + 1 for n in lines],
        squeeze=False,
        layout="constrained",
    )
    for section, line in zip(sections, panels, strict=True):
        own = [row for row in rows if row["section"] == section]
        found = [row[peer] / row[OURS] for row in own for peer in present_peers([row])]
        limits = _limits(found)
        for framework, axes in zip(frameworks, line, strict=True):
            _panel(axes, [row for row in own if row["framework"] == framework], limits)
            _ticks(axes, limits)
            axes.set_title(f"{section}: {framework}", fontsize=10)
    _legend(figure, present_peers(rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return [path]
