"""Prints how far experiments on several workers are from those on one.

    python tests/distribution/same_numbers.py --backends numpy,jax,torch,tensorflow --workers 2,4

A cell is the largest difference of a loss or metric over five epochs, relative to values above 1. All workers of a run
must have the same bits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1]), str(Path(__file__).parent / "scripts")]
from experiments import EXPERIMENTS  # noqa: E402

from helpers.workers import results_of  # noqa: E402

SCRIPT = Path(__file__).parent / "scripts" / "same_experiment.py"


def differences(found: Any, expected: Any) -> Iterator[float]:
    """Yield the difference of each pair of numbers of two histories of the same lengths."""
    assert {name: len(values) for name, values in found.items()} == {
        name: len(values) for name, values in expected.items()
    }
    for name, values in expected.items():
        for a, b in zip(found[name], values, strict=True):
            yield abs(a - b) / max(1.0, abs(b))


def main() -> None:
    """Run the experiments that the command line asks for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default="numpy,jax,torch,tensorflow")
    parser.add_argument("--workers", default="2,4")
    options = parser.parse_args()
    sizes = list(map(int, options.workers.split(",")))
    columns = [(backend, size) for backend in options.backends.split(",") for size in sizes]
    cells: dict[str, list[str]] = {name: [] for name in EXPERIMENTS}
    for backend in options.backends.split(","):
        (one,) = results_of(SCRIPT, backend, 1)
        for size in sizes:
            first, *others = results_of(SCRIPT, backend, size)
            assert all(other == first for other in others), "workers differ"
            for name in EXPERIMENTS:
                cells[name].append(f"{max(differences(first[name], one[name])):.0e}")
    print("| experiment | " + " | ".join(f"{backend}, {size}" for backend, size in columns) + " |")
    print("|---|" + "---:|" * len(columns))
    for name, row in cells.items():
        print(f"| {(EXPERIMENTS[name].__doc__ or name).rstrip('.')} | " + " | ".join(row) + " |")


main()
