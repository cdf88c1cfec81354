"""Repeated arrays on NumPy and PyTorch have memory of their own, so that code may change them in place."""

from __future__ import annotations

import numpy as np
import pytest

from polykeras import ops, use_backend


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("numpy", "torch")])
@pytest.mark.parametrize("repeats", [[1, 3, 1], [1, 1, 1], [2, 1, 1], 3, [2, 1, 1, 1]])
def test_a_repeated_array_changes_in_place(repeats: int | list[int], name: str) -> None:
    given = np.arange(6, dtype="float32").reshape(3, 1, 2)
    with use_backend(name):
        x = ops.convert_to_tensor(given)
        tiled = ops.tile(x, repeats)
        tiled *= 2
        np.testing.assert_array_equal(ops.convert_to_numpy(tiled), 2 * np.tile(given, repeats))
        np.testing.assert_array_equal(ops.convert_to_numpy(x), given)
