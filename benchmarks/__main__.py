"""Compare polykeras with Keras 3 and with hand-written loops.

Each measurement runs in a process of its own; the processes alternate (A B C A B C ...), and the tables show medians
over the rounds. A ratio above 1 means that polykeras is faster. `--check` compares losses instead of times.

Sections: train (ms a step), predict (ms a batch over many rows), calls (a thousand times `predict(x[:1])`, `model(x)`,
`train_on_batch`, on the first four models unless --tasks says otherwise), first (the first epoch with tracing and
compiling; comes with train at no cost), build (import, 300 layers, summary, one eager call).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.checking import check
from benchmarks.processes import measure
from benchmarks.tables import show
from benchmarks.tasks import FIRST_FOUR, TASKS

SECTIONS = ("train", "predict", "calls", "first", "build")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", default=",".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frameworks", default="jax,tensorflow,torch")
    parser.add_argument("--tasks", help=f"of {', '.join(TASKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="one round of the first four models")
    parser.add_argument("--check", action="store_true", help="compare the losses of the first epochs, and stop")
    parser.add_argument("--json", type=Path, default=Path("outputs/benchmarks.json"))
    parser.add_argument("--png", type=Path, default=Path("outputs/benchmarks.png"))
    options = parser.parse_args()
    for given, known in ((options.sections, SECTIONS), (options.tasks or "mlp", TASKS)):
        if unknown := set(given.split(",")) - set(known):
            parser.error(f"expected some of {', '.join(known)}; got {', '.join(sorted(unknown))}")
    return options


def _machine() -> dict[str, Any]:
    packages = ("jax", "tensorflow", "tensorflow-cpu", "torch", "keras", "numpy")
    versions = {p: importlib.metadata.version(p) for p in packages if _installed(p)}
    load = os.getloadavg()[0]
    return {"platform": platform.platform(), "cores": os.cpu_count(), "load": round(load, 2), "versions": versions}


def _installed(package: str) -> bool:
    return any(importlib.metadata.distributions(name=package))


def _plan(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Return the cells (section, framework, task). The section first is read off the processes of train."""
    sections = [section for section in SECTIONS if section in options.sections.split(",")]
    if "train" in sections and "first" in sections:
        sections.remove("first")
    tasks = options.tasks.split(",") if options.tasks else FIRST_FOUR if options.quick else tuple(TASKS)
    plan = []
    for section in sections:
        few = {"calls": tasks if options.tasks else FIRST_FOUR, "build": ("build",)}
        plan += list(product([section], options.frameworks.split(","), few.get(section, tasks)))
    return plan


def main() -> None:
    """Measure and print, or check."""
    options = _options()
    console = Console(width=160)
    if options.check:
        tasks = options.tasks.split(",") if options.tasks else list(FIRST_FOUR if options.quick else TASKS)
        sys.exit(0 if check(options.frameworks.split(","), tasks, console) else 1)
    machine = _machine()
    console.print(machine)
    rows: list[dict[str, Any]] = []
    for section, framework, task in _plan(options):
        rows += measure(framework, task, section, 1 if options.quick else options.rounds, console)
        options.json.parent.mkdir(parents=True, exist_ok=True)  # after each cell: a long run may be cut off
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))
    wanted = options.sections.split(",")
    rows = [row for row in rows if row["section"] in wanted]
    show(rows, console)
    from benchmarks.picture import draw  # matplotlib takes its time, and is wanted here only

    draw(rows, options.png)
    console.print(f"rows: {options.json}, picture: {options.png}")


if __name__ == "__main__":
    main()
