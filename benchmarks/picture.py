"""One picture of a run: how many times faster polykeras is, a panel a section, a bar for each framework and peer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.competitors import COMPETITORS, FRAMEWORKS
from benchmarks.rows import Row, comparable, geometric_mean, present_peers, ratios
from benchmarks.sections import SECTIONS


def _panel(axes: Any, rows: list[Row]) -> None:
    """Draw the geometric mean of each framework and peer, and the least and greatest cell as a line."""
    from matplotlib.ticker import LogLocator, NullLocator

    peers = present_peers(rows)
    height = 0.8 / len(peers)
    for place, framework in enumerate(FRAMEWORKS):
        for i, peer in enumerate(peers):
            found = [ratio for ratio, _ in ratios([r for r in rows if r["framework"] == framework], peer)]
            if found:
                mean, at = geometric_mean(found), place + (i - (len(peers) - 1) / 2) * height
                bar = axes.barh(at, mean - 1, height, left=1, color=COMPETITORS[peer].color)
                axes.plot([found[0], found[-1]], [at, at], color="black", linewidth=0.6)
                axes.bar_label(bar, [f"{mean:.2f}"], padding=2, fontsize=7)
    axes.set_yticks(range(len(FRAMEWORKS)), list(FRAMEWORKS.values()), fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelsize=7, rotation=45)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def draw(rows: list[Row], path: Path) -> list[Path]:
    """Write the chart of all rows that have something to compare with to `path`; return it in a list, if drawn."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    compared = [name for name, section in SECTIONS.items() if section.table == "ratios" and section.tasks]
    own = [row for row in comparable(rows) if row["section"] in compared and present_peers([row])]
    panels: dict[str, list[Row]] = {}
    for row in own:
        kinds = len(SECTIONS[row["section"]].measures)
        panels.setdefault(row["measure"] if kinds > 1 else row["section"], []).append(row)
    if not panels:
        return []
    lines = -(-len(panels) // 4)
    figure, places = plt.subplots(lines, 4, figsize=(15, 2.6 * lines + 0.6), squeeze=False, layout="constrained")
    for axes, (name, found) in zip(places.flat, panels.items(), strict=False):
        _panel(axes, found)
        axes.set_title(name, fontsize=9)
    for axes in places.flat[len(panels) :]:
        axes.set_axis_off()
    peers = [COMPETITORS[peer] for peer in present_peers(own)]
    figure.legend(
        handles=[Patch(color=peer.color, label=f"{peer.words} / polykeras") for peer in peers],
        loc="outside upper center",
        ncols=len(peers),
        title="time or memory over polykeras's: geometric means, lines from the least to the greatest cell",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return [path]
