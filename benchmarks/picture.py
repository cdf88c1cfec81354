"""One picture of a run: how many times polykeras's time the others need, a panel a question, a bar for each peer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.competitors import COMPETITORS, FRAMEWORKS
from benchmarks.rows import Row, comparable, geometric_mean, present_peers, ratios
from benchmarks.sections import SECTIONS
from benchmarks.summary import QUESTIONS

TITLES = {
    ("others", "the first epoch"): "the first epoch of models that we did not tune for",
    ("build", "import"): "import of the library",
    ("build", "import with framework"): "import of the library and the framework",
    ("build", "build 300 layers"): "making a model of 300 layers",
    ("build", "summary"): "`summary()` of a model of 300 layers",
    ("build", "Dense call"): "calling one Dense layer, not compiled",
    ("memory", "peak of the first fit"): "memory: peak of the first fit",
    ("memory", "peak of a second fit"): "memory: peak of a second fit",
    ("memory", "first fit over the start"): "memory: what the first fit adds",
    ("memory", "second fit over the start"): "memory: what a second fit adds",
    ("scaling", "scaling"): "a training step, by batch, width, depth and rows",
}
"""What stands above the panels that `QUESTIONS` does not name, by section and measure."""


def _panel(axes: Any, rows: list[Row]) -> None:
    """Draw the geometric mean of each framework and peer, its number at the right edge, and a line over the models."""
    from matplotlib.ticker import LogLocator, NullLocator

    peers = present_peers(rows)
    height = 0.8 / len(peers)
    for place, framework in enumerate(FRAMEWORKS):
        for i, peer in enumerate(peers):
            found = [ratio for ratio, _ in ratios([r for r in rows if r["framework"] == framework], peer)]
            if found:
                mean, at = geometric_mean(found), place + (i - (len(peers) - 1) / 2) * height
                color = COMPETITORS[peer].color
                axes.barh(at, mean - 1, height, left=1, color=color)
                axes.plot([found[0], found[-1]], [at, at], color="black", linewidth=0.6)
                edge = axes.get_yaxis_transform()  # x in shares of the panel, y in places
                axes.text(1.02, at, f"{mean:.2f}", color=color, fontsize=8, va="center", transform=edge)
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
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patches import Patch

    compared = [name for name, section in SECTIONS.items() if section.table == "ratios" and section.tasks]
    own = [row for row in comparable(rows) if row["section"] in compared and present_peers([row])]
    panels: dict[tuple[str, str], list[Row]] = {}
    for row in own:
        section = row["section"]
        panels.setdefault((section, section if SECTIONS[section].unit else row["measure"]), []).append(row)
    if not panels:
        return []
    lines = -(-len(panels) // 4)
    layout = ConstrainedLayoutEngine(wspace=0.05)  # between the numbers of a panel and the names of the next
    figure, places = plt.subplots(lines, 4, figsize=(15, 2.6 * lines + 0.6), squeeze=False, layout=layout)
    titles = QUESTIONS | TITLES
    for axes, (question, found) in zip(places.flat, panels.items(), strict=False):
        _panel(axes, found)
        axes.set_title(titles[question].replace("`", ""), fontsize=9)
    for axes in places.flat[len(panels) :]:
        axes.set_axis_off()
    peers = [COMPETITORS[peer] for peer in present_peers(own)]
    figure.legend(
        handles=[Patch(color=peer.color, label=peer.words) for peer in peers],
        loc="outside upper center",
        ncols=len(peers),
        title="How many times polykeras's time or memory the others need. Bar: geometric mean. Line: from the least to "
        "the greatest of the models.",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return [path]
