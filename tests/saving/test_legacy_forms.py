"""The forms of weights in files of Keras 2: those of Theano and of NVIDIA, of cells, of frozen layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import data, host
from polykeras import layers
from polykeras.backend import Backend
from polykeras.saving import load_model
from saving.legacy_configs import DENSE, GATED, RNN, SCALED, affine
from saving.legacy_writer import (
    convolve,
    gates,
    gru,
    layer,
    lstm,
    named,
    sequential,
    sigmoid,
    write_model,
)


@pytest.mark.parametrize("writer", ["theano", "tensorflow", "cntk", None])
def test_kernels_of_theano_are_turned_around(backend: Backend, tmp_path: Path, writer: str | None) -> None:
    kernel, bias, deep = data(3, 2, 2, 4, seed=1), data(4, seed=2), data(2, 2, 4, 1, seed=3)
    conv = {"kernel_size": [3, 2], "strides": [1, 1], "padding": "valid", "data_format": "channels_last",
            "dilation_rate": [1, 1], **DENSE}  # fmt: skip
    depthwise = {k: v for k, v in conv.items() if not k.startswith("kernel")} | {"kernel_size": [2, 2]}
    depthwise |= {"depth_multiplier": 1, "use_bias": False, "depthwise_initializer": SCALED}
    config = sequential(
        layer("Conv2D", "c", filters=4, batch_input_shape=[None, 5, 5, 2], **conv),
        layer("DepthwiseConv2D", "d", **depthwise),
    )
    weights = {"c": named("c", kernel, bias), "d": [("d/depthwise_kernel:0", deep)]}
    model = load_model(write_model(tmp_path / "m.h5", config, weights, "2.1.6", writer))
    x = data(2, 5, 5, 2)
    y = convolve(x, kernel, turned=writer == "theano") + bias
    # Keras turned the kernels of separate channels itself, so that Theano gave the same as the others.
    expected = np.concatenate([convolve(y[..., i : i + 1], deep[:, :, i : i + 1], turned=False) for i in range(4)], -1)
    np.testing.assert_allclose(host(model(x)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("writer", ["theano", "tensorflow"])
def test_kernels_of_other_windows_are_turned_around_too(backend: Backend, tmp_path: Path, writer: str) -> None:
    """Keras 2.3 turned those of `Conv3D`, `Conv2DTranspose` and, both, of `ConvLSTM2D`."""
    window = {"kernel_size": [2, 2], "strides": [1, 1], "padding": "valid", "data_format": "channels_last"}
    window |= {"dilation_rate": [1, 1]}
    there = {k: v for k, v in window.items() if k != "kernel_size"} | {"strides": [1] * 3, "dilation_rate": [1] * 3}
    kinds: list[tuple[str, dict[str, Any], tuple[int, ...], tuple[str, ...]]] = [
        ("Conv3D", there | {"kernel_size": [2, 1, 2]} | DENSE, (2, 3, 3, 3, 2), ("kernel", "bias")),
        ("Conv2DTranspose", window | DENSE, (2, 3, 3, 2), ("kernel", "bias")),
        ("ConvLSTM2D", window | RNN, (2, 3, 4, 4, 2), ("kernel", "recurrent_kernel", "bias")),
    ]
    for kind, arguments, shape, names in kinds:
        model = polykeras.Sequential([layers.Input(shape[1:]), getattr(layers, kind)(3, arguments["kernel_size"])])
        stored = [data(*w.shape, seed=i) for i, w in enumerate(model.weights)]
        config = sequential(layer(kind, "l", filters=3, batch_input_shape=[None, *shape[1:]], **arguments))
        file = write_model(tmp_path / f"{kind}.h5", config, {"l": named("l", *stored, names=names)}, "2.3.1", writer)
        rank = len(arguments["kernel_size"])
        turned = [np.flip(w, tuple(range(rank))) if w.ndim > rank else w for w in stored]
        model.set_weights(turned if writer == "theano" else stored)
        x = data(*shape)
        np.testing.assert_allclose(host(load_model(file)(x)), host(model(x)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("first", [False, True])
def test_kernels_of_deconvolutions_of_keras_1(tmp_path: Path, first: bool) -> None:
    """Keras 1 kept `(rows, columns, inputs, outputs)`, channels first `(outputs, inputs, rows, columns)`."""
    data_format = "channels_first" if first else "channels_last"
    model = polykeras.Sequential([layers.Input((3, 3, 3)), layers.Conv2DTranspose(3, 2, data_format=data_format)])
    kernel, bias = data(2, 2, 3, 3, seed=1), data(3, seed=2)
    stored = kernel.transpose(2, 3, 0, 1) if first else kernel.transpose(0, 1, 3, 2)
    name = model.layers[-1].name
    config = sequential(layer("Dense", name, units=1, batch_input_shape=[None, 1], **DENSE))  # weights alone are read
    file = write_model(tmp_path / "m.h5", config, {name: named(name, stored, bias)}, "1.2.2", "tensorflow")
    model.load_weights(file)
    np.testing.assert_array_equal(model.get_weights()[0], kernel)


def cudnn(w: dict[str, np.ndarray], names: str, second: np.ndarray) -> list[np.ndarray]:
    """Return weights as layers of NVIDIA's library kept them.

    The library takes the matrices of gates as `(units, features)`, row by row; the memory of each was put into an
    array of the other shape. It has two biases, which it adds.
    """
    kernel = np.concatenate([w[f"W_{k}"].T.ravel().reshape(w[f"W_{k}"].shape) for k in names], axis=1)
    recurrent = np.concatenate([w[f"U_{k}"].T for k in names], axis=1)
    return [kernel, recurrent, np.concatenate([*(w[f"b_{k}"] for k in names), second])]


def test_cudnn_lstm(backend: Backend, tmp_path: Path) -> None:
    w, second = gates("ifco", 3, 4), data(16, seed=3)
    names = ("kernel", "recurrent_kernel", "bias")
    config = sequential(layer("CuDNNLSTM", "l", units=4, unit_forget_bias=True, batch_input_shape=[None, 5, 3], **RNN))
    stored = cudnn(w, "ifco", second)
    model = load_model(write_model(tmp_path / "m.h5", config, {"l": named("l", *stored, names=names)}))
    both = dict(w)
    for i, k in enumerate("ifco"):
        both[f"b_{k}"] = w[f"b_{k}"] + second[4 * i : 4 * i + 4]
    x = data(2, 5, 3)
    np.testing.assert_allclose(host(model(x)), lstm(x, both, sigmoid), rtol=1e-4, atol=1e-5)


def test_cudnn_gru_in_a_bidirectional_layer(backend: Backend, tmp_path: Path) -> None:
    x = data(2, 5, 3)
    stored: list[np.ndarray] = []
    halves = []
    for seed, sequence in ((1, x), (2, x[:, ::-1])):
        w, second = gates("zrh", 3, 2, seed), data(6, seed=seed)
        stored += cudnn(w, "zrh", second)
        h = np.zeros((2, 2))
        for t in range(5):
            xs = [sequence[:, t] @ w[f"W_{k}"] + w[f"b_{k}"] for k in "zrh"]
            hs = [h @ w[f"U_{k}"] + second[2 * i : 2 * i + 2] for i, k in enumerate("zrh")]
            z, r = sigmoid(xs[0] + hs[0]), sigmoid(xs[1] + hs[1])
            h = z * h + (1 - z) * np.tanh(xs[2] + r * hs[2])
        halves.append(h)
    config = sequential(
        layer(
            "Bidirectional",
            "b",
            layer=layer("CuDNNGRU", "g", units=2, **RNN),
            merge_mode="concat",
            batch_input_shape=[None, 5, 3],
        )
    )
    arrays = [(f"{i}/weight:0", array) for i, array in enumerate(stored)]
    model = load_model(write_model(tmp_path / "m.h5", config, {"b": arrays}))
    np.testing.assert_allclose(host(model(x)), np.concatenate(halves, -1), rtol=1e-4, atol=1e-5)


def test_gru_without_reset_after(tmp_path: Path) -> None:
    """Before there was a choice the gate came before the product with the state."""
    w = gates("zrh", 3, 4)
    stored = [np.concatenate([w[f"{k}_{g}"] for g in "zrh"], -1) for k in "WUb"]
    config = sequential(layer("GRU", "g", units=4, batch_input_shape=[None, 5, 3], **GATED))
    path = write_model(
        tmp_path / "m.h5", config, {"g": named("g", *stored, names=("kernel", "recurrent_kernel", "bias"))}, "2.1.5"
    )
    x = data(2, 5, 3)
    with polykeras.use_backend("numpy"):
        model = load_model(path)
        np.testing.assert_allclose(host(model(x)), gru(x, w), rtol=1e-4, atol=1e-5)


def test_cells_and_wrappers(tmp_path: Path) -> None:
    first, second = gates("ifco", 3, 2, seed=1), gates("ifco", 2, 2, seed=2)
    cells = [layer("LSTMCell", f"cell_{i}", units=2, unit_forget_bias=True,
                   **{k: v for k, v in GATED.items() if k in layers.LSTMCell(2).get_config() or k == "implementation"})
             for i in (0, 1)]  # fmt: skip
    for cell in cells:
        cell["config"].pop("activity_regularizer", None)
    w, b = affine(3, 2, 3)
    stacked = {"class_name": "StackedRNNCells", "config": {"cells": cells}}
    options = {
        "return_sequences": True,
        "return_state": False,
        "go_backwards": False,
        "stateful": False,
        "unroll": False,
    }
    config = sequential(
        layer("RNN", "r", cell=stacked, batch_input_shape=[None, 4, 3], **options),
        layer("TimeDistributed", "t", layer=layer("Dense", "d", units=3, **DENSE)),
        layer("GlobalMaxPooling1D", "p"),
    )
    arrays = [
        (f"{i}/{k}", np.concatenate([cell[f"{k}_{g}"] for g in "ifco"], -1))
        for i, cell in enumerate((first, second))
        for k in "WUb"
    ]
    path = write_model(tmp_path / "m.h5", config, {"r": arrays, "t": named("t", w, b), "p": []})
    x = data(2, 4, 3)
    lower = np.stack([lstm(x[:, :t], first) for t in range(1, 5)], axis=1)
    upper = np.stack([lstm(lower[:, :t], second) for t in range(1, 5)], axis=1)
    with polykeras.use_backend("numpy"):
        model = load_model(path)
        np.testing.assert_allclose(host(model(x)), (upper @ w + b).max(axis=1), rtol=1e-4, atol=1e-5)


def test_frozen_layers_in_a_nested_model(tmp_path: Path) -> None:
    """What is frozen comes last, as those who wrote the file saw it."""
    inner = sequential(
        layer("Dense", "a", units=3, batch_input_shape=[None, 3], **DENSE),
        layer("Dense", "b", units=3, **DENSE),
    )
    inner["config"][0]["config"]["trainable"] = False
    config = sequential(inner)
    (wa, ba), (wb, bb) = affine(1, 3, 3), affine(2, 3, 3)
    arrays = [("b/kernel:0", wb), ("b/bias:0", bb), ("a/kernel:0", wa), ("a/bias:0", ba)]
    path = write_model(tmp_path / "m.h5", config, {"sequential_1": arrays})
    x = data(2, 3)
    with polykeras.use_backend("numpy"):
        model = load_model(path)
        np.testing.assert_allclose(host(model(x)), (x @ wa + ba) @ wb + bb, rtol=1e-4, atol=1e-5)
        assert len(model.trainable_weights) == 2
