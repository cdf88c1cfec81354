"""Operations on images as Keras has them (3.15, on JAX)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from contract.image_cases import CALLS, IDS, Call
from differential.opponent import keras, quiet
from polykeras import ops

pytestmark = pytest.mark.keras

LATER = ["reconstruct_patches"]
"""Ops of Keras 3.16, from its nightly of 2026-10-27."""


@pytest.mark.parametrize("call", CALLS, ids=IDS)
def test_values(call: Call) -> None:
    op, args, kwargs = call
    if not hasattr(keras().ops.image, op):
        pytest.skip("Keras has no such op")
    theirs = np.asarray(getattr(keras().ops.image, op)(*args, **kwargs))
    with quiet():
        ours: Any = getattr(ops.image, op)(*args, **kwargs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    if ours.dtype.kind == "f":
        assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)
    else:  # halves may fall to either side
        assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_names_and_signatures() -> None:
    import inspect

    theirs = keras().ops.image
    names = [name for name in dir(theirs) if not name.startswith("_")]
    assert sorted(ops.image.__all__) == sorted({*names, *LATER})
    for name in names:
        shapes = [
            [(p.name, p.default) for p in inspect.signature(getattr(module, name)).parameters.values()]
            for module in (theirs, ops.image)
        ]
        assert shapes[0] == shapes[1], name
