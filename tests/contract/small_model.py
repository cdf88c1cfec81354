"""A small model, its data and its logs, for the tests of callbacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import callbacks, layers
from polykeras.models import Sequential

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = X.sum(1, keepdims=True)
DATA = {"x": X, "y": Y, "batch_size": 8, "verbose": 0}  # three steps, the last one of four rows


def small_model(*metric: Any, rate: float = 0.01) -> Sequential:
    from polykeras.optimizers import SGD

    model = Sequential([layers.Dense(1)])
    model.compile(SGD(rate), "mse", metrics=list(metric))
    model.build((None, 3))
    return model


class Feed(callbacks.Callback):
    """Puts given values into the logs of the epochs."""

    def __init__(self, name: str, values: list[float]) -> None:
        super().__init__()
        self.name, self.values = name, values

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        logs[self.name] = self.values[epoch]
