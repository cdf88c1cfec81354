"""Sizes that a `tf.function` of a user's does not know while it is traced: models, losses and metrics run as with known ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polykeras import layers, losses, metrics, models, ops, optimizers, random

tf = pytest.importorskip("polykeras_tensorflow.backend").tf
pytestmark = [pytest.mark.needs("tensorflow"), pytest.mark.usefixtures("on_tensorflow")]

DRAWS = np.random.default_rng(0)
ROWS = DRAWS.normal(size=(7, 8)).astype("float32")
IMAGES = DRAWS.normal(size=(7, 8, 8, 3)).astype("float32")
SEQUENCES = DRAWS.normal(size=(7, 5, 4)).astype("float32")
IDS = np.arange(35, dtype="int32").reshape(7, 5)
LABELS = (ROWS[:, :1] > 0).astype("float32")


def unknown(*arrays: np.ndarray, axes: int = 1) -> list[Any]:
    """The signature of a function whose arguments have unknown sizes in their first axes."""
    return [tf.TensorSpec([None] * axes + list(array.shape[axes:]), array.dtype) for array in arrays]


def same(found: Any, expected: Any) -> None:
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, expected)


class Cell(layers.Layer):
    """A cell of a user's, by functions of TensorFlow or of polykeras."""

    def __init__(self, units: int, native: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.native, self.state_size = units, native, units

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], self.units))
        self.recurrent = self.add_weight((self.units, self.units))

    def call(self, x: Any, states: Any) -> Any:
        state = states[0]
        if self.native:
            state = tf.tanh(tf.matmul(x, self.kernel.value) + tf.matmul(state, self.recurrent.value))
        else:
            state = ops.tanh(x @ self.kernel + state @ self.recurrent)
        return state, [state]


STACKS: dict[str, tuple[Callable[[], list[Any]], np.ndarray]] = {
    "dense": (lambda: [layers.Dense(3, activation="softmax"), layers.BatchNormalization()], ROWS),
    "shapes": (
        lambda: [layers.Reshape((4, 2)), layers.Permute((2, 1)), layers.Flatten(), layers.RepeatVector(2)],
        ROWS,
    ),
    "normal": (lambda: [layers.LayerNormalization(), layers.UnitNormalization(), layers.Rescaling(2.0)], ROWS),
    "conv": (
        lambda: [layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(), layers.MaxPooling2D()],
        IMAGES,
    ),
    "conv_transposed": (
        lambda: [layers.Conv2DTranspose(4, 3, strides=2, padding="same"), layers.GlobalAveragePooling2D()],
        IMAGES,
    ),
    "depthwise": (lambda: [layers.SeparableConv2D(3, 3), layers.DepthwiseConv2D(3), layers.UpSampling2D()], IMAGES),
    "groups": (lambda: [layers.GroupNormalization(1), layers.AveragePooling2D(), layers.ZeroPadding2D(1)], IMAGES),
    "conv1d": (lambda: [layers.Conv1D(4, 3, padding="causal"), layers.Conv1DTranspose(3, 2, strides=2)], SEQUENCES),
    "lstm": (lambda: [layers.LSTM(6, return_sequences=True), layers.LSTM(3)], SEQUENCES),
    "gru": (lambda: [layers.Bidirectional(layers.GRU(3)), layers.Dense(2)], SEQUENCES),
    "timed": (lambda: [layers.Masking(), layers.TimeDistributed(layers.Dense(3)), layers.SimpleRNN(2)], SEQUENCES),
    "cell": (lambda: [layers.Masking(), layers.RNN(Cell(3, native=False))], SEQUENCES),
    "native_cell": (lambda: [layers.RNN(Cell(3, native=True), return_sequences=True)], SEQUENCES),
    "cells": (lambda: [layers.RNN([layers.GRUCell(3), Cell(2, native=False), Cell(4, native=True)])], SEQUENCES),
    "masked": (lambda: [layers.Embedding(40, 4, mask_zero=True), layers.LSTM(4)], IDS),
}


@pytest.mark.parametrize("name", sorted(STACKS))
def test_models_train_and_predict_as_with_known_sizes(name: str) -> None:
    make, x = STACKS[name]
    model = models.Sequential([layers.Input(x.shape[1:], dtype=x.dtype.name), *make()])

    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            loss = tf.reduce_mean(outputs**2)
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, model.trainable_variables)]
        return outputs, gradients, model(x, training=False)

    def compare(step: Any) -> list[Any]:
        model.set_weights(weights)
        return [step(tf.constant(x[:rows])) for rows in (7, 3, 1)]

    weights = model.get_weights()
    traces = []

    @tf.function(input_signature=unknown(x))
    def function(x: Any) -> Any:
        traces.append(x.shape)
        return step(x)

    same(compare(function), compare(step))
    assert [shape[0] for shape in traces] == [None]


@pytest.mark.parametrize("kind", ["lstm", "conv", "attention", "embedding", "images"])
def test_lengths_may_be_unknown_too(kind: str) -> None:
    images = kind == "images"
    x: Any = IMAGES if images else IDS if kind == "embedding" else SEQUENCES
    inputs = layers.Input((None, None, 3) if images else (None, *x.shape[2:]), dtype=x.dtype.name)
    layer: Any = {
        "lstm": layers.LSTM(3, return_sequences=True),
        "conv": layers.Conv1D(3, 2),
        "attention": layers.MultiHeadAttention(2, 3),
        "embedding": layers.Embedding(40, 3),
        "images": layers.Conv2D(3, 2, padding="same"),
    }[kind]
    model = models.Model(inputs, layer(inputs, inputs) if kind == "attention" else layer(inputs))
    function = tf.function(lambda x: model(x), input_signature=unknown(x, axes=3 if images else 2))
    same(function(x), model(x))
    same(function(x[:2, :3]), model(x[:2, :3]))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryCrossentropy", "Huber"])
def test_losses(name: str, weighted: bool, reduction: str) -> None:
    loss = getattr(losses, name)(reduction=reduction)

    def compute(y: Any, y_pred: Any, weight: Any) -> Any:
        return loss(y, y_pred, sample_weight=weight if weighted else None)

    given = LABELS, 1 / (1 + np.exp(-ROWS[:, :1])), ROWS[:, 1] ** 2
    function = tf.function(compute, input_signature=unknown(*given))
    for rows in (7, 3):
        part = [tf.constant(x[:rows]) for x in given]
        same(function(*part), compute(*part))


@pytest.mark.parametrize(
    "metric",
    [metrics.Mean, metrics.BinaryAccuracy, metrics.MeanSquaredError, metrics.AUC, metrics.Precision, metrics.R2Score],
)
def test_metrics(metric: Any) -> None:
    counts, expected = metric(), metric()
    given = (LABELS, 1 / (1 + np.exp(-ROWS[:, :1])))[: 1 if metric is metrics.Mean else 2]
    function = tf.function(lambda *x: counts.update_state(*x), input_signature=unknown(*given))
    for rows in (7, 3):
        function(*[tf.constant(x[:rows]) for x in given])
        expected.update_state(*[x[:rows] for x in given])
    same(counts.result(), expected.result())


def test_a_loop_over_a_dataset_inside_a_function() -> None:
    def made() -> Any:
        model = models.Sequential([layers.Input((8,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
        return model, optimizers.SGD(0.1), metrics.Mean()

    def epoch(batches: Any, model: Any, optimizer: Any, mean: Any) -> Any:
        for x, y in batches:
            with tf.GradientTape() as tape:
                loss = losses.MeanSquaredError()(y, model(x, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables))  # noqa: B905 (autograph lacks strict)
            mean.update_state(loss, sample_weight=ops.shape(x)[0] * 1.0)
        return mean.result()

    batches = tf.data.Dataset.from_tensor_slices((ROWS, LABELS)).batch(3)  # the last one has one row
    found, expected = made(), made()
    expected[0].set_weights(found[0].get_weights())
    compiled = tf.function(lambda batches: epoch(batches, *found))
    for _ in range(2):
        same(compiled(batches), epoch(batches, *expected))
    same(found[0].get_weights(), expected[0].get_weights())
    assert int(found[1].iterations) == 6


def test_models_in_a_pipeline() -> None:
    model = models.Sequential(
        [layers.Input((8, 8, 3)), layers.RandomFlip(), layers.RandomRotation(0.1), layers.Flatten()]
    )
    batches = tf.data.Dataset.from_tensor_slices(IMAGES).batch(3)
    assert [x.shape for x in batches.map(lambda x: model(x, training=True))] == [(3, 192), (3, 192), (1, 192)]
    same(np.concatenate(list(batches.map(lambda x: model(x, training=False)))), model.predict(IMAGES, verbose=0))


def test_steps_of_a_compiled_model() -> None:
    model = models.Sequential([layers.Input((8,)), layers.Dense(1)])
    model.compile(optimizers.SGD(0.1), "mse", metrics=["mae"])
    model.evaluate(ROWS, LABELS, verbose=0)
    model.reset_metrics()
    function = tf.function(lambda x, y: model.test_step((x, y)), input_signature=unknown(ROWS, LABELS))
    for rows in (slice(0, 4), slice(4, 7)):
        logs = function(ROWS[rows], LABELS[rows])
    same({k: v.numpy() for k, v in logs.items()}, model.evaluate(ROWS, LABELS, verbose=0, return_dict=True))


def test_a_model_is_built_with_an_unknown_batch() -> None:
    model = models.Sequential([layers.Dense(4), layers.BatchNormalization()])
    function = tf.function(lambda x: model(x), input_signature=unknown(ROWS))
    assert function(ROWS).shape == (7, 4)
    assert model.count_params() == 8 * 4 + 4 + 4 * 4


def test_users_compute_with_such_a_size() -> None:
    def compute(x: Any) -> Any:
        size = ops.shape(x)[0]
        return (
            tf.zeros((size, 2)),
            tf.tile(x, (size, 1)),
            tf.range(size),
            ops.arange(size),
            x[: size - 1],
            ops.ones((2 * size + 1,)),
            ops.reshape(x, (size // 1, -1)),
            ops.cast(size, "float32"),
            ops.mean(x) * size / 2,
            7 % size + (size - 1) * tf.constant(2),
            -size,
            ops.take(x, [-1], axis=0),
            ops.flip(ops.concatenate([x, x], axis=0), axis=0),
            random.normal((size, 2), seed=3).shape[1],
        )

    function = tf.function(compute, input_signature=unknown(ROWS))
    for rows in (7, 3):
        same(function(ROWS[:rows]), compute(tf.constant(ROWS[:rows])))


def test_such_a_size_is_no_number_of_pythons() -> None:
    def run(compute: Callable[[Any], Any], **options: Any) -> Any:
        return tf.function(lambda x: compute(ops.shape(x)[0]), input_signature=unknown(ROWS), **options)(ROWS)

    assert float(run(float)) == 7.0  # autograph makes TensorFlow's function of it
    for compute in (float, int, math.sqrt):
        with pytest.raises(TypeError, match="unknown while the graph is made"):
            run(compute, autograph=False)
    with pytest.raises(OverflowError):  # Python does not ask the size here; at least no number comes out
        run(lambda size: 1.0 / size, autograph=False)


@pytest.mark.parametrize(
    "compute",
    [
        lambda n: n < 3,
        lambda n: n <= 3,
        bool,
        lambda n: n == 7,
        lambda n: min(n, 8),
        lambda n: abs(n - 1),
        lambda n: n**2,
    ],
)
def test_such_a_size_decides_nothing(compute: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="cannot be compared"):
        tf.function(lambda x: compute(ops.shape(x)[0]), input_signature=unknown(ROWS), autograph=False)(ROWS)


ODD = DRAWS.normal(size=(2, 7, 5, 3)).astype("float32")


@pytest.mark.parametrize(
    "layer",
    [
        layers.MaxPooling2D(2, padding="same"),
        layers.AveragePooling2D(2, padding="same"),
        layers.AveragePooling2D(3, 2, padding="same"),
        layers.Conv2D(2, 2, 2, padding="same"),
        layers.Conv2D(2, 3, 2, padding="same"),
        layers.SeparableConv2D(2, 2, 2, padding="same"),
        layers.Conv2DTranspose(2, 3, 2, padding="same"),
        layers.Cropping2D(1),
        layers.Reshape((-1, 5)),
    ],
    ids=repr,
)
def test_windows_over_odd_sizes(layer: Any) -> None:
    for images in (ODD, ODD[:, :4], ODD[:, :, :4] if not isinstance(layer, layers.Reshape) else ODD):
        expected = layer(images)
        same(tf.function(lambda x: layer(x), input_signature=unknown(ODD, axes=3))(images), expected)


def test_strides_larger_than_a_padded_window_need_known_sizes() -> None:
    layer = layers.Conv1D(1, 2, 3, padding="same")
    with pytest.raises(TypeError, match="unknown while the graph is made"):
        tf.function(lambda x: layer(x), input_signature=unknown(SEQUENCES, axes=2))(SEQUENCES)


@pytest.mark.parametrize("op", [ops.maximum, ops.power, ops.multiply])
def test_gradients_of_an_axis_that_broadcasts_when_the_graph_runs(op: Callable[..., Any]) -> None:
    def gradients(a: Any, b: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            total = ops.sum(op(a, b))
        return tape.gradient(total, [a, b])

    a, b = np.abs(ROWS[:1]), np.abs(ROWS)
    same(tf.function(gradients, input_signature=unknown(a, b))(a, b), gradients(tf.constant(a), tf.constant(b)))
