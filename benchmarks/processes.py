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
UNITS = {"train": "ms a step", "predict": "ms a batch", "first": "s", "calls": "ms a call", "build": "s"}


def competitors(framework: str, section: str) -> tuple[str, ...]:
    """Return who is measured: polykeras alone where there is no loop by hand, as Keras does not train there either."""
    if not importlib.util.find_spec(f"benchmarks.native.loops_{framework}"):
        return WHO[:1]
    return WHO[:2] if section in ("calls", "first") else WHO


def run(who: str, framework: str, task: str, section: str) -> dict[str, Any]:
    """Return what one process of the worker prints."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", who, framework, task, "--section", section]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{who} on {framework}, {task}, section {section}, failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _unit(section: str, measure: str) -> str:
    return "us a call" if measure == "Dense call" else UNITS[section]


def _rows(framework: str, task: str, section: str, results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return a row for each number that polykeras's processes gave, medians over the rounds."""
    rows = []
    first = results["polykeras"][0]
    for measure in [key for key, value in first.items() if isinstance(value, float)]:
        of = measure if measure in UNITS else section
        row: dict[str, Any] = {"section": of, "framework": framework, "task": task, "measure": measure}
        row["unit"] = _unit(of, measure)
        for who, runs in results.items():
            if (of, who) == ("first", "native") or measure not in runs[0]:
                continue
            row[who] = statistics.median(run[measure] for run in runs)
            row[f"{who}_rounds"] = [run[measure] for run in runs]
            row |= {f"{who}_{key}": runs[0][key] for key in ("losses", "way") if runs[0].get(key)}
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
