"""Calls of layers in models: losses, masks, the training flag, dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import data, host
from polykeras import Input, Model, Sequential, layers, ops
from polykeras.backend import Backend

# ---- losses of layers ------------------------------------------------------------------------------------------------


class Penalty(layers.Layer):
    """Adds the mean of its inputs, times a factor, to the loss."""

    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        self.add_loss(self.factor * ops.mean(inputs))
        return inputs


def test_add_loss_and_regularizers(backend: Backend) -> None:
    x = Input((2,))
    shared = Penalty(1.0)
    l1, l2 = polykeras.regularizers.L1(0.1), polykeras.regularizers.L2(0.5)
    dense = layers.Dense(1, kernel_regularizer=l2, activity_regularizer=l1)
    model = Model(x, dense(shared(shared(x))))
    z = np.ones((4, 2), "float32")
    for _ in range(2):  # the losses are those of the last call
        y = host(model(z))
        w = dense.kernel.numpy()
        expected = sorted([1.0, 1.0, 0.1 * np.abs(y).sum() / 4, 0.5 * (w**2).sum()])
        np.testing.assert_allclose(sorted(float(host(t)) for t in model.losses), expected, rtol=1e-5)
    model.compile(polykeras.optimizers.SGD(0.1), "mse")
    np.testing.assert_allclose(model.evaluate(z, y, verbose=0), sum(expected), rtol=1e-5)
    model.reset_metrics()
    logs = model.train_on_batch(z, y)
    np.testing.assert_allclose(logs, sum(expected), rtol=1e-5)
    gradient = w + 0.1 * np.sign(y[0, 0]) * np.ones((2, 1))
    np.testing.assert_allclose(dense.kernel.numpy(), w - 0.1 * gradient, rtol=1e-5)


def test_losses_of_layers_alone_are_enough(backend: Backend) -> None:
    model = Sequential([layers.Dense(1, input_dim=2, kernel_initializer="ones"), Penalty(2.0)])
    model.compile(polykeras.optimizers.SGD(0.1))
    history = model.fit(np.ones((4, 2)), verbose=0, epochs=2)
    np.testing.assert_allclose(history.history["loss"], [4.0, 4.0 - 2 * 3 * 0.2], rtol=1e-5)


# ---- masks -----------------------------------------------------------------------------------------------------------


def sentences() -> np.ndarray:
    return np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [1, 1, 1, 1, 1]], "int32")


@pytest.mark.parametrize("kind", ["functional", "sequential", "subclassed", "late", "one by one"])
def test_masks_reach_the_layers_that_want_them(backend: Backend, kind: str) -> None:
    embedding, lstm, dense = layers.Embedding(5, 3, mask_zero=True), layers.LSTM(2), layers.Dense(1)
    parts = [embedding, layers.Dropout(0.5), lstm, dense]
    if kind == "functional":
        x = y = Input((None,), dtype="int32")
        for part in parts:
            y = part(y)
        model: Any = Model(x, y)
    elif kind == "sequential":
        model = Sequential([Input((None,), dtype="int32"), *parts])
    elif kind == "late":
        model = Sequential(parts)
    else:

        class Chain(Model):
            def call(self, inputs: Any) -> Any:
                for part in self.parts:
                    inputs = part(inputs)
                return inputs

        chain = Chain()
        chain.parts = parts
        model = chain if kind == "subclassed" else lambda x: dense(lstm(parts[1](embedding(x))))
    words = sentences()
    result = host(model(words))
    alone = [host(model(words[i : i + 1, :n])) for i, n in enumerate((3, 1, 5))]  # no padding there
    np.testing.assert_allclose(result, np.concatenate(alone), rtol=1e-4, atol=1e-6)
    unmasked = host(dense(lstm(ops.take(embedding.embeddings, words, axis=0))))
    assert not np.allclose(result[:2], unmasked[:2], rtol=1e-3)


@pytest.mark.parametrize("eagerly", [False, True])
def test_masks_reach_the_loss_and_the_metrics(backend: Backend, eagerly: bool) -> None:
    model = Sequential([Input((None,), dtype="int32"), layers.Embedding(5, 3, mask_zero=True), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"], run_eagerly=eagerly)
    words = sentences()
    y = data(3, 5, 1)
    predicted = model.predict(words, verbose=0)
    valid = (words != 0)[..., None]
    square, absolute = (predicted - y) ** 2, np.abs(predicted - y)
    logs = model.evaluate(words, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["loss"], square[valid].mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["mse"], square[valid].mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["mae"], absolute[valid].mean(), rtol=1e-5)
    model.reset_metrics()
    logs = model.train_on_batch(words, y, return_dict=True)
    np.testing.assert_allclose(logs["loss"], square[valid].mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["mae"], absolute[valid].mean(), rtol=1e-5)


def test_a_mask_may_be_passed_to_a_model(backend: Backend) -> None:
    x = data(2, 4, 3)
    mask = np.array([[True, True, False, False], [True] * 4])
    inputs = Input((None, 3))
    graph, built, later = Model(inputs, layers.LSTM(2)(inputs)), [inputs, layers.LSTM(2)], [layers.LSTM(2)]
    for model in (graph, Sequential(built), Sequential(later)):
        result = host(model(x, mask=backend.asarray(mask)))
        np.testing.assert_allclose(result[0], host(model(x[:1, :2]))[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(result[1], host(model(x))[1], rtol=1e-4, atol=1e-6)


def test_a_mask_survives_a_change_of_dtype(backend: Backend) -> None:
    if "float16" in backend.unsupported_dtypes:
        pytest.skip(f"{backend.name} has no float16")
    model = Sequential([layers.Embedding(5, 3, mask_zero=True), layers.LSTM(2, dtype="float16")])
    words = sentences()
    result, alone = host(model(words)), host(model(words[:1, :3]))
    np.testing.assert_allclose(result[:1], alone, rtol=1e-2, atol=1e-3)


# ---- training or not -------------------------------------------------------------------------------------------------


class Flag(layers.Layer):
    """Adds 1 when training."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        return inputs + 1.0 if training else inputs


class Wrapping(layers.Layer):
    """Does not speak of training at all."""

    def __init__(self) -> None:
        super().__init__()
        self.flag = Flag()

    def call(self, inputs: Any) -> Any:
        return self.flag(inputs)


FLAGS = [Flag, Wrapping, lambda: Sequential([Flag()]), lambda: Sequential([Input((1,)), Wrapping()])]


@pytest.mark.parametrize("make", FLAGS)
def test_the_training_flag_reaches_every_layer(backend: Backend, make: Any) -> None:
    x = Input((1,))
    model = Model(x, make()(x))
    z = np.zeros((2, 1), "float32")
    assert host(model(z)).max() == 0.0
    assert host(model(z, training=True)).min() == 1.0
    assert host(model(z, training=False)).max() == 0.0
    assert model.predict(z, verbose=0).max() == 0.0
    model.compile("sgd", "mae")
    assert model.evaluate(z, z, verbose=0) == 0.0
    model.reset_metrics()
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        assert model.train_on_batch(z, z) == 1.0


def test_what_a_graph_says_of_training_gives_way_to_what_is_passed(backend: Backend) -> None:
    """As in Keras 3, whose files write it for each layer."""
    x = Input((1,))
    model = Model(x, [Flag()(x, training=True), Flag()(x, training=False), Flag()(x)])
    z = np.zeros((1, 1), "float32")
    assert [host(y).item() for y in model(z)] == [1.0, 0.0, 0.0]
    assert [host(y).item() for y in model(z, training=True)] == [1.0, 1.0, 1.0]
    assert [host(y).item() for y in model(z, training=False)] == [0.0, 0.0, 0.0]


# ---- dtypes ----------------------------------------------------------------------------------------------------------


def test_mixed_precision(backend: Backend) -> None:
    if "bfloat16" in backend.unsupported_dtypes:
        pytest.skip(f"{backend.name} has no bfloat16")
    hidden = layers.Dense(4, "relu", dtype="mixed_bfloat16")
    model = Sequential([Input((3,)), hidden, layers.BatchNormalization(dtype="mixed_bfloat16"), layers.Dense(1)])
    assert (hidden.compute_dtype, hidden.variable_dtype, hidden.dtype) == ("bfloat16", "float32", "float32")
    assert {v.dtype for v in model.weights} == {"float32"}
    assert backend.dtype(hidden(data(2, 3))) == "bfloat16"
    assert hidden.output.dtype == "bfloat16"
    assert backend.dtype(model(data(2, 3))) == "float32"
    model.compile("sgd", "mse")
    history = model.fit(data(16, 3), data(16, 1), epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert {v.dtype for v in model.weights} == {"float32"}


def test_the_global_policy(backend: Backend) -> None:
    policy = polykeras.dtype_policies
    try:
        policy.set_dtype_policy("mixed_bfloat16")
        assert layers.Dense(1).compute_dtype == "bfloat16"
    finally:
        policy.set_dtype_policy(None)
    assert layers.Dense(1).compute_dtype == "float32"
    with pytest.raises(ValueError, match="Unknown dtype policy 'mixed_float8'"):
        layers.Dense(1, dtype="mixed_float8")


def test_wide_and_whole_inputs_are_computed_in_float32(backend: Backend) -> None:
    model = Sequential([layers.Dense(2, input_dim=3)])
    for x in (np.ones((2, 3)), np.ones((2, 3), "int64"), [[1, 2, 3]], [[1.0, 2.0, 3.0]]):
        assert backend.dtype(model(x)) == "float32"


# ---- the training flag by place --------------------------------------------------------------------------------------


class Dropping(Model):
    """Drops half of its inputs while it is trained; the layer itself is called `this` here."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = layers.Dropout(0.5)

    def call(this, x: Any, training: Any = False) -> Any:
        return this.dropout(x)


def test_training_by_place_reaches_the_layers_within(backend: Backend) -> None:
    model, x = Dropping(), np.ones((4, 100), "float32")
    assert 0.2 < float(np.mean(host(model(x, True)) == 0)) < 0.8
    assert 0.2 < float(np.mean(host(model(x, training=True)) == 0)) < 0.8
    for off in (model(x), model(x, False), model(x, training=False)):
        np.testing.assert_array_equal(host(off), x)

    class Outer(Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Dropping()

        def call(self, x: Any, training: Any = None) -> Any:
            return self.inner(x, training)

    assert 0.2 < float(np.mean(host(Outer()(x, training=True)) == 0)) < 0.8
    np.testing.assert_array_equal(host(Outer()(x, None)), x)


def test_training_after_any_number_of_inputs(backend: Backend) -> None:
    seen: list[Any] = []

    class Sum(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.dropout = layers.Dropout(0.5)

        def call(self, first: Any, *others: Any, training: Any = False) -> Any:
            seen.append(training)
            for other in others:
                first = first + other
            return self.dropout(first)

    class Outer(Model):
        def __init__(self) -> None:
            super().__init__()
            self.sum = Sum()

        def call(self, x: Any) -> Any:
            return self.sum(x, x, x)

    model, x = Outer(), np.ones((4, 100), "float32")
    np.testing.assert_array_equal(host(model(x)), 3 * x)
    assert seen == [False]
    assert 0.2 < float(np.mean(host(model(x, training=True)) == 0)) < 0.8
    assert seen == [False, True]
