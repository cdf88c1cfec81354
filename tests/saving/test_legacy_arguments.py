"""Arguments of layers of Keras 2, configs that cannot be read, and what of a model is the user's own."""

from __future__ import annotations

import base64
import marshal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import data, host
from polykeras import layers
from polykeras.saving import SavedFileError, load_model
from saving.legacy_configs import DENSE, GATED, affine, entry, graph
from saving.legacy_writer import (
    hard_sigmoid,
    layer,
    named,
    node,
    sequential,
    write_model,
)


def test_arguments_of_old_versions(tmp_path: Path) -> None:
    policy = {
        "class_name": "Policy",
        "config": {"name": "mixed_float16", "loss_scale": {"class_name": "DynamicLossScale"}},
    }
    initializer = {
        "class_name": "TruncatedNormal",
        "config": {"mean": 0.0, "stddev": 0.1, "seed": None, "dtype": "float32"},
    }
    config = {
        "class_name": "Sequential",
        "config": {
            "name": "old",
            "layers": [
                layer("InputLayer", "x", batch_input_shape=[None, 4], dtype="float32", sparse=False, ragged=False),
                layer(
                    "Dense",
                    "d",
                    units=3,
                    dtype=policy,
                    **DENSE | {"kernel_initializer": initializer, "activation": "hard_sigmoid"},
                ),
                layer("LeakyReLU", "l", alpha={"type": "ndarray", "value": 0.25}),
                layer("ThresholdedReLU", "t", theta=0.6),
                layer(
                    "BatchNormalization", "n", axis=[1], momentum=0.9, epsilon=0.01, fused=None, virtual_batch_size=None
                ),
                layer("Activation", "a", activation="hard_sigmoid"),
            ],
        },
    }
    config["config"]["layers"][0]["config"].pop("trainable")
    w, b = affine(1, 4, 3)
    weights: dict[str, Any] = {"d": named("d", w, b), "l": [], "t": [], "a": []}
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights["n"] = named("n", np.ones(3), np.zeros(3), np.zeros(3), np.ones(3), names=names)
    x = data(6, 4)
    with polykeras.use_backend("numpy"):
        model = load_model(write_model(tmp_path / "m.h5", config, weights, "2.4.0"))
        assert model.name == "old"
        assert model.get_layer("d").dtype_policy.name == "mixed_float16"
        assert model.get_layer("d").kernel_initializer.stddev == 0.1
        assert (model.get_layer("l").negative_slope, model.get_layer("n").axis) == (0.25, 1)
        inner = hard_sigmoid(x @ w + b)
        expected = hard_sigmoid(np.where(inner > 0.6, inner, 0) / np.sqrt(1.01))
        np.testing.assert_allclose(host(model(x)), expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_major": True}, "time_major=True is not supported; only False is"),
        ({"novelty": None}, r"the argument 'novelty' \(None\) is unknown"),
        ({"units": -1}, "units"),
    ],
)
def test_unknown_arguments_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    config = sequential(layer("LSTM", "l", batch_input_shape=[None, 5, 3], **GATED | {"units": 2} | change))
    path = write_model(tmp_path / "m.h5", config, {})
    with pytest.raises(SavedFileError, match=rf"m\.h5: model_config.*{message}"):
        load_model(path)


@pytest.mark.parametrize(
    "config",
    [[], {}, {"class_name": "Dense"}, {"class_name": 3, "config": {}}, {"class_name": "Sequential", "config": 7},
     {"class_name": "Sequential", "config": [3]}, {"class_name": "Model", "config": {"layers": 3, "input_layers": [], "output_layers": []}},
     {"class_name": "Dense", "config": {"units": 3, "name": "d"}}],
)  # fmt: skip
def test_configs_that_describe_no_model(tmp_path: Path, config: Any) -> None:
    with pytest.raises(SavedFileError, match=r"m\.h5: model_config"):
        load_model(write_model(tmp_path / "m.h5", config, {}))


def test_ops_of_tensorflow_are_refused(tmp_path: Path) -> None:
    op = node("TFOpLambda", "tf.math.add", ["x", 0, 0, {"y": 2.0, "name": None}], dtype="float32", function="math.add")
    config = graph([entry("x", [None, 2]), op], [["x", 0, 0]], [["tf.math.add", 0, 0]])
    with pytest.raises(SavedFileError, match=r"'tf.math.add' \(TFOpLambda\): is an op of TensorFlow \(math.add\)"):
        load_model(write_model(tmp_path / "m.h5", config, {}))


def test_calls_of_what_is_not_there(tmp_path: Path) -> None:
    entries = [entry("x", [None, 2]), node("Dense", "d", [["y", 0, 0, {}]], units=3, **DENSE)]
    path = write_model(tmp_path / "m.h5", graph(entries, [["x", 0, 0]], [["d", 0, 0]]), {})
    with pytest.raises(SavedFileError, match=r"m\.h5: model_config"):
        load_model(path)


# ---- functions and classes of the user's ------------------------------------------------------------


def double(x: Any) -> Any:
    return x * 2


def code_of(function: Any) -> str:
    return base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")


def lambda_model(path: Path, **config: Any) -> str:
    options = {
        "output_shape": [2],
        "output_shape_type": "raw",
        "output_shape_module": None,
        "module": "__main__",
        "arguments": {},
    }
    return write_model(
        path, sequential(layer("Lambda", "f", batch_input_shape=[None, 2], **options | config)), {"f": []}
    )


def test_named_functions_come_from_the_user(tmp_path: Path) -> None:
    path = lambda_model(tmp_path / "m.h5", function="double", function_type="function")
    with pytest.raises(SavedFileError, match=r"'f' \(Lambda\): function: names the function 'double'.*custom_objects"):
        load_model(path, safe_mode=False)
    with polykeras.use_backend("numpy"):
        model = load_model(path, custom_objects={"double": double})
        assert host(model(np.ones((1, 2)))).tolist() == [[2.0, 2.0]]


def test_code_runs_only_where_it_is_allowed(tmp_path: Path) -> None:
    function = lambda x, factor=3.0: x * factor  # noqa: E731
    path = lambda_model(tmp_path / "m.h5", function=[code_of(function), [3.0], None], function_type="lambda")
    with pytest.raises(SavedFileError, match=r"'f' \(Lambda\): function: .*safe_mode=False"):
        load_model(path)
    with polykeras.use_backend("numpy"):
        assert host(load_model(path, safe_mode=False)(np.ones((1, 2)))).tolist() == [[3.0, 3.0]]


# Of `lambda x: x * 2`, as Python 3.6 and 3.8 compiled it.
FOREIGN = {
    "3.6": "4wEAAAAAAAAAAQAAAAIAAABTAAAAcwgAAAB8AGQBFABTACkCTukCAAAAqQApAdoBeHICAAAAcgIAAADaBzxzdGRpbj7aCDxsYW1iZGE+"
    "AQAAAHMAAAAA",
    "3.8": "4wEAAAAAAAAAAAAAAAEAAAACAAAAUwAAAHMIAAAAfABkARQAUwApAk7pAgAAAKkAKQHaAXhyAgAAAHICAAAA+gc8c3RkaW4+2gg8bGFt"
    "YmRhPgEAAADzAAAAAA==",
    "none": "bm90IGNvZGU=",
}


@pytest.mark.parametrize("version", FOREIGN)
def test_code_of_another_python_is_refused(tmp_path: Path, version: str) -> None:
    path = lambda_model(tmp_path / "m.h5", function=[FOREIGN[version], None, None], function_type="lambda")
    with pytest.raises(SavedFileError, match="not made by this version of Python"):
        load_model(path, safe_mode=False)
    with polykeras.use_backend("numpy"):
        model = load_model(path, custom_objects={"f": double})  # which is the layer's name
        assert host(model(np.ones((1, 2)))).tolist() == [[2.0, 2.0]]


def test_code_with_the_opcodes_of_another_python_is_refused(tmp_path: Path) -> None:
    code = double.__code__
    stranger = code.replace(co_code=bytes([124, 0, 100, 1, 20, 0, 83, 0]), co_consts=(None, 2), co_stacksize=2)
    text = base64.encodebytes(marshal.dumps(stranger)).decode("ascii")  # of Python 3.8, in the frame of today
    path = lambda_model(tmp_path / "m.h5", function=[text, None, None], function_type="lambda")
    with pytest.raises(SavedFileError, match="not made by this version of Python"):
        load_model(path, safe_mode=False)


def test_custom_layers(tmp_path: Path) -> None:
    class Scale(layers.Layer):
        def __init__(self, by: float = 1.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.by = by

        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight((), "ones", name="factor")

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor * self.by

    config = sequential(layer("Scale", "s", by=2.0, batch_input_shape=[None, 2], dtype="float32"))
    path = write_model(tmp_path / "m.h5", config, {"s": [("factor:0", np.float32(5.0))]})
    with pytest.raises(SavedFileError, match=r"layers\[0\]: 's' \(Scale\): .*Unknown layer 'Scale'"):
        load_model(path)
    with polykeras.use_backend("numpy"):
        model = load_model(path, custom_objects={"Scale": Scale})
        assert host(model(np.ones((1, 2)))).tolist() == [[10.0, 10.0]]
