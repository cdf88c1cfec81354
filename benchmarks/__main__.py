"""Compare polykeras with Keras 3 and with hand-written loops.

Each measurement runs in a process of its own; the processes alternate (A B C A B C ...), and the tables show medians
over the rounds. A ratio above 1 means that polykeras is faster. `--check` compares losses instead of times.

Sections:
  train      ms a step
  predict    ms a batch over many rows; comes with train at little cost
  calls      a thousand times `predict(x[:1])`, `model(x)`, `train_on_batch`
  first      the first epoch with tracing and compiling; comes with train at no cost
  build      import, 300 layers, summary, one eager call
  memory     peak of `fit`, in MB
  growth     of memory over 50 fits, and over 50 models made and dropped
  streaming  rates from a generator and a DataLoader; how far a slow source is overlapped
  progress   what the bar and metrics cost; how often the host reads values
  saving     what backups and checkpoints cost while training goes on
  scaling    the time of a step against batch, width, depth and rows: a picture each
  physics    FLOPs and bytes of a step against what this machine reaches

All models are measured in train, predict and first; a few that tell most in the others, unless --tasks says otherwise.
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
from benchmarks.claims import show_claims, show_unmet
from benchmarks.curves import draw_scaling, show_scaling
from benchmarks.physics import show_physics
from benchmarks.processes import INCLUDED, expected_seconds, measure
from benchmarks.scaling import AXES
from benchmarks.tables import show
from benchmarks.tasks import FIRST_FOUR, TASKS

SECTIONS = (
    "train",
    "predict",
    "calls",
    "first",
    "build",
    "memory",
    "growth",
    "streaming",
    "progress",
    "saving",
    "scaling",
    "physics",
)
# What each section measures unless --tasks says otherwise. Streams need arrays; AUC needs two classes.
OWN_TASKS = {
    "calls": FIRST_FOUR,
    "memory": FIRST_FOUR,
    "growth": ("mlp",),
    "streaming": ("mlp", "wide"),
    "progress": ("mlp", "lstm"),
    "saving": ("mlp", "wide"),
}
# What has no tasks.
PARTS = {"build": ("build",), "scaling": tuple(AXES), "physics": ("machine",)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", default=",".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frameworks", default="jax,tensorflow,torch")
    parser.add_argument("--tasks", help=f"of {', '.join(TASKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="one round of the first four models")
    parser.add_argument("--check", action="store_true", help="compare the losses of the first epochs, and stop")
    parser.add_argument("--strict", action="store_true", help="end with 1 where something is not as asked")
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
    """Return the cells (section, framework, task), without sections that another one's processes measure."""
    wanted = options.sections.split(",")
    passing = {included for section in wanted for included in INCLUDED.get(section, ())}
    sections = [section for section in SECTIONS if section in wanted and section not in passing]
    tasks = options.tasks.split(",") if options.tasks else FIRST_FOUR if options.quick else tuple(TASKS)
    plan = []
    for section in sections:
        own = tasks if options.tasks else OWN_TASKS.get(section, tasks)
        plan += list(product([section], options.frameworks.split(","), PARTS.get(section, own)))
    return plan


def _show_all(rows: list[dict[str, Any]], png: Path, console: Console) -> list[Path]:
    """Print all tables and draw all pictures; return the paths of these."""
    from benchmarks.picture import draw  # matplotlib takes its time, and is wanted here only

    show(rows, console)
    show_claims(rows, console)
    curves = [row for row in rows if row["section"] == "scaling"]
    show_scaling(curves, console)
    if any(row["section"] == "physics" for row in rows):
        show_physics(rows, console)
    return [*draw(rows, png), *draw_scaling(curves, png.with_name("scaling"))]


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
    plan, rounds = _plan(options), 1 if options.quick else options.rounds
    console.print(f"{len(plan)} cells, {rounds} rounds: about {expected_seconds(plan, rounds) / 60:.0f} minutes")
    for section, framework, task in plan:
        rows += measure(framework, task, section, rounds, console)
        options.json.parent.mkdir(parents=True, exist_ok=True)  # after each cell: a long run may be cut off
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))
    wanted = options.sections.split(",")
    rows = [row for row in rows if row["section"] in wanted]
    pictures = _show_all(rows, options.png, console)
    console.print(f"rows: {options.json}, pictures: {', '.join(map(str, pictures))}")
    holds = show_unmet(rows, console)
    sys.exit(1 if options.strict and not holds else 0)


if __name__ == "__main__":
    main()
