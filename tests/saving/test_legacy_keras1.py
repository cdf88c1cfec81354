"""Models of Keras 1: its arguments, and the forms of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import data, host
from polykeras import layers
from polykeras.backend import Backend
from polykeras.saving import SavedFileError
from saving.legacy_writer import convolve, gates, gru, layer, lstm, sequential, write_model

DENSE = {
    "init": "glorot_uniform",
    "activation": "linear",
    "W_regularizer": None,
    "b_regularizer": None,
    "activity_regularizer": None,
    "W_constraint": None,
    "b_constraint": None,
    "bias": True,
    "input_dim": None,
}
RECURRENT = {
    "init": "glorot_uniform",
    "inner_init": "orthogonal",
    "activation": "tanh",
    "inner_activation": "hard_sigmoid",
    "W_regularizer": None,
    "U_regularizer": None,
    "b_regularizer": None,
    "dropout_W": 0.0,
    "dropout_U": 0.0,
    "return_sequences": False,
    "go_backwards": False,
    "stateful": False,
    "unroll": False,
    "consume_less": "cpu",
    "input_dim": 3,
    "input_length": None,
}


def load(path: str, **kwargs: Any) -> Any:
    return polykeras.saving.load_model(path, **kwargs)


def keras1(path: Path, config: Any, weights: Any, **kwargs: Any) -> str:
    return write_model(path, config, weights, "1.2.2", None, **kwargs)


def test_dense(backend: Backend, tmp_path: Path) -> None:
    kernel, bias = data(4, 3, seed=1), data(3, seed=2)
    config = sequential(
        layer(
            "Dense", "dense_1", output_dim=3, batch_input_shape=[None, 4], input_dtype="float32",
            **DENSE | {
                "activation": "hard_sigmoid",
                "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01},
                "W_constraint": {"name": "MaxNorm", "m": 2, "axis": 0},
            },
        ),
        layer("Dropout", "dropout_1", p=0.25),
    )  # fmt: skip
    path = keras1(tmp_path / "m.h5", config, {"dense_1": [("dense_1_W", kernel), ("dense_1_b", bias)], "dropout_1": []})
    model = load(path)
    x = data(5, 4)
    np.testing.assert_allclose(host(model(x)), np.clip(0.2 * (x @ kernel + bias) + 0.5, 0, 1), rtol=1e-5, atol=1e-6)
    dense, dropout = model.layers
    assert dropout.rate == 0.25
    assert (type(dense.kernel_regularizer).__name__, dense.kernel_regularizer.l2) == ("L1L2", 0.01)
    assert dense.kernel_constraint.max_value == 2
    assert [float(loss) for loss in model.losses] == pytest.approx([0.01 * float(np.sum(kernel**2))], rel=1e-5)


@pytest.mark.parametrize(("name", "factors"), [("l1", (0.01, 0.0)), ("l2", (0.0, 0.01)), ("l1l2", (0.01, 0.01))])
def test_regularizers_by_name(name: str, factors: tuple[float, float], tmp_path: Path) -> None:
    config = sequential(
        layer("Dense", "d", output_dim=3, batch_input_shape=[None, 4], **DENSE | {"W_regularizer": name})
    )
    weights = {"d": [("d_W", data(4, 3)), ("d_b", data(3))]}
    (dense,) = load(keras1(tmp_path / "m.h5", config, weights)).layers
    found = dense.kernel_regularizer
    assert (getattr(found, "l1", 0.0), getattr(found, "l2", 0.0)) == pytest.approx(factors)


@pytest.mark.parametrize("writer", [None, "theano"])
@pytest.mark.parametrize("ordering", ["th", "tf"])
def test_convolution_2d(backend: Backend, tmp_path: Path, ordering: str, writer: str | None) -> None:
    kernel, bias = data(3, 2, 2, 4, seed=1), data(4, seed=2)  # rows, columns, inputs, outputs
    first = ordering == "th"
    stored = kernel.transpose(3, 2, 0, 1) if first else kernel
    config = sequential(
        layer(
            "Convolution2D", "c", nb_filter=4, nb_row=3, nb_col=2, border_mode="valid", subsample=[1, 1],
            dim_ordering=ordering, batch_input_shape=[None, 2, 5, 5] if first else [None, 5, 5, 2],
            **{k: v for k, v in DENSE.items() if k != "input_dim"},
        ),
        layer("MaxPooling2D", "p", pool_size=[2, 2], strides=[1, 1], border_mode="valid", dim_ordering=ordering),
    )  # fmt: skip
    path = write_model(tmp_path / "m.h5", config, {"c": [("c_W", stored), ("c_b", bias)], "p": []}, "1.2.2", writer)
    x = data(3, 5, 5, 2)
    y = convolve(x, kernel, turned=writer == "theano") + bias
    expected = np.max([y[:, i : i + y.shape[1] - 1, j : j + y.shape[2] - 1] for i in (0, 1) for j in (0, 1)], axis=0)
    result = host(load(path)(x.transpose(0, 3, 1, 2) if first else x))
    result = result.transpose(0, 2, 3, 1) if first else result
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ordering", ["th", "tf"])
def test_kernels_whose_shape_does_not_tell_their_form(tmp_path: Path, ordering: str) -> None:
    stored = data(2, 2, 2, 2)
    config = sequential(
        layer("Convolution2D", "c", nb_filter=2, nb_row=2, nb_col=2, dim_ordering=ordering, border_mode="valid",
              bias=False, batch_input_shape=[None, 2, 2, 2])
    )  # fmt: skip
    with polykeras.use_backend("numpy"):
        model = load(keras1(tmp_path / "m.h5", config, {"c": [("c_W", stored)]}))
    expected = stored.transpose(2, 3, 1, 0) if ordering == "th" else stored
    np.testing.assert_array_equal(model.get_weights()[0], expected)


@pytest.mark.parametrize("form", ["length, 1, inputs, outputs", "outputs, inputs, length, 1"])
@pytest.mark.parametrize("writer", ["tensorflow", "theano"])
def test_convolution_1d(tmp_path: Path, form: str, writer: str) -> None:
    kernel, bias = data(3, 2, 4, seed=1), data(4, seed=2)
    image = kernel[:, None]
    stored = image if form.startswith("length") else image.transpose(3, 2, 0, 1)
    config = sequential(
        layer(
            "Convolution1D", "c", nb_filter=4, filter_length=3, border_mode="valid", subsample_length=1,
            batch_input_shape=[None, 6, 2], **DENSE | {"input_dim": 2, "input_length": 6},
        )
    )  # fmt: skip
    path = write_model(tmp_path / "m.h5", config, {"c": [("c_W", stored), ("c_b", bias)]}, "1.1.0", writer)
    x = data(3, 6, 2)
    expected = convolve(x[:, :, None], image, turned=writer == "theano")[:, :, 0] + bias
    with polykeras.use_backend("numpy"):
        np.testing.assert_allclose(host(load(path)(x)), expected, rtol=1e-4, atol=1e-5)


def test_a_constraint_of_channels_first_names_the_axes_of_today(tmp_path: Path) -> None:
    config = sequential(
        layer(
            "Convolution2D", "c", nb_filter=4, nb_row=3, nb_col=2, dim_ordering="th", border_mode="same",
            batch_input_shape=[None, 2, 5, 5], W_constraint={"name": "UnitNorm", "axis": [1, 2, 3]},
        )
    )  # fmt: skip
    path = keras1(tmp_path / "m.h5", config, {"c": [("W", data(4, 2, 3, 2)), ("b", data(4))]})
    with polykeras.use_backend("numpy"):
        conv = load(path).layers[0]
        norms = np.linalg.norm(host(conv.kernel_constraint(conv.kernel)).reshape(-1, 4), axis=0)
    np.testing.assert_allclose(norms, np.ones(4), rtol=1e-5)  # of each filter


def test_lstm_of_12_arrays(backend: Backend, tmp_path: Path) -> None:
    w = gates("icfo", 3, 4)
    stored = [(f"lstm_1_{kind}_{k}", w[f"{kind}_{k}"]) for k in "icfo" for kind in "WUb"]
    config = sequential(
        layer("LSTM", "lstm_1", output_dim=4, forget_bias_init="one", batch_input_shape=[None, 5, 3], **RECURRENT)
    )
    model = load(keras1(tmp_path / "m.h5", config, {"lstm_1": stored}))
    x = data(2, 5, 3)
    np.testing.assert_allclose(host(model(x)), lstm(x, w), rtol=1e-4, atol=1e-5)


def test_lstm_of_one_kernel(tmp_path: Path) -> None:
    """As it was written with `consume_less="gpu"`."""
    w = gates("ifco", 3, 4)
    stored = [(kind, np.concatenate([w[f"{kind}_{k}"] for k in "ifco"], axis=-1)) for kind in "WUb"]
    options = RECURRENT | {"consume_less": "gpu"}
    config = sequential(
        layer("LSTM", "l", output_dim=4, forget_bias_init="zero", batch_input_shape=[None, 5, 3], **options)
    )
    x = data(2, 5, 3)
    with polykeras.use_backend("numpy"):
        model = load(keras1(tmp_path / "m.h5", config, {"l": stored}))
        np.testing.assert_allclose(host(model(x)), lstm(x, w), rtol=1e-4, atol=1e-5)


def test_gru_of_9_arrays(backend: Backend, tmp_path: Path) -> None:
    w = gates("zrh", 3, 4)
    stored = [(f"gru_1_{kind}_{k}", w[f"{kind}_{k}"]) for k in "zrh" for kind in "WUb"]
    config = sequential(layer("GRU", "gru_1", output_dim=4, batch_input_shape=[None, 5, 3], **RECURRENT))
    model = load(keras1(tmp_path / "m.h5", config, {"gru_1": stored}))
    x = data(2, 5, 3)
    np.testing.assert_allclose(host(model(x)), gru(x, w), rtol=1e-4, atol=1e-5)


def test_bidirectional_holds_the_forward_half_first(tmp_path: Path) -> None:
    forward, backward = gates("icfo", 3, 2, seed=1), gates("icfo", 3, 2, seed=2)
    stored = [
        (f"{d}_{kind}_{k}", w[f"{kind}_{k}"])
        for d, w in (("f", forward), ("b", backward))
        for k in "icfo"
        for kind in "WUb"
    ]
    inner = layer("LSTM", "lstm_1", output_dim=2, forget_bias_init="one", **RECURRENT)
    config = sequential(layer("Bidirectional", "b", layer=inner, merge_mode="concat", batch_input_shape=[None, 5, 3]))
    x = data(2, 5, 3)
    expected = np.concatenate([lstm(x, forward), lstm(x[:, ::-1], backward)], axis=-1)
    with polykeras.use_backend("numpy"):
        model = load(keras1(tmp_path / "m.h5", config, {"b": stored}))
        np.testing.assert_allclose(host(model(x)), expected, rtol=1e-4, atol=1e-5)


def branches(mode: str) -> dict[str, Any]:
    merged = [
        sequential(layer("Dense", f"d{i}", output_dim=3, batch_input_shape=[None, 2 + i], **DENSE)) for i in (0, 1)
    ]
    merge = layer("Merge", "merge_1", layers=merged, mode=mode, mode_type="raw", concat_axis=-1, dot_axes=-1,
                  output_shape=None, output_shape_type="raw", output_mask=None, arguments={})  # fmt: skip
    del merge["config"]["trainable"]
    return sequential(merge, layer("Dense", "last", output_dim=2, **DENSE))


MERGES = {
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    "max": np.maximum,
    "concat": lambda a, b: np.concatenate([a, b], -1),
    "dot": lambda a, b: np.sum(a * b, -1, keepdims=True),
}


@pytest.mark.parametrize("mode", MERGES)
def test_a_sequential_model_of_merged_models(tmp_path: Path, mode: str) -> None:
    width = {"concat": 6, "dot": 1}.get(mode, 3)
    arrays = {"d0": (data(2, 3, seed=1), data(3, seed=2)), "d1": (data(3, 3, seed=3), data(3, seed=4))}
    arrays["last"] = (data(width, 2, seed=5), data(2, seed=6))
    weights = {name: [(f"{name}_W", w), (f"{name}_b", b)] for name, (w, b) in arrays.items()}
    weights = {"d0": weights["d0"], "d1": weights["d1"], "merge_1": [], "last": weights["last"]}
    xs = [data(4, 2), data(4, 3)]
    a, b = (x @ arrays[name][0] + arrays[name][1] for x, name in zip(xs, ("d0", "d1"), strict=True))
    expected = MERGES[mode](a, b) @ arrays["last"][0] + arrays["last"][1]
    with polykeras.use_backend("numpy"):
        model = load(keras1(tmp_path / "m.h5", branches(mode), weights))
        np.testing.assert_allclose(host(model(xs)), expected, rtol=1e-4, atol=1e-5)


def test_unknown_merges_are_refused(tmp_path: Path) -> None:
    path = keras1(tmp_path / "m.h5", branches("cos"), {})
    with pytest.raises(
        SavedFileError, match=r"m\.h5: model_config: .*'merge_1' \(Merge\): merges by 'cos'; known are sum"
    ):
        load(path)


def test_batch_normalization_and_other_arguments(tmp_path: Path) -> None:
    config = sequential(
        layer("Embedding", "e", input_dim=7, output_dim=4, init="uniform", input_length=5, W_regularizer=None,
              activity_regularizer=None, W_constraint={"name": "NonNeg"}, mask_zero=False, dropout=0.0,
              batch_input_shape=[None, 5], input_dtype="int32"),
        layer("BatchNormalization", "n", epsilon=0.001, mode=0, axis=-1, momentum=0.9, gamma_regularizer=None,
              beta_regularizer=None, gamma_init="one", beta_init="zero"),
        layer("GaussianNoise", "g", sigma=0.5),
        layer("ZeroPadding1D", "z", padding=1),
        layer("MaxPooling1D", "m", pool_length=7, stride=7, border_mode="valid"),
        layer("Flatten", "f"),
        layer("LeakyReLU", "r", alpha=0.25),
    )  # fmt: skip
    table = data(7, 4)
    gamma, beta, mean, variance = data(4, seed=1), data(4, seed=2), data(4, seed=3), np.abs(data(4, seed=4)) + 0.5
    weights: dict[str, Any] = {name["config"]["name"]: [] for name in config["config"]}
    weights["e"] = [("e_W", table)]
    weights["n"] = [("n_gamma", gamma), ("n_beta", beta), ("n_running_mean", mean), ("n_running_std", variance)]
    x = np.array([[1, 2, 3, 4, 0], [6, 6, 5, 0, 1]])
    normal = (table[x] - mean) / np.sqrt(variance + 0.001) * gamma + beta
    pooled = np.maximum(normal.max(axis=1), 0)
    with polykeras.use_backend("numpy"):
        model = load(keras1(tmp_path / "m.h5", config, weights))
        np.testing.assert_allclose(host(model(x)), np.where(pooled > 0, pooled, 0.25 * pooled), rtol=1e-4, atol=1e-5)
        assert isinstance(model.layers[0].embeddings_constraint, polykeras.constraints.NonNeg)
        assert model.get_layer("g").stddev == 0.5


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (layer("BatchNormalization", "n", mode=2, batch_input_shape=[None, 3]), "mode=2 is not supported"),
        (layer("Recurrence", "n", output_dim=3, batch_input_shape=[None, 3]), "Unknown layer 'Recurrence'"),
        (layer("Dense", "n", output_dim=3, batch_input_shape=[None, 3], colour=1), r"the argument 'colour' \(1\) is unknown"),
        (
            layer("Dense", "n", output_dim=3, batch_input_shape=[None, 3], W_regularizer={"name": "EigenvalueRegularizer"}),
            "W_regularizer|the regularizer 'EigenvalueRegularizer' no longer exists",
        ),
    ],
)  # fmt: skip
def test_what_is_gone_is_refused_with_its_place(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    path = keras1(tmp_path / "m.h5", sequential(entry), {})
    with pytest.raises(
        SavedFileError, match=rf"m\.h5: model_config: .*layers\[0\]: 'n' \({entry['class_name']}\).*{message}"
    ):
        load(path)


def test_functional_models_with_merge(tmp_path: Path) -> None:
    def dense(name: str, *inbound: Any, **config: Any) -> dict[str, Any]:
        return layer("Dense", name, output_dim=3, **DENSE | config) | {"name": name, "inbound_nodes": list(inbound)}

    inputs = layer("InputLayer", "x", batch_input_shape=[None, 3], input_dtype="float32", sparse=False)
    merge = layer("Merge", "m", mode="sum", concat_axis=-1) | {"name": "m"}
    merge["inbound_nodes"] = [[["shared", 0, 0], ["shared", 1, 0]]]
    entries = [
        inputs | {"name": "x", "inbound_nodes": []},
        dense("shared", [["x", 0, 0]], [["shared", 0, 0]]),
        merge,
    ]
    config = {
        "class_name": "Model",
        "config": {"name": "model_1", "layers": entries, "input_layers": [["x", 0, 0]], "output_layers": [["m", 0, 0]]},
    }
    kernel, bias = data(3, 3, seed=1), data(3, seed=2)
    weights: dict[str, Any] = {"x": [], "shared": [("shared_W", kernel), ("shared_b", bias)], "m": []}
    x = data(4, 3)
    once = x @ kernel + bias
    with polykeras.use_backend("numpy"):
        model = load(keras1(tmp_path / "m.h5", config, weights))
        np.testing.assert_allclose(host(model(x)), once + once @ kernel + bias, rtol=1e-4, atol=1e-5)
        assert len(model.weights) == 2
        assert isinstance(model.get_layer("m"), layers.Add)
