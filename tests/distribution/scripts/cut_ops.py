"""Runs the cases of the contract on arrays that are cut over two processes; tells which results and gradients differ.

The arguments are names of families of cases. An error is no difference: what cannot run on such arrays may say so.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import polykeras as keras
from contract.cases import FAMILIES
from contract.table import Case
from helpers import runner
from helpers.workers import tell
from polykeras.backend import Backend, registry
from polykeras.distribution.connections import current_job

Change = Callable[[Any], Any]
stand_ins = runner.stand_ins


def cutter(backend: Backend, mesh: keras.distribution.DeviceMesh, last: bool) -> Change:
    """Return a function that cuts an array along its first or last axis, if it can be cut evenly."""

    def cut(x: Any) -> Any:
        shape = backend.shape(x)
        axis = len(shape) - 1 if last else 0
        if not shape or not shape[axis] or shape[axis] % 2:
            return x
        return keras.distribution.distribute_tensor(x, keras.distribution.TensorLayout([None] * axis + ["model"], mesh))

    return cut


def results(case: Case, backend: Backend, change: Change) -> list[np.ndarray]:
    """Return the results of a case, and its gradients, with changed arrays."""
    arrays = runner.all_arrays(case)
    with runner.running(backend, 32):
        given = [change(backend.asarray(runner.narrowed(array, 32))) for array in arrays]
        leaves = runner.call(case, backend, 32, stand_ins(arrays, given))
        found = [runner.host(backend, leaf) for leaf in leaves]
    if case.grad:
        runner.stand_ins = lambda places, values: stand_ins(places, [change(value) for value in values])
        try:
            found += case.gradients(backend)
        finally:
            runner.stand_ins = stand_ins
    return found


def alike(found: np.ndarray, expected: np.ndarray) -> bool:
    same = found.shape == expected.shape and found.dtype == expected.dtype
    return same and np.allclose(found, expected, rtol=2e-4, atol=2e-5, equal_nan=True)


def main() -> None:
    keras.distribution.initialize()
    warnings.simplefilter("ignore")
    backend, mesh = registry.current(), keras.distribution.DeviceMesh((2,), ["model"])
    cuts = {end: cutter(backend, mesh, end == "last") for end in ("first", "last")}
    differ, refused, count = [], [], 0
    for case in (c for family in FAMILIES if family.__name__.rpartition(".")[2] in sys.argv[1:] for c in family.CASES):
        if any(0 in array.shape for array in runner.all_arrays(case)):
            continue
        try:
            expected = results(case, backend, lambda x: x)
        except Exception:  # what the backend does not have
            continue
        for end, cut in cuts.items():
            count += 1
            try:
                found = results(case, backend, cut)
            except Exception:
                refused.append(f"{case.id} {end}")
                continue
            if len(found) != len(expected) or not all(map(alike, found, expected)):
                differ.append(f"{case.id} {end}")
    tell(current_job().rank, {"differ": differ, "refused": refused, "count": count})


main()
