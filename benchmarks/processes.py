"""Runs the worker in processes that alternate, and makes rows of what they measured."""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
from typing import Any

from rich.console import Console

WHO = ("polykeras", "keras", "native")
UNITS = {
    "train": "ms a step",
    "predict": "ms a batch",
    "first": "s",
    "calls": "ms a call",
    "build": "s",
    "memory": "MB",
    "growth": "MB",
    "streaming": "of the rate in memory",
    "progress": "% of a step",
    "saving": "% of a step",
    "scaling": "ms a step",
    "physics": "",
}
MEASURE_UNITS = {
    "Dense call": "us a call",
    "models alive": "of 55",
    "ms a step, generator": "ms a step",
    "ms a batch, DataLoader alone": "ms a batch",
    "slow source": "of the longer of both",
    "host reads in 1000 steps": "reads",
    "host reads inside chunks": "reads",
    "matmul": "GFLOP/s",
    "triad": "GB/s",
}
# By hand, somebody trains, predicts and builds; nobody writes a progress bar. What the bar costs is asked of us alone.
MEASURED = {"first": WHO[:2], "calls": WHO[:2], "memory": WHO[:2], "growth": WHO[:2], "streaming": WHO[:2]}
MEASURED |= {"progress": WHO[:1], "saving": WHO[:2], "physics": WHO[2:]}
# What a section's processes measure in passing.
INCLUDED = {"train": ("first", "predict")}
SECONDS = {  # of one process, about, on two cores: to say how long a run will take
    "train": 15,
    "predict": 10,
    "first": 9,
    "calls": 12,
    "build": 16,
    "memory": 5,
    "growth": 20,
    "streaming": 8,
    "progress": 45,
    "saving": 25,
    "scaling": 10,
    "physics": 5,
}


def competitors(framework: str, section: str) -> tuple[str, ...]:
    """Return who is measured: polykeras alone where there is no loop by hand, as Keras does not train there either."""
    if not importlib.util.find_spec(f"benchmarks.native.loops_{framework}"):
        return WHO[:1]
    return MEASURED.get(section, WHO)


def expected_seconds(plan: list[tuple[str, str, str]], rounds: int) -> int:
    """Return about how long it takes to measure cells (section, framework, task)."""
    return rounds * sum(SECONDS[section] * len(competitors(framework, section)) for section, framework, _ in plan)


def run(who: str, framework: str, task: str, section: str) -> dict[str, Any]:
    """Return what one process of the worker prints."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", who, framework, task, "--section", section]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{who} on {framework}, {task}, section {section}, failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _rows(framework: str, task: str, section: str, results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return a row for each number that the first competitor's processes gave, medians over the rounds."""
    rows = []
    first = next(iter(results.values()))[0]
    for measure in [key for key, value in first.items() if isinstance(value, float)]:
        of = measure if measure in UNITS else section
        row: dict[str, Any] = {"section": of, "framework": framework, "task": task, "measure": measure}
        row["unit"] = MEASURE_UNITS.get(measure, UNITS[of])
        for who, runs in results.items():
            if (of, who) == ("first", "native") or measure not in runs[0]:
                continue
            row[who] = statistics.median(run[measure] for run in runs)
            row[f"{who}_rounds"] = [run[measure] for run in runs]
            if way := runs[0].get("ways", {}).get(measure):
                row[f"{who}_way"] = way
            if measure in ("train", "first"):
                row[f"{who}_losses"] = runs[0]["losses"]
        rows.append(row)
    return rows


def measure(framework: str, task: str, section: str, rounds: int, console: Console) -> list[dict[str, Any]]:
    """Measure one cell: `rounds` times each of the competitors in turn."""
    who = competitors(framework, section)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in who}
    for _ in range(rounds):
        for name in who:
            results[name].append(run(name, framework, task, section))
    rows = _rows(framework, task, section, results)
    for row in rows:
        numbers = ", ".join(f"{name} {row[name]:.3g}" for name in who if name in row)
        console.print(f"[dim]{framework} {task}, {row['measure']}: {numbers} {row['unit']}[/dim]")
    return rows
