"""A layer sees the masks, shapes and lists of its inputs as well where they are passed by keyword."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import Input, Model, layers, ops
from polykeras.backend import Backend

TOKENS = np.array([[1, 2, 0], [3, 0, 0]], "int32")


def embedded() -> Any:
    """Return an array that carries the mask of `TOKENS`."""
    return layers.Embedding(5, 4, mask_zero=True)(TOKENS)


def test_a_recurrent_layer_skips_masked_steps(backend: Backend) -> None:
    x, lstm = embedded(), layers.LSTM(3)
    by_name, by_place = lstm(sequences=x), lstm(x)
    np.testing.assert_array_equal(backend.to_numpy(by_name), backend.to_numpy(by_place))
    unmasked = lstm(ops.convert_to_tensor(np.array(backend.to_numpy(x))))
    assert np.abs(backend.to_numpy(by_name) - backend.to_numpy(unmasked)).max() > 1e-4


def test_attention_masks_its_values(backend: Backend) -> None:
    x, attention = embedded(), layers.MultiHeadAttention(2, 2)
    by_place = backend.to_numpy(attention(x, x))
    for by_name in (attention(query=x, value=x), attention(x, value=x), attention(value=x, query=x)):
        np.testing.assert_array_equal(backend.to_numpy(by_name), by_place)
    plain = ops.convert_to_tensor(np.array(backend.to_numpy(x)))
    assert np.abs(backend.to_numpy(attention(query=plain, value=plain)) - by_place).max() > 1e-4


def test_the_mask_goes_on_to_the_outputs(backend: Backend) -> None:
    class Net(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.drop, self.pool = (
                layers.Embedding(5, 4, mask_zero=True),
                layers.Dropout(0.5),
                layers.GlobalAveragePooling1D(),
            )

        def call(self, tokens: Any, by_name: bool) -> Any:
            if by_name:
                return self.pool(inputs=self.drop(inputs=self.embed(inputs=tokens)))
            return self.pool(self.drop(self.embed(tokens)))

    net = Net()
    by_place = backend.to_numpy(net(TOKENS, by_name=False))
    np.testing.assert_array_equal(backend.to_numpy(net(TOKENS, by_name=True)), by_place)
    np.testing.assert_array_equal(backend.to_numpy(net(tokens=TOKENS, by_name=True)), by_place)


def test_masks_in_a_functional_model(backend: Backend) -> None:
    x = Input((3,), dtype="int32")
    y = layers.Embedding(5, 4, mask_zero=True)(inputs=x)
    model = Model(x, layers.GRU(3)(sequences=layers.Dropout(0.5)(inputs=y)))
    embed, gru = model.layers[1], model.layers[-1]
    np.testing.assert_array_equal(
        backend.to_numpy(model(TOKENS)), backend.to_numpy(gru(embed(TOKENS))), err_msg="by name, by place"
    )


def test_shapes_are_checked_and_lists_become_arrays(backend: Backend) -> None:
    dense = layers.Dense(2, name="look")
    assert backend.shape(dense(inputs=[[1.0, 2.0]])) == (1, 2)
    with pytest.raises(ValueError, match=r"'look' \(Dense\).*axis -1.*2.*received 3"):
        dense(inputs=np.ones((1, 3), "float32"))


def test_a_call_without_a_first_place(backend: Backend) -> None:
    class ByNameOnly(layers.Layer):
        def call(self, *, inputs: Any) -> Any:
            return inputs * 2.0

    class Any2(layers.Layer):
        def call(self, *args: Any, **kwargs: Any) -> Any:
            return sum(args) + sum(kwargs.values())

    x = np.ones((1, 2), "float32")
    for result in (ByNameOnly()(inputs=x), Any2()(x, args=x)):
        np.testing.assert_array_equal(backend.to_numpy(result), 2 * x)
