"""What each fast path gains by itself: `python -m benchmarks.paths [--only NAMES] [--frameworks ...] [--tasks ...]`.

Each process measures polykeras with one path taken away (`POLYKERAS_FAST=-NAME`; the path `all`, which must be asked
for, stands for all of them), or with all of them, in rounds. A gain is the shortest time without the path over the
shortest with all: a machine that has something else to do makes times longer, never shorter. A path is measured on the
frameworks that have it, in all tasks: what it gains is the geometric mean over the cells in which it changes anything
at all, and a cell counts as such from 3 % on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.competitors import FRAMEWORKS, OURS
from benchmarks.processes import WorkerError, run
from benchmarks.tasks import TASKS
from polykeras.backend.providers import fast_paths, providers
from polykeras.fast import PATHS

SECTIONS = {"train": ("train", "first", "predict"), "calls": ("predict(x[:1])", "model(x)", "train_on_batch")}
MOVED = 0.03
ALL = "all"
WORTH = 1.1
Gains = dict[str, list[float]]


def paths_on(framework: str, only: Sequence[str]) -> list[str]:
    """Return the paths of the core and of a framework's backend, among those asked for."""
    return [name for name in (ALL, *PATHS, *providers()[framework].fast_paths) if name in only]


def measured(framework: str, task: str, sections: Sequence[str], without: str | None) -> dict[str, float]:
    """Return the times of one process for each section, by measure."""
    os.environ["POLYKERAS_FAST"] = {None: "1", ALL: "0"}.get(without, f"-{without}")
    found: dict[str, float] = {}
    for section in sections:
        result = run(OURS, framework, task, section)[0]
        found |= {measure: result[measure] for measure in SECTIONS[section] if measure in result}
    return found


def gains(
    framework: str, task: str, sections: Sequence[str], paths: Sequence[str], rounds: int
) -> Iterator[tuple[str, str, float]]:
    """Return for each path and measure the time without the path over that with all: the shortest of the rounds."""
    best: dict[str | None, dict[str, float]] = {}
    for turn in range(rounds):
        choices = [None, *paths]
        for without in choices[turn % len(choices) :] + choices[: turn % len(choices)]:
            try:
                times = measured(framework, task, sections, without)
            except WorkerError as error:
                print(f"{framework} {task} without {without}: failed\n{error}")
                continue
            known = best.setdefault(without, times)
            best[without] = {measure: min(time, known[measure]) for measure, time in times.items()}
    with_all = best.pop(None)
    for without, times in best.items():
        for measure, time in times.items():
            yield str(without), measure, time / with_all[measure]


def table(found: dict[str, dict[str, Gains]]) -> list[str]:
    """Return the lines of a markdown table: a row for each path and framework, and what it gains by measure."""
    measures = [measure for section in SECTIONS.values() for measure in section]
    lines = ["| path | framework | " + " | ".join(measures) + " | worth it |", "| --- " * (len(measures) + 3) + "|"]
    for path, by_framework in found.items():
        for framework, cells in by_framework.items():
            means = {measure: _mean(cells.get(measure, [])) for measure in measures}
            above = {m: sum(ratio > WORTH for ratio in cells.get(m, [])) for m in measures}
            row = [f"{means[m]:.2f} ({above[m]})" if means[m] else "-" for m in measures]
            worth = "yes" if any(mean >= WORTH for mean in means.values()) else "no"
            lines.append(f"| {path} | {FRAMEWORKS[framework]} | " + " | ".join([*row, worth]) + " |")
    return lines


def _mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean of those that differ from 1; 1 where none does, 0 where there are none."""
    moved = [ratio for ratio in ratios if abs(ratio - 1) >= MOVED]
    return math.exp(sum(map(math.log, moved)) / len(moved)) if moved else float(bool(ratios))


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PATHS | fast_paths()), help="paths, with commas; default: all")
    parser.add_argument("--frameworks", default="jax,tensorflow,torch")
    parser.add_argument("--tasks", default="mlp,conv,lstm,deep", help=f"of {', '.join(TASKS)}")
    parser.add_argument("--sections", default="train", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each kind")
    parser.add_argument("--json", type=Path, default=Path("outputs/paths.json"), help="where ratios go")
    options = parser.parse_args()
    found: dict[str, dict[str, Gains]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for framework in options.frameworks.split(","):
        paths = paths_on(framework, options.only.split(","))
        for task in options.tasks.split(","):
            for path, measure, ratio in gains(framework, task, options.sections.split(","), paths, options.rounds):
                print(f"{framework} {task} without {path}: {measure} {ratio:.2f}", flush=True)
                found[path][framework][measure].append(ratio)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found))
    print("\nTime without the path over time with it (in how many tasks above 1.1)\n", *table(found), sep="\n")


if __name__ == "__main__":
    main()
