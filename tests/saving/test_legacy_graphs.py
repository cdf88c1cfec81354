"""Graphs of Keras 2: shared layers, models in models, tensors among the arguments of calls, the order of layers."""

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
from saving.legacy_configs import DENSE, GATED, SCALED, ZEROS, affine, entry, graph
from saving.legacy_writer import (
    gates,
    hard_sigmoid,
    named,
    node,
    write_model,
)


@pytest.mark.parametrize("first", [0, 1])
def test_shared_layers_and_nested_models(backend: Backend, tmp_path: Path, first: int) -> None:
    """A model was counted as called once when it was made: its calls begin with 1, in most versions."""
    norm = {"axis": [-1] if first else -1, "momentum": 0.99, "epsilon": 0.001, "center": True, "scale": True}
    inner = graph(
        [
            entry("input_9", [None, 3]),
            node("Dense", "inner_dense", [["input_9", 0, 0, {}]], units=3, **DENSE | {"activation": "relu"}),
            node("BatchNormalization", "inner_norm", [["inner_dense", 0, 0, {}]], **norm),
            node("Dense", "inner_last", [["inner_norm", 0, 0, {}]], units=3, **DENSE),
        ],
        [["input_9", 0, 0]],
        [["inner_last", 0, 0]],
        "inner",
    )
    calls = [[["shared", 0, 0, {}]], [["shared", 1, 0, {}]]]
    config = graph(
        [
            entry("input_1", [None, 4]),
            entry("input_2", [None, 4]),
            node("Dense", "shared", [["input_1", 0, 0, {}]], [["input_2", 0, 0, {}]], units=3, **DENSE),
            inner | {"name": "inner", "inbound_nodes": calls},
            node("Concatenate", "joined", [["inner", first, 0, {}], ["shared", 1, 0, {}]], axis=-1),
        ],
        [["input_1", 0, 0], ["input_2", 0, 0]],
        [["joined", 0, 0], ["inner", first + 1, 0]],
    )
    (ws, bs), (wi, bi), (wl, bl) = affine(1, 4, 3), affine(2, 3, 3), affine(3, 3, 3)
    gamma, beta, mean, variance = data(3, seed=4), data(3, seed=5), data(3, seed=6), np.abs(data(3, seed=7)) + 0.5
    trained = [("inner_dense/kernel:0", wi), ("inner_dense/bias:0", bi), ("inner_norm/gamma:0", gamma),
               ("inner_norm/beta:0", beta), ("inner_last/kernel:0", wl), ("inner_last/bias:0", bl)]  # fmt: skip
    moving = [("inner_norm/moving_mean:0", mean), ("inner_norm/moving_variance:0", variance)]
    weights: dict[str, Any] = {"input_1": [], "input_2": [], "shared": named("shared", ws, bs)}
    weights |= {"inner": trained + moving, "joined": []}
    path = write_model(tmp_path / "m.h5", config, weights, "2.2.4", chunks=2)
    model = load_model(path)
    a, b = data(5, 4, seed=8), data(5, 4, seed=9)

    def nested(x: np.ndarray) -> np.ndarray:
        x = (np.maximum(x @ wi + bi, 0) - mean) / np.sqrt(variance + 0.001) * gamma + beta
        return x @ wl + bl

    results = model([a, b], training=False)
    expected = [np.concatenate([nested(a @ ws + bs), b @ ws + bs], -1), nested(b @ ws + bs)]
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(host(result), value, rtol=1e-4, atol=1e-4)
    assert model.name == "model_1"
    assert [layer.name for layer in model.get_layer("inner").layers][1:] == ["inner_dense", "inner_norm", "inner_last"]


def test_one_output_is_an_array(tmp_path: Path) -> None:
    w, b = affine(1, 2, 3)
    entries = [entry("x", [None, 2]), node("Dense", "d", [["x", 0, 0, {}]], units=3, **DENSE)]
    path = write_model(tmp_path / "m.h5", graph(entries, [["x", 0, 0]], [["d", 0, 0]]), {"d": named("d", w, b)})
    with polykeras.use_backend("numpy"):
        x = data(4, 2)
        result = load_model(path).predict(x, verbose=0)
    np.testing.assert_allclose(result, x @ w + b, rtol=1e-5, atol=1e-6)


def test_arguments_of_calls_that_name_tensors(tmp_path: Path) -> None:
    """States of a recurrent layer beside its input (Keras 2) or by name (tf.keras), attention, constants."""
    w = gates("ifco", 3, 2)
    kernel, recurrent, bias = (np.concatenate([w[f"{k}_{g}"] for g in "ifco"], -1) for k in "WUb")
    options = GATED | {"units": 2, "unit_forget_bias": True, "return_state": False}
    attention = {"num_heads": 2, "key_dim": 2, "value_dim": 2, "dropout": 0.0, "use_bias": True, "output_shape": None,
                 "attention_axes": [1], "query_shape": [None, 4, 3], "key_shape": [None, 4, 3],
                 "value_shape": [None, 4, 3], "kernel_initializer": SCALED, "bias_initializer": ZEROS}  # fmt: skip
    config = graph(
        [
            entry("x", [None, 4, 3]),
            entry("h", [None, 2]),
            entry("c", [None, 2]),
            node("LSTM", "beside", [["x", 0, 0, {}], ["h", 0, 0, {}], ["c", 0, 0, {}]], **options),
            node(
                "LSTM", "by_name",
                [["x", 0, 0, {"initial_state": [["h", 0, 0], ["c", 0, 0]], "mask": None}]], **options,
            ),
            node("MultiHeadAttention", "attention", [["x", 0, 0, {"value": ["x", 0, 0], "training": False}]], **attention),
        ],
        [["x", 0, 0], ["h", 0, 0], ["c", 0, 0]],
        [["beside", 0, 0], ["by_name", 0, 0], ["attention", 0, 0]],
        class_name="Functional",
    )  # fmt: skip
    names = ("lstm_cell/kernel", "lstm_cell/recurrent_kernel", "lstm_cell/bias")
    projections = [data(3, 2, 2, seed=i) for i in (1, 2, 3)] + [data(2, 2, 3, seed=4)]
    biases = [data(2, 2, seed=i) for i in (5, 6, 7)] + [data(3, seed=8)]
    stored = [
        (f"{i}/{k}", a)
        for i, pair in enumerate(zip(projections, biases, strict=True))
        for k, a in zip("kb", pair, strict=True)
    ]
    weights: dict[str, Any] = {"x": [], "h": [], "c": [], "attention": stored}
    weights |= {name: named(name, kernel, recurrent, bias, names=names) for name in ("beside", "by_name")}
    path = write_model(tmp_path / "m.h5", config, weights, "2.4.0")
    x, h, c = data(2, 4, 3), data(2, 2, seed=1), data(2, 2, seed=2)
    with polykeras.use_backend("numpy"):
        beside, by_name, attended = map(host, load_model(path)([x, h, c]))
    for t in range(4):
        i, f, g, o = (x[:, t] @ w[f"W_{k}"] + h @ w[f"U_{k}"] + w[f"b_{k}"] for k in "ifco")
        c = hard_sigmoid(f) * c + hard_sigmoid(i) * np.tanh(g)
        h = hard_sigmoid(o) * np.tanh(c)
    np.testing.assert_allclose(beside, h, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(by_name, beside)
    q, k, v = (np.einsum("btf,fhd->bhtd", x, p) + b[:, None] for p, b in zip(projections[:3], biases[:3], strict=True))
    scores = np.einsum("bhqd,bhkd->bhqk", q, k) / np.sqrt(2.0)
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    expected = np.einsum("bhtd,hdf->btf", shares @ v, projections[3]) + biases[3]
    np.testing.assert_allclose(attended, expected, rtol=1e-4, atol=1e-4)


def test_the_order_of_layers_is_that_of_keras(tmp_path: Path) -> None:
    """Files that know the layers under other names are read by order: those farthest from the outputs come first."""
    x = layers.Input((3,), name="x")
    near = layers.Dense(3, name="near")(x)
    far = layers.Dense(3, name="far")(layers.Dense(3, name="farther")(x))
    with polykeras.use_backend("numpy"):
        model = polykeras.Model(x, layers.Add()([near, far]))
        arrays = {name: affine(seed, 3, 3) for seed, name in enumerate(("a", "b", "c"))}
        path = write_model(tmp_path / "m.h5", {}, {k: named(k, *v) for k, v in arrays.items()})
        model.load_weights(path)
        # `farther` is two steps from the sum; of the two that are one step away `near` is met first.
        for name, stored in (("farther", "a"), ("near", "b"), ("far", "c")):
            np.testing.assert_array_equal(model.get_layer(name).get_weights()[0], arrays[stored][0])
