"""A layer whose `compute_output_shape` states an output for which `call` returns None."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.backend import Backend


class Pair(layers.Layer):
    """Has a second output on request only."""

    def call(self, inputs: Any, second: Any = None) -> Any:
        return inputs * 2, None if second is None else second * 3

    def compute_output_shape(self, inputs_shape: Any, second_shape: Any = None) -> Any:
        return [inputs_shape, inputs_shape]


def test_an_output_that_is_not_used_may_be_missing(backend: Backend) -> None:
    inputs = keras.Input((3,))
    first, _ = Pair()(inputs)
    first, second = Pair()(first, second=first)
    model = keras.Model(inputs, [first, second])
    found = model(np.ones((2, 3), "float32"))
    assert [ops.convert_to_numpy(x)[0, 0] for x in found] == [4.0, 6.0]
    assert [x[0, 0] for x in model.predict(np.ones((2, 3), "float32"), verbose=0)] == [4.0, 6.0]


class Split(layers.Layer):
    """Returns more than it states."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2, inputs * 3

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def test_an_output_that_is_not_stated_is_left_out(backend: Backend) -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, Split()(inputs))
    assert ops.convert_to_numpy(model(np.ones((2, 3), "float32")))[0, 0] == 2.0


class Less(Split):
    """Returns less than it states."""

    def call(self, inputs: Any) -> Any:
        return (inputs * 2,)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return [input_shape, input_shape]


def test_an_output_that_never_comes_is_told(backend: Backend) -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, Less(name="less")(inputs))
    with pytest.raises(ValueError, match="'less' .*returned 1 outputs; expected 2"):
        model(np.ones((2, 3), "float32"))


def test_a_model_takes_inputs_whose_features_are_not_known(backend: Backend) -> None:
    inner_inputs = keras.Input((None, 4))
    inner = keras.Model(inner_inputs, layers.Dense(2)(inner_inputs))
    inputs = keras.Input((None, None))
    model = keras.Model(inputs, inner(inputs))
    assert model(np.ones((2, 3, 4), "float32")).shape == (2, 3, 2)
