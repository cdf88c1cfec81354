"""A layer that states the shape of its outputs is built once, also for inputs of unknown sizes."""

from __future__ import annotations

from typing import Any

import polykeras as keras
from polykeras import layers
from polykeras.backend import Backend


class Block(layers.Layer):
    """Its `build` reads a size, which may be unknown."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(4, use_bias=False), layers.Dense(3, use_bias=False)

    def build(self, input_shape: Any) -> None:
        self.first.build(input_shape)
        self.second.build(self.first.compute_output_shape(input_shape))

    def call(self, inputs: Any) -> Any:
        return self.second(self.first(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], 3)


def test_weights_are_made_once(backend: Backend) -> None:
    block = Block()
    block(keras.Input((None, 3)))
    assert [w.shape for w in block.weights] == [(3, 4), (4, 3)]
