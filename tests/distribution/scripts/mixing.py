"""Verifies models with layers of a user's that combine samples; each worker tells the errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import polykeras as keras
from helpers.workers import tell
from polykeras import collectives, config, layers, ops


class Centred(layers.Layer):
    """Subtracts the mean of the samples, that of all workers if it is told to."""

    def __init__(self, of_all: bool) -> None:
        super().__init__()
        self.of_all = of_all

    def call(self, inputs: Any) -> Any:
        """Return numbers of the shape of the inputs."""
        mean = ops.mean(inputs, axis=0)
        return inputs - (collectives.sum_over_workers(mean) / collectives.workers() if self.of_all else mean)


class Penalized(layers.Layer):
    """Adds a sum over samples to the loss, where a mean is due."""

    def call(self, inputs: Any) -> Any:
        """Return the inputs."""
        self.add_loss(0.01 * ops.sum(ops.square(inputs)))
        return inputs


LAYERS: dict[str, Callable[[], layers.Layer]] = {
    "own mean": lambda: Centred(False),
    "mean of all": lambda: Centred(True),
    "sum as a loss": Penalized,
    "dropout": lambda: layers.Dropout(0.3),
    "batch norm": layers.BatchNormalization,
}


def verified(make: Callable[[], layers.Layer]) -> str:
    """Return the error of the verification of a model with a layer."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Dense(4, activation="tanh"), make(), layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
    try:
        model.fit(x, x[:, :2], batch_size=8, epochs=2, verbose=0)
    except RuntimeError as error:
        return str(error)
    return ""


config.set_verify(1)
keras.distribution.initialize()
keras.distribution.set_distribution(keras.distribution.DataParallel())
tell(keras.distribution.distribution().data_shard_id, {name: verified(make) for name, make in LAYERS.items()})
