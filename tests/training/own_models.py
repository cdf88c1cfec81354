"""A model and a layer of a user's own that several tests take."""

from __future__ import annotations

from typing import Any

from polykeras import Model, layers
from polykeras.backend import registry


class Two(Model):
    """Two inputs, a list of layers, and dropout that knows whether it trains."""

    def __init__(self, width: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.blocks = [layers.Dense(width, "relu"), layers.Dense(width, "relu")]
        self.heads = {"out": layers.Dense(1)}
        self.dropout = layers.Dropout(0.5)

    def call(self, inputs: Any, training: Any = None) -> Any:
        a, b = inputs
        x = a + b
        for block in self.blocks:
            x = block(x)
        return self.heads["out"](self.dropout(x, training=training))


class Counter(layers.Layer):
    """Counts the traces through it."""

    sample_by_sample = True

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[bool] = []  # a number that a step counts would be told

    @property
    def traces(self) -> int:
        """How often it ran on arrays with values."""
        return sum(self.runs)

    def call(self, inputs: Any) -> Any:
        """Return the inputs."""
        self.runs.append(registry.current().holds_values)
        return inputs
