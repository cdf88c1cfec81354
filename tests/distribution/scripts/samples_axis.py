"""Trains models with a softmax along each axis; each worker tells the last loss, or the error."""

from __future__ import annotations

from typing import Any

import numpy as np

import polykeras as keras
from helpers.workers import tell
from polykeras import layers


class Alone(keras.Model):
    """Has no graph, in which the rank of the layer's inputs could be found."""

    def __init__(self, layer: layers.Layer) -> None:
        super().__init__()
        self.parts = [layers.Dense(4, kernel_initializer="ones"), layer, layers.Flatten(), layers.Dense(1)]

    def call(self, inputs: Any) -> Any:
        """Return the outputs of the last layer."""
        for part in self.parts:
            inputs = part(inputs)
        return inputs


def trained(model: keras.Model) -> Any:
    """Return the loss after an epoch, or the error."""
    x = np.arange(48, dtype="float32").reshape(4, 3, 4) / 10
    model.compile("sgd", "mse")
    try:
        return model.fit(x, x[:, 0, :1], batch_size=4, verbose=0, shuffle=False).history["loss"][0]
    except ValueError as error:
        return str(error)


keras.distribution.initialize()
keras.distribution.set_distribution(keras.distribution.DataParallel())
results = {}
for axis in (-3, -2, 1, (-3, -1), (-2, -1)):
    for make in (Alone, lambda layer: keras.Sequential([*Alone(layer).parts])):
        keras.utils.set_random_seed(0)
        results[f"{axis} {len(results)}"] = trained(make(layers.Softmax(axis=axis)))
tell(keras.distribution.distribution().data_shard_id, results)
