"""Models for the exchange of files with Keras 3: one for each case of a layer, and some of several layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import polykeras as keras
from contract.layer_cases import LAYER_CASES
from helpers.layer_runner import LayerCase
from known_differences.from_keras import EXCHANGED
from polykeras import layers as L
from polykeras import ops
from polykeras.common import nested
from recorded.store import of_keras
from saving.exchange_own import registered

OF_KERAS = of_keras("layers")

OWN = {
    "Lambda": "a function of the tests, which Keras does not know",
    "own": "a cell of the tests, which Keras does not know",
    "renorm": "batch renormalization was left behind with Keras 2",
}
"""Words in the names of cases that Keras 3 cannot read, each with the reason; those that differ there are `EXCHANGED`."""


def left_out(case: LayerCase) -> bool:
    """Return whether Keras 3 lacks the layer of a case, cannot read it, or is known to give something else for it."""
    if case.class_name in L.__all__ and case.class_name not in OF_KERAS:
        return True
    return any(word in case.id for word in OWN) or any(entry.names(case.id) for entry in EXCHANGED)


def of_layer(case: LayerCase) -> tuple[Any, list[np.ndarray]]:
    """Return a functional model of one layer, and arrays for its inputs."""
    arrays: list[np.ndarray] = []

    def symbol(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            return x
        arrays.append(x)
        return keras.Input(batch_shape=x.shape, dtype=x.dtype.name)

    arguments = {name: value for name, value in case.kwargs.items() if name != "training"}
    inputs = case.inputs if isinstance(case.inputs, tuple) else (case.inputs,)
    positional, named = nested.map_structure(symbol, inputs), nested.map_structure(symbol, arguments)
    symbols = [leaf for leaf in nested.flatten((positional, named)) if isinstance(leaf, keras.KerasTensor)]
    outputs = case.make()(*positional, **named)
    model = keras.Model(symbols, nested.flatten(outputs))
    return model, arrays


def _stacked() -> tuple[Any, list[np.ndarray]]:
    x = L.Input((4, 6))
    y = L.Bidirectional(L.LSTM(3, return_sequences=True, dropout=0.2))(x)
    y = L.MultiHeadAttention(2, 3, dropout=0.1)(y, y)
    y = L.LayerNormalization()(y + 1.0)
    y = L.RNN([L.GRUCell(3), L.LSTMCell(2)])(y)
    return keras.Model(x, L.Dense(1)(L.Dropout(0.2)(y))), [_draw(5, 4, 6)]


def _nested() -> tuple[Any, list[np.ndarray]]:
    inner = keras.Sequential([L.Input((3,)), L.Dense(4, "relu"), L.BatchNormalization()], name="inner")
    twice = L.Dense(3, name="twice")
    x = L.Input((3,), name="x")
    y = inner(twice(twice(x)))
    return keras.Model({"x": x}, {"a": L.Dense(2, name="a")(y), "b": y}), [_draw(5, 3)]


def _convolutions() -> tuple[Any, list[np.ndarray]]:
    layers = [
        L.Input((8, 8, 2)),
        L.Conv2D(4, 3, padding="same", kernel_regularizer="l2"),
        L.BatchNormalization(),
        L.ReLU(),
        L.SeparableConv2D(3, 3),
        L.MaxPooling2D(),
        L.Flatten(),
        L.Dense(2, activation="softmax", kernel_constraint="max_norm"),
    ]
    return keras.Sequential(layers), [_draw(5, 8, 8, 2)]


def _mixed() -> tuple[Any, list[np.ndarray]]:
    layers = [L.Input((4,)), L.Dense(8, "relu", dtype="mixed_float16"), L.Dense(1, dtype="float32")]
    return keras.Sequential(layers), [_draw(5, 4)]


def _shared_between_models() -> tuple[Any, list[np.ndarray]]:
    shared = L.Dense(3, name="shared")
    first, second = (keras.Sequential([L.Input((3,)), shared], name=name) for name in ("first", "second"))
    x = L.Input((3,))
    return keras.Model(x, second(first(x))), [_draw(5, 3)]


def _functional_within() -> tuple[Any, list[np.ndarray]]:
    a, b = L.Input((3,)), L.Input((2,))
    inner = keras.Model([a, b], [L.Dense(2)(L.Concatenate()([a, b])), a], name="inner")
    x, y = L.Input((3,)), L.Input((2,))
    first, second = inner([x, y])
    third, fourth = inner([second, first])
    return keras.Model([x, y], [L.Add()([first, third]), second, fourth]), [_draw(5, 3), _draw(5, 2)]


def _operators() -> tuple[Any, list[np.ndarray]]:
    x = L.Input((4, 3))
    y = ops.mean(ops.square(x[:, 1:]), axis=1) - ops.clip(x[:, 0], -1.0, 1.0) / 2.0
    z = ops.concatenate([y, ops.relu(y), ops.expand_dims(ops.max(x, axis=(1, 2)), -1)], axis=-1)
    z = ops.einsum("bi,bj->bij", z, y) @ ops.transpose(x, (0, 2, 1))
    z = ops.where(ops.isfinite(z), ops.softmax(z), 0.0)
    return keras.Model(x, L.Dense(2)(ops.reshape(z, (-1, 28)))), [_draw(5, 4, 3)]


def _renamed_ops() -> tuple[Any, list[np.ndarray]]:
    """Ops that Keras calls by other names than theirs, in the class or the module."""
    x = L.Input((4, 3))
    mean, variance = ops.moments(x, axes=(0, 1))
    y = ops.batch_normalization(x, mean, variance, axis=-1)
    y = ops.layer_normalization(y, axis=-1) + ops.rms_normalization(x, axis=-1)
    y = ops.swish(y) + ops.hard_swish(x)
    near = ops.cast(ops.isin(ops.round(x), np.array([0.0, 1.0], "float32")), "float32")
    place = ops.searchsorted(np.array([-1.0, 0.0, 1.0], "float32"), ops.reshape(x, (-1,)))
    y = y + near + ops.reshape(ops.cast(place, "float32"), (-1, 4, 3))
    return keras.Model(x, [y, ops.cdist(x, y)]), [_draw(5, 4, 3)]


Stretched, bent = registered(keras)


def _custom() -> tuple[Any, list[np.ndarray]]:
    return keras.Sequential([L.Input((5,)), L.Dense(4, activation=bent), Stretched(0.5), L.Dense(2)]), [_draw(3, 5)]


def perceptron() -> tuple[Any, list[np.ndarray]]:
    """Return a model in which no gradient is 0 but for rounding, which Adam would make large."""
    return keras.Sequential([L.Input((6,)), L.Dense(8, "tanh"), L.Dense(3, "softmax")]), [_draw(20, 6)]


def _draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


MODELS: dict[str, Callable[[], tuple[Any, list[np.ndarray]]]] = {
    "stacked": _stacked,
    "nested": _nested,
    "convolutions": _convolutions,
    "mixed": _mixed,
    "shared": _shared_between_models,
    "functional within": _functional_within,
    "operators": _operators,
    "renamed ops": _renamed_ops,
    "custom": _custom,
}
"""Models of several layers."""


CASES = {case.id: case for case in LAYER_CASES if not left_out(case)}
"""The cases of layers that Keras 3 has, by name."""
