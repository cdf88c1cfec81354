"""Layers that are called on text, None or nested Python values get them as they are, and `build` without a shape."""

from __future__ import annotations

from typing import Any

import pytest

from polykeras import Layer, Model, layers
from polykeras.backend import Backend

GIVEN = [
    "a sentence",
    ["two", "sentences"],
    {"prompts": ["a"], "responses": ["b"]},
    None,
    {"x": None, "n": 3},
]


class Words(Layer):
    """Returns what it is given."""

    shape: Any = "not built"

    def build(self, input_shape: Any) -> None:
        self.shape = input_shape
        self.table = self.add_weight((2,), "ones")

    def call(self, inputs: Any, lengths: Any = None) -> Any:
        return inputs, lengths


@pytest.mark.parametrize("given", GIVEN, ids=str)
def test_a_layer_of_text_is_built_without_a_shape(backend: Backend, given: Any) -> None:
    layer = Words()
    result, lengths = layer(given, lengths=[1, 2])
    assert result is given or result == given
    assert lengths == [1, 2]
    assert layer.built
    assert layer.shape is None
    assert len(layer.weights) == 1


def test_build_may_have_a_default(backend: Backend) -> None:
    class Optional(Words):
        def build(self, input_shape: Any = "default") -> None:
            super().build(input_shape)

    layer = Optional()
    layer("text")
    assert layer.shape is None  # as in Keras


def test_a_model_may_take_text(backend: Backend) -> None:
    class Generator(Model):
        def __init__(self) -> None:
            super().__init__()
            self.words = Words()

        def call(self, inputs: Any) -> Any:
            return self.words(inputs)[0]

    assert Generator()("text") == "text"
    assert Generator()(["a", "b"]) == ["a", "b"]


def test_a_layer_of_arrays_says_that_it_got_none(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"Dense.*cannot be built, because its call received no array.*'text'"):
        layers.Dense(2)("text")
