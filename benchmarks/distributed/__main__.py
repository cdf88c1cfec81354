"""Measure training on two workers beside loops by experts, and beside one process with the same global batch.

All ways take turns in the same two processes, each on one core. Times are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.distributed.models import ALONE, MODELS, OTHERS, OURS
from benchmarks.distributed.tables import fill
from benchmarks.machine import load, machine
from benchmarks.rows import geometric_mean
from tests.helpers.workers import results_of

WORKER = Path(__file__).with_name("worker.py")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distributed", description=__doc__)
    parser.add_argument("--backends", default="torch,jax,tensorflow")
    parser.add_argument("--models", default=",".join([*MODELS, *OTHERS]))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ways", help='of the experts, with semicolons; default: all but "DDP, torch.compile"')
    parser.add_argument("--from", dest="earlier", type=Path, help="measurements of earlier runs: measure nothing")
    parser.add_argument("--docs", type=Path, nargs="+", default=[], help="markdown files whose tables are replaced")
    parser.add_argument("--json", type=Path, help="where rows go; rows of other cells in it are kept")
    return parser.parse_args(arguments)


def measured(framework: str, name: str, workers: int, rounds: int, ways: list[str] | None) -> dict[str, Any]:
    """Return the row of one model on one framework."""
    given = json.dumps({"framework": framework, "name": name, "rounds": rounds, "ways": ways})
    found = results_of(WORKER, framework, workers, [given])[0]
    times = {way: median(rounds) for way, rounds in found["milliseconds"].items()}
    experts = {way: time for way, time in times.items() if way not in (OURS, ALONE)}
    best = min(experts, key=lambda way: experts[way])

    def share(over: str) -> float:
        """Return the median share of ours: those who come one after another meet the same load of the machine."""
        pairs = zip(found["milliseconds"][OURS], found["milliseconds"][over], strict=True)
        return median(ours / other for ours, other in pairs)

    return {
        "framework": framework,
        "model": name,
        "workers": workers,
        "load": load(),
        "milliseconds": times,
        "rounds": found["milliseconds"],
        "losses": found["losses"],
        "best": best,
        "of_theirs": share(best),
        "efficiency": 1 / (share(ALONE) * workers),
    }


def said(row: dict[str, Any]) -> str:
    """Return a row in words."""
    times = ", ".join(f"{way} {time:.3g}" for way, time in row["milliseconds"].items())
    losses = row["losses"]
    off = {way: abs(loss / losses[OURS] - 1) for way, loss in losses.items()}
    worst = max(off, key=lambda way: off[way])
    return (
        f"{row['framework']} {row['model']}: {row['of_theirs']:.2f} of the best expert's time, efficiency "
        f"{row['efficiency']:.2f}; ms a step: {times}; losses differ by {off[worst]:.0e} ({worst})"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    options = _options(arguments)
    if options.earlier:
        for path in options.docs:
            fill(path, json.loads(options.earlier.read_text(encoding="utf-8")))
        return 0
    kept: dict[str, Any] = {"costs": []}
    if options.json and options.json.exists():
        kept |= json.loads(options.json.read_text(encoding="utf-8"))
    rows = {(row["framework"], row["model"], row["workers"]): row for row in kept.get("rows", [])}
    ways = options.ways.split(";") if options.ways else None
    for framework in options.backends.split(","):
        ratios = []
        for name in options.models.split(","):
            row = measured(framework, name, options.workers, options.rounds, ways)
            rows[framework, name, options.workers] = row
            print(said(row), flush=True)
            if name in MODELS:
                ratios.append(row["of_theirs"])
            if options.json:
                text = json.dumps(kept | {"machine": machine(), "rows": list(rows.values())}, indent=1)
                options.json.write_text(text + "\n", encoding="utf-8")
        if ratios:
            print(f"{framework}: geometric mean {geometric_mean(ratios):.2f} of their time, {len(ratios)} models")
    return 0


if __name__ == "__main__":
    sys.exit(main())
