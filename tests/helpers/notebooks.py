"""Runs the source of a notebook as a program that keeps its pictures: `python notebooks.py SOURCE FOLDER`.

Those on the documentation site are in `docs/pictures/notebooks`, made with all frameworks installed.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def _main(source: Path, folder: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    shown = 0

    def show() -> None:
        nonlocal shown
        for number in plt.get_fignums():
            shown += 1
            plt.figure(number).savefig(folder / f"{source.stem}_{shown}.png", dpi=72, bbox_inches="tight")
        plt.close("all")

    plt.show = show
    folder.mkdir(parents=True, exist_ok=True)
    runpy.run_path(str(source), run_name="__main__")


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:]))
