"""Every op within a loop, with each argument computed in the loop. JAX compiles it, and XLA on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contract.cases import CASES
from contract.table import Case
from helpers import assert_parity, runner
from helpers.reference import reference
from known_differences import KNOWN, known
from polykeras.backend import Backend

COMPARED = [case for case in CASES if case.compiles and runner.all_arrays(case)]
KIND = "in a loop"


def _compiled(backend: Backend, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function as the framework itself compiles it; XLA, where TensorFlow would choose."""
    if backend.name != "tensorflow":
        return backend.compile(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)


def _in_a_loop(case: Case, backend: Backend) -> list[np.ndarray]:
    """Return what a case gives in a loop of one turn, which nothing knows beforehand."""
    arrays = runner.all_arrays(case)

    def turn(count: Any, _: list[Any], given: list[Any]) -> Any:
        given = [backend.where(backend.less(count, 1), x, backend.zeros_like(x)) for x in given]
        leaves = runner.call(case, backend, 32, runner.stand_ins(arrays, given))
        return count + 1, [leaf if backend.is_tensor(leaf) else backend.asarray(leaf) for leaf in leaves], given

    def loop(given: list[Any], results: list[Any]) -> list[Any]:
        state = (backend.asarray(np.int32(0)), results, given)
        return backend.while_loop(lambda count, *_: backend.less(count, 1), turn, state)[1]

    with runner.running(backend, 32):
        given = [backend.asarray(runner.narrowed(x, 32)) for x in arrays]
        empty = [backend.asarray(np.zeros_like(x)) for x in reference(case).values]
        return [backend.to_numpy(x) for x in _compiled(backend, loop)(given, empty)]


@pytest.mark.filterwarnings("ignore:On torch a function:RuntimeWarning")
@pytest.mark.parametrize("case", COMPARED, ids=lambda case: case.id)
def test_case_in_a_loop(case: Case, backend: Backend) -> None:
    if (difference := known(backend.name, case.id, KIND)) is None:
        _compare(case, backend)
    else:  # an error is the framework's own
        with pytest.raises(Exception if difference.what == "an error" else AssertionError):
            _compare(case, backend)


def test_known_differences_name_cases() -> None:
    cases = {case.id for case in COMPARED}
    assert [entry.case for entry in KNOWN if entry.kind == KIND and entry.case not in cases] == []


def _compare(case: Case, backend: Backend) -> None:
    for got, want in zip(_in_a_loop(case, backend), reference(case).values, strict=True):
        assert_parity(got, want, case.rtol, case.atol, f"{case.id} {KIND} on {backend.name}")
