"""Measure the parameters of the model of cost on this machine, and compare what it predicts with what is measured.

`python -m benchmarks.distributed.cost_model` starts 2 and then 4 workers on each framework. A worker uses one core. On
a machine with fewer cores than workers, several share one, and the measured time of computing has that in it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from benchmarks.distributed.cost import fitted_link, step_seconds
from benchmarks.machine import load, machine
from tests.helpers.workers import results_of

WORKER = Path(__file__).with_name("parameters.py")


def measured(framework: str, names: list[str], workers: int, rounds: int) -> dict[str, Any]:
    """Return the parameters of a framework with so many workers, and predicted and measured steps."""
    given = {"framework": framework, "names": names, "rounds": rounds, "launched": time.time()}
    found = results_of(WORKER, framework, workers, [json.dumps(given)])
    sums = {int(size): fmean(each["sums"][size] for each in found) for size in found[0]["sums"]}
    link, agreement = fitted_link(sums), fmean(each["agreement"] for each in found)
    models = {}
    for name in names:
        each = [worker["models"][name] for worker in found]
        calls = [model["calls"] for model in each]
        slowest = fmean(map(max, zip(*calls, strict=True))) / fmean(map(fmean, calls))
        compute = fmean(model["alone"] for model in each)
        spread = median(stdev(worker) / fmean(worker) for worker in calls)
        size = each[0]["bytes"]
        models[name] = {
            "bytes": size,
            "compute": compute,
            "sum": link.seconds(size),
            "slowest": slowest,
            "spread": spread,
            "predicted": step_seconds(compute, size, link, slowest=slowest, agreement=agreement),
            "measured": each[0]["shared"],
        }
    return {
        "framework": framework,
        "workers": workers,
        "load": load(),
        "start": found[0]["start"],
        "sums": {str(size): seconds for size, seconds in sums.items()},
        "latency": link.latency,
        "seconds_a_byte": link.seconds_a_byte,
        "agreement": agreement,
        "models": models,
    }


def said(row: dict[str, Any]) -> list[str]:
    """Return a row in words."""
    head = (
        f"{row['framework']}, {row['workers']} workers: a sum takes {1e6 * row['latency']:.0f} us and "
        f"{1e-9 / row['seconds_a_byte']:.2f} GB/s, an agreement {1e6 * row['agreement']:.0f} us; start {row['start']}"
    )
    lines = [
        f"  {name}: {model['bytes'] / 1e6:.2f} MB, compute {1e3 * model['compute']:.2f} ms, sum "
        f"{1e3 * model['sum']:.2f} ms, predicted {1e3 * model['predicted']:.2f} ms, measured "
        f"{1e3 * model['measured']:.2f} ms; slowest of calls {model['slowest']:.2f}, spread {model['spread']:.2f}"
        for name, model in row["models"].items()
    ]
    return [head, *lines]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distributed.cost_model", description=__doc__)
    parser.add_argument("--backends", default="torch,jax,tensorflow")
    parser.add_argument("--models", default="mlp,transformer,table")
    parser.add_argument("--workers", default="2,4")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where rows go, under `costs`; other rows in it are kept")
    options = parser.parse_args(arguments)
    kept: dict[str, Any] = {"rows": []}
    if options.json and options.json.exists():
        kept |= json.loads(options.json.read_text())
    rows = {(row["framework"], row["workers"]): row for row in kept.get("costs", [])}
    for workers in map(int, options.workers.split(",")):
        for framework in options.backends.split(","):
            row = measured(framework, options.models.split(","), workers, options.rounds)
            rows[framework, workers] = row
            print("\n".join(said(row)), flush=True)
            if options.json:
                text = json.dumps(kept | {"machine": machine(), "costs": list(rows.values())}, indent=1)
                options.json.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
