"""Activations on NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.backend.families.activations import Activations
from polykeras.backend.spec import Array
from polykeras_numpy.elementwise import where
from polykeras_numpy.tape import primitive, rule


@primitive
def _relu(x: Any) -> Any:
    return np.maximum(x, 0)


rule(_relu, lambda g, ans, x: where(ans <= 0, 0, g))


class NumpyActivations(Activations):
    """What is worth a primitive of its own."""

    def relu(self, x: Array) -> Array:
        return _relu(x)  # 3 ms against 13 with `numpy.where`, for 2.8 million elements
