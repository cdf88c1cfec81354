"""The hard points on every backend, against the values that mathematics and the contract give."""

from __future__ import annotations

import numpy as np
import pytest

from contract.points import POINTS, Point
from helpers import assert_parity
from helpers.runner import public
from known_differences import known
from polykeras.backend import Backend


def _check(point: Point, backend: Backend) -> None:
    function = public(point.op)

    def total(arrays: list) -> tuple:
        out = function(*arrays)
        return backend.sum(out), out

    arrays = [backend.asarray(np.asarray(x, np.float32)) for x in point.args]
    _, out, grads = backend.value_and_grad(total, arrays)
    assert_parity(backend.to_numpy(out), np.asarray(point.value, np.float32), 1e-5, what=f"value of {point.id}")
    for index, (got, want) in enumerate(zip(grads, point.grads, strict=True)):
        want = np.asarray(want, np.float32)
        assert_parity(backend.to_numpy(got), want, 1e-5, what=f"gradient {index} of {point.id}")


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.id)
def test_point(point: Point, backend: Backend) -> None:
    if known(backend.name, point.id, "point"):
        with pytest.raises(AssertionError):
            _check(point, backend)
    else:
        _check(point, backend)
