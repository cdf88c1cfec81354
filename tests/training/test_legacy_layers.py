"""Layers of Keras 1 and 2, and their arguments' legacy names, against the formulas of their papers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from polykeras import Input, function, layers, models, ops, regularizers, saving
from polykeras.backend import Backend

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float32")


def called(layer: Any, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the outputs of a layer with random weights, and these."""
    layer.build(x.shape)
    layer.set_weights([floats(*weight.shape) for weight in layer.get_weights()])
    return ops.convert_to_numpy(layer(x)), layer.get_weights()


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (0, 4)])
def test_highway(backend: Backend, shape: tuple[int, ...]) -> None:
    x = floats(*shape)
    found, (kernel, carry, bias, carry_bias) = called(layers.Highway(activation="tanh"), x)
    gate = 1 / (1 + np.exp(-(x @ carry + carry_bias)))
    close(found, gate * np.tanh(x @ kernel + bias) + (1 - gate) * x)


def test_the_gate_begins_open(backend: Backend) -> None:
    layer = layers.Highway()
    layer.build((None, 3))
    assert layer.get_weights()[3].tolist() == [1.0, 1.0, 1.0]
    assert len(layers.Highway(use_bias=False).get_weights()) == 0


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_maxout(backend: Backend, shape: tuple[int, ...]) -> None:
    x = floats(*shape)
    found, (kernel, bias) = called(layers.MaxoutDense(5, nb_feature=3), x)
    close(found, np.max([x @ kernel[i] + bias[i] for i in range(3)], axis=0))


def test_thresholded_relu(backend: Backend) -> None:
    x = np.array([[-2.0, 0.5, 1.0, 1.5]], "float32")
    assert ops.convert_to_numpy(layers.ThresholdedReLU()(x)).tolist() == [[0.0, 0.0, 0.0, 1.5]]
    assert ops.convert_to_numpy(layers.ThresholdedReLU(0.0)(x)).tolist() == [[0.0, 0.5, 1.0, 1.5]]
    with pytest.raises(ValueError, match="theta"):
        layers.ThresholdedReLU(-1.0)


@pytest.mark.parametrize(("size", "width", "stride"), [(7, 3, 1), (7, 3, 2), (8, 2, 3), (3, 3, 1)])
def test_locally_connected_1d(backend: Backend, size: int, width: int, stride: int) -> None:
    x = floats(2, size, 3)
    found, (kernel, bias) = called(layers.LocallyConnected1D(4, width, strides=stride), x)
    places = range((size - width) // stride + 1)
    assert kernel.shape == (len(places), width * 3, 4)
    windows = [x[:, place * stride : place * stride + width].reshape(2, -1) for place in places]
    close(found, np.stack([window @ kernel[i] + bias[i] for i, window in enumerate(windows)], 1))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_locally_connected_2d(backend: Backend, data_format: str) -> None:
    x = floats(2, 5, 6, 3)
    layer = layers.LocallyConnected2D(4, (3, 2), strides=(1, 2), data_format=data_format, activation="tanh")
    first = data_format == "channels_first"
    found, (kernel, bias) = called(layer, x.transpose(0, 3, 1, 2) if first else x)
    assert bias.shape == (3, 3, 4)
    expected = np.empty((2, 3, 3, 4), "float32")
    for row, column in product(range(3), range(3)):
        window = x[:, row : row + 3, 2 * column : 2 * column + 2].reshape(2, -1)
        expected[:, row, column] = np.tanh(window @ kernel[3 * row + column] + bias[row, column])
    close(found, expected.transpose(0, 3, 1, 2) if first else expected)


def test_one_kernel_everywhere_is_a_convolution(backend: Backend) -> None:
    x, kernel = floats(2, 6, 5, 3), floats(3, 2, 3, 4)
    layer = layers.LocallyConnected2D(4, (3, 2), use_bias=False)
    layer.build(x.shape)
    layer.set_weights([np.stack([kernel.reshape(-1, 4)] * 16)])
    close(ops.convert_to_numpy(layer(x)), ops.convert_to_numpy(ops.conv(x, kernel, data_format="channels_last")))


LEGACY = {
    "highway": (lambda: layers.Highway(activation="relu"), (4,)),
    "maxout": (lambda: layers.MaxoutDense(3), (4,)),
    "thresholded": (lambda: layers.ThresholdedReLU(0.5), (4,)),
    "local 1d": (lambda: layers.LocallyConnected1D(3, 2), (5, 2)),
    "local 2d": (lambda: layers.LocallyConnected2D(3, 2), (5, 4, 2)),
}


@pytest.mark.parametrize("name", LEGACY)
def test_models_of_them_train_and_come_back_from_files(backend: Backend, name: str, tmp_path: Any) -> None:
    make, shape = LEGACY[name]
    model = models.Sequential([layers.Input(shape), make(), layers.Flatten(), layers.Dense(1)])
    x = floats(16, *shape)
    model.compile("adam", "mse")
    losses = model.fit(x, x.reshape(16, -1)[:, :1], epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


# ---- legacy names of arguments ------------------------------------------------------------------------------------------

ARGUMENTS = {
    "Dense": (
        lambda: layers.Dense(output_dim=4, init="uniform", W_regularizer="l2", b_constraint="nonneg", bias=True),
        lambda: layers.Dense(
            4,
            kernel_initializer="uniform",
            kernel_regularizer=regularizers.L1L2(0.0, 0.01),
            bias_constraint="non_neg",
            use_bias=True,
        ),
    ),
    "Conv2D": (
        lambda: layers.Conv2D(nb_filter=3, nb_row=2, nb_col=3, border_mode="same", subsample=(2, 1), dim_ordering="th"),
        lambda: layers.Conv2D(3, (2, 3), padding="same", strides=(2, 1), data_format="channels_first"),
    ),
    "Conv1D": (
        lambda: layers.Conv1D(nb_filter=3, filter_length=2, subsample_length=2),
        lambda: layers.Conv1D(3, 2, strides=2),
    ),
    "MaxPooling1D": (
        lambda: layers.MaxPooling1D(pool_length=3, stride=2, border_mode="same"),
        lambda: layers.MaxPooling1D(3, 2, "same"),
    ),
    "LSTM": (
        lambda: layers.LSTM(
            output_dim=3, inner_init="orthogonal", inner_activation="hard_sigmoid", dropout_U=0.2, consume_less="gpu"
        ),
        lambda: layers.LSTM(
            3,
            recurrent_initializer={"class_name": "Orthogonal", "config": {"gain": 1.1}},
            recurrent_activation="hard_sigmoid",
            recurrent_dropout=0.2,
        ),
    ),
    "Dropout": (lambda: layers.Dropout(p=0.3), lambda: layers.Dropout(0.3)),
    "GaussianNoise": (lambda: layers.GaussianNoise(sigma=0.3), lambda: layers.GaussianNoise(0.3)),
    "LeakyReLU": (lambda: layers.LeakyReLU(alpha=0.1), lambda: layers.LeakyReLU(0.1)),
    "Embedding": (
        lambda: layers.Embedding(5, 3, init="uniform"),
        lambda: layers.Embedding(5, 3, embeddings_initializer="uniform"),
    ),
    "AtrousConvolution2D": (
        lambda: layers.AtrousConvolution2D(3, 2, 2, atrous_rate=(2, 2)),
        lambda: layers.Conv2D(3, 2, dilation_rate=2),
    ),
    "AtrousConvolution1D": (
        lambda: layers.AtrousConvolution1D(3, 2, atrous_rate=2),
        lambda: layers.Conv1D(3, 2, dilation_rate=2),
    ),
}


def unnamed(layer: Any) -> dict[str, Any]:
    """Return a layer's config without its name, and without the seeds that were drawn for it."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cleaned(part) for key, part in value.items() if key not in ("name", "seed")}
        return value

    return cleaned(layer.get_config())


@pytest.mark.parametrize("name", ARGUMENTS)
def test_legacy_arguments_mean_those_of_today(name: str) -> None:
    old, today = ARGUMENTS[name]
    with pytest.warns(DeprecationWarning, match="Keras 1 or 2"):
        made = old()
    assert unnamed(made) == unnamed(today())


def test_the_warning_says_todays_names_and_points_here() -> None:
    with pytest.warns(DeprecationWarning, match="Dense: .*output_dim: units; init: kernel_initializer") as caught:
        layers.Dense(output_dim=3, init="zeros")
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_names_that_a_class_takes_itself_stay() -> None:
    assert layers.ELU(alpha=0.3).alpha == 0.3

    class Own(layers.Layer):
        def __init__(self, p: float, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.p = p

    assert Own(p=0.5).p == 0.5


def test_what_no_version_knew_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected argument"):
        layers.Dense(3, p=0.5)


@pytest.mark.parametrize(
    ("name", "arguments", "today", "shape"),
    [
        ("AtrousConvolution1D", {"filters": 2, "filter_length": 3}, "Conv1D", (2, 7, 3)),
        ("AtrousConvolution2D", {"filters": 2, "nb_row": 3, "nb_col": 2}, "Conv2D", (2, 7, 6, 3)),
        ("Deconvolution2D", {"filters": 2, "nb_row": 3, "nb_col": 2}, "Conv2DTranspose", (2, 4, 5, 3)),
        (
            "Deconvolution3D",
            {"filters": 2, **{f"kernel_dim{i}": 2 for i in (1, 2, 3)}},
            "Conv3DTranspose",
            (1, 3, 3, 3, 2),
        ),
        ("AtrousConvolution1D", {"filters": 2, "kernel_size": 3}, "Conv1D", (2, 7, 3)),
        ("AtrousConvolution2D", {"filters": 2, "kernel_size": (3, 2)}, "Conv2D", (2, 7, 6, 3)),
        ("Deconvolution2D", {"filters": 2, "kernel_size": 3}, "Conv2DTranspose", (2, 4, 5, 3)),
        ("Deconvolution3D", {"filters": 2, "kernel_size": 2}, "Conv3DTranspose", (1, 3, 3, 3, 2)),
        ("ConvRecurrent2D", {"filters": 2, "kernel_size": 2}, "ConvLSTM2D", (1, 3, 4, 5, 2)),
    ],
)
def test_legacy_names_give_layers_of_today(
    backend: Backend, name: str, arguments: dict[str, Any], today: str, shape: tuple[int, ...]
) -> None:
    with pytest.warns(DeprecationWarning, match=f"use {today} instead"):
        layer = getattr(layers, name)(**arguments)
    assert type(layer) is getattr(layers, today)
    assert np.isfinite(ops.convert_to_numpy(layer(np.ones(shape, "float32")))).all()


def test_the_cell_of_a_convolutional_lstm(backend: Backend) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 2)).astype("float32")
    with pytest.warns(DeprecationWarning, match="use ConvLSTM2D instead"):
        cell = layers.ConvLSTM2DCell(3, 2)
    whole = layers.ConvLSTM2D(3, 2)
    expected = ops.convert_to_numpy(whole(x))
    cell.build((None, 4, 5, 2))
    cell.set_weights(whole.get_weights())
    states = cell.get_initial_state(2)
    for t in range(3):
        output, states = cell(x[:, t], states)
    np.testing.assert_allclose(ops.convert_to_numpy(output), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("cls", "axis"), [("RandomHeight", 1), ("RandomWidth", 2)])
def test_random_sizes(backend: Backend, cls: str, axis: int) -> None:
    layer = getattr(layers, cls)((0.5, 0.5))
    x = np.arange(2 * 4 * 4 * 3, dtype="float32").reshape(2, 4, 4, 3)
    larger = ops.convert_to_numpy(layer(x, training=True))
    assert larger.shape[axis] == 6
    assert larger.size == x.size * 3 // 2
    np.testing.assert_allclose(larger.mean(), x.mean(), rtol=1e-5)  # the images are linear, and the ends symmetric
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x, training=False)), x)
    shape = layer(Input((4, 4, 3))).shape
    assert (shape[axis], shape[3 - axis]) == (None, 4)
    again = type(layer).from_config(layer.get_config())
    assert list(again.factor) == [0.5, 0.5]
    drawn = [getattr(layers, cls)(0.9, seed=3)(np.ones((1, 99, 99, 1)), training=True).shape for _ in range(2)]
    assert tuple(drawn[0]) == tuple(drawn[1]) != (1, 99, 99, 1)
    with pytest.raises(ValueError, match="`factor` must be"):
        getattr(layers, cls)((-2.0, 1.0))


def test_a_random_size_of_what_is_compiled_is_warned_of(backend: Backend) -> None:
    if not backend.execution.compiles:
        pytest.skip(f"{backend.name} compiles nothing")
    resized = function(lambda x: layers.RandomHeight((0.5, 0.5))(x, training=True))
    with pytest.warns(RuntimeWarning, match="draws one size for all calls"):
        assert resized(np.ones((2, 4, 4, 3), "float32")).shape[1] == 6
