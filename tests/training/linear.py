"""A linear model and its data."""

from __future__ import annotations

from typing import Any

import numpy as np

import polykeras
from polykeras import Sequential, layers

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def linear(cls: Any = Sequential, **kwargs: Any) -> Any:
    """Return a compiled linear model with fixed initial weights."""
    model = cls([layers.Dense(1, input_dim=3, kernel_initializer="ones")])
    model.compile(**{"optimizer": polykeras.optimizers.SGD(0.1), "loss": "mse", **kwargs})
    return model
