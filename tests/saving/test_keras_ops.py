"""Ops in the graphs of files: which of them Keras has, and what becomes of the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.backend import Backend
from polykeras.common.release import KERAS_RELEASE
from polykeras.models import keras_ops
from polykeras.saving.keras_operations import CLASSES, class_of

LISTING = """
import importlib, inspect, json, pkgutil
import keras
from keras.src import ops
from keras.src.ops.operation import Operation

found = {}
for info in pkgutil.iter_modules(ops.__path__):
    if info.name.endswith("_test") or info.name in ("operation", "function"):
        continue
    module = importlib.import_module(f"keras.src.ops.{info.name}")
    for name, cls in vars(module).items():
        if inspect.isclass(cls) and issubclass(cls, Operation) and cls.__module__ == module.__name__:
            parameters = [list(inspect.signature(method).parameters)[1:] for method in (cls.__init__, cls.call)]
            defaults = {p.name: p.default for p in inspect.signature(cls.__init__).parameters.values()}
            plain = {name: value for name, value in defaults.items() if isinstance(value, (int, float, str, type(None)))}
            found[name] = [module.__name__, *parameters, plain]
print(json.dumps([keras.__version__, found]))
"""
"""What Keras's operation classes are called, where they are, and which arguments they and their calls take."""


@pytest.fixture(scope="module")
def installed() -> tuple[str, dict[str, Any]]:
    """The version of the installed Keras, and its operation classes."""
    environment = os.environ | {"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run([sys.executable, "-c", LISTING], env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    return tuple(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.keras
def test_the_installed_keras_agrees(installed: tuple[str, dict[str, Any]]) -> None:
    version, found = installed
    theirs = {name: module for name, (module, *_) in found.items()}
    assert CLASSES.items() <= theirs.items()
    if version.split(".")[:2] == KERAS_RELEASE.split(".")[:2]:
        assert theirs == CLASSES


@pytest.mark.keras
def test_keras_takes_the_arguments_of_each_op(installed: tuple[str, dict[str, Any]]) -> None:
    _, found = installed
    checked = 0
    for op in (*dir(ops), *(f"image.{name}" for name in ops.image.__all__)):
        inputs, cls = keras_ops._inputs(op), class_of(op)
        if inputs is None or cls is None or op in keras_ops._OTHER_FORMS:
            continue
        _, init, call, defaults = found[cls]
        given = {name for name in keras_ops.signature_of(op).parameters if name not in inputs}
        assert given - {"kwargs"} - set(init) == set(keras_ops._NEWER.get(op, ())), op
        lacks = {
            name: defaults[name]
            for name in init
            if name != "name" and name not in keras_ops.signature_of(op).parameters
        }
        assert lacks == keras_ops._LACKS.get(op, {}), op
        assert op == "meshgrid" or list(inputs) == call[: len(inputs)], op
        checked += 1
    assert checked > 250


# Each as a user may call it, on a tensor of shape (None, 4, 4).
LACKING: dict[str, Callable[[Any], Any]] = {
    "amax": lambda x: ops.amax(x, axis=1, initial=0.5),
    "matrix_power": lambda x: ops.matrix_power(x, 2),
    "normalize_batch": lambda x: ops.normalize_batch(x)[0],
    "rearrange": lambda x: ops.rearrange(x, "b h w -> b (h w)"),
}


def _model(name: str) -> Any:
    x = keras.Input((4, 4))
    return keras.Model(x, LACKING[name](x))


def test_a_name_is_no_class() -> None:
    """What was taken for classes of Keras once, by their names."""
    for op in ("lstm", "gru", "normalize_batch", "matrix_power", "rearrange", "eye", "my_own"):
        assert keras_ops.to_keras(op, op, [(["x"], {})]) is None
    assert class_of("expand_dims") == "ExpandDims"
    assert [class_of(op) for op in ("isin", "cdist", "fft2", "swish", "layer_normalization")] == [
        *("IsIn", "CDist", "FFT2", "Silu", "LayerNorm")
    ]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", LACKING)
def test_files_that_keras_cannot_read_say_so(backend: Backend, name: str, suffix: str, tmp_path: Path) -> None:
    model, path = _model(name), tmp_path / f"model{suffix}"
    outer = keras.Model(model.input, layers.Flatten()(model(model.input)) * 2.0)
    x = np.random.default_rng(0).normal(size=(3, 4, 4)).astype("float32")
    for one in (model, outer):
        with pytest.warns(UserWarning, match=rf"polykeras can read this file, but Keras cannot: '.*' has .* {name} "):
            one.save(path)
        back = keras.saving.load_model(path)
        np.testing.assert_allclose(back(x), one(x), rtol=1e-6)
        assert [x.name for x in back.operations] == [x.name for x in one.operations]


def test_a_newer_argument_that_says_nothing_is_left_out() -> None:
    x = keras.Input((4,))
    entry = keras.Model(x, ops.top_k(x, 2, is_stable=True)).get_config()["layers"][1]
    assert (entry["class_name"], sorted(entry["config"])) == ("TopK", ["k", "name"])


def test_configs_are_made_without_a_warning() -> None:
    model = _model("matrix_power")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        twin = keras.models.model_from_json(model.to_json())
        assert type(model).from_config(model.get_config()).output_shape == twin.output_shape == (None, 4, 4)


def test_a_layer_with_an_attribute_op_is_no_op() -> None:
    class Holder(layers.Layer):
        op = "add"

        def call(self, x: Any) -> Any:
            return x

    x = keras.Input((3,))
    entry = keras.Model(x, Holder()(x)).get_config()["layers"][1]
    assert entry["class_name"] == "Holder"


def test_an_op_called_again_keeps_its_calls(backend: Backend) -> None:
    """A model cut out of another one calls the same operations, and may be joined with it again."""
    x = keras.Input((3,))
    middle = layers.Dense(3)(x)
    end = ops.clip(middle, -0.5, 0.5)
    part = keras.Model(middle, end)
    both = keras.Model([x, part.input], end + part.output)
    arrays = [np.full((2, 3), value, "float32") for value in (0.3, 0.4)]
    twin = keras.Model.from_config(json.loads(json.dumps(both.get_config())))
    twin.set_weights(both.get_weights())
    np.testing.assert_allclose(twin(arrays), both(arrays), rtol=1e-6)


def test_arguments_that_our_ops_lack_are_refused_where_they_say_something() -> None:
    x = keras.Input((4,))
    config = keras.Model(x, ops.layer_normalization(x)).get_config()
    entry = next(e for e in config["layers"] if e["class_name"] == "LayerNorm")
    entry["config"]["rms_scaling"] = False
    assert keras.Model.from_config(config).output_shape == (None, 4)
    for name, value in (("rms_scaling", True), ("synchronized", False), ("dtype", "float16")):
        entry["config"] = {"name": "layer_norm", name: value}
        with pytest.raises((TypeError, ValueError), match=name):
            keras.Model.from_config(config)
