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
    """Activations that are worth a primitive of their own."""

    def relu(self, x: Array) -> Array:
        return _relu(x)  # several times faster than `numpy.where`
