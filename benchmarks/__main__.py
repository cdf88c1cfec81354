"""Compare polykeras with Keras 3 and with hand-written loops.

Run `python -m benchmarks --rounds 3 --frameworks jax,torch`. Each measurement runs in a process of its own; the
processes alternate (A B C A B C ...), and the table shows medians over the rounds. A ratio above 1 means that polykeras
is faster.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.tasks import LABELS, TASKS

WHO = ("polykeras", "keras", "native")


def _competitors(framework: str) -> tuple[str, ...]:
    """Return who is measured: polykeras alone where there is no loop by hand, as Keras does not train there either."""
    return WHO if importlib.util.find_spec(f"benchmarks.native_{framework}") else WHO[:1]


def _run(who: str, framework: str, task: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.worker", who, framework, task]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{who} on {framework}, {task}, failed:\n{run.stderr[-2000:]}")
    return json.loads(run.stdout.strip().splitlines()[-1])


def _measure(frameworks: list[str], tasks: list[str], rounds: int, console: Console) -> list[dict[str, Any]]:
    rows = []
    for framework in frameworks:
        who = _competitors(framework)
        for task in tasks:
            results: dict[str, list[dict[str, Any]]] = {name: [] for name in who}
            for _ in range(rounds):
                for name in who:
                    results[name].append(_run(name, framework, task))
            row: dict[str, Any] = {"framework": framework, "task": task}
            for name, runs in results.items():
                row[name] = statistics.median(run["ms"] for run in runs)
                row[f"{name}_first_epoch_s"] = statistics.median(run["first_epoch_s"] for run in runs)
                row[f"{name}_rounds"] = [run["ms"] for run in runs]
                row[f"{name}_losses"] = runs[0]["losses"]
            rows.append(row)
            console.print(f"[dim]{framework} {task}: " + ", ".join(f"{n} {row[n]:.3f} ms" for n in who) + "[/dim]")
    return rows


def _geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values))) if values else float("nan")


def _print(rows: list[dict[str, Any]], console: Console) -> None:
    table = Table(title="milliseconds a training step (medians), and how many times faster polykeras is")
    for column in (
        "task",
        "framework",
        "polykeras",
        "Keras 3",
        "native",
        "Keras / ours",
        "native / ours",
        "1st epoch, s: ours",
        "Keras",
    ):
        table.add_column(column, justify="left" if column in ("task", "framework") else "right")
    for row in rows:
        ours, theirs, native = row["polykeras"], row.get("keras"), row.get("native")
        table.add_row(
            LABELS[row["task"]],
            row["framework"],
            f"{ours:.3f}",
            f"{theirs:.3f}" if theirs else "",
            f"{native:.3f}" if native else "",
            f"{theirs / ours:.2f}" if theirs else "",
            f"{native / ours:.2f}" if native else "",
            f"{row['polykeras_first_epoch_s']:.2f}",
            f"{row['keras_first_epoch_s']:.2f}" if theirs else "",
        )
    console.print(table)
    against = {name: [row[name] / row["polykeras"] for row in rows if row.get(name)] for name in ("keras", "native")}
    for name, ratios in against.items():
        if ratios:
            console.print(f"{name} / polykeras: geometric mean {_geometric_mean(ratios):.2f}, least {min(ratios):.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frameworks", default="jax,tensorflow,torch,numpy")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--json", default="outputs/benchmarks.json")
    options = parser.parse_args()
    console = Console(width=160)
    rows = _measure(options.frameworks.split(","), options.tasks.split(","), options.rounds, console)
    _print(rows, console)
    path = Path(options.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1))
    console.print(f"rows: {path}")


if __name__ == "__main__":
    main()
