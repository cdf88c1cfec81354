"""Files that Keras 3 reads and writes: ours there, its own here, on each of its frameworks.

Keras runs in a process of its own, once a framework for all models together.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from helpers.slices import selected
from polykeras.backend import use_backend
from polykeras.common import nested
from saving.exchange_cases import CASES, MODELS, of_layer, perceptron

FRAMEWORKS = [name for name in ("jax", "torch", "tensorflow") if find_spec(name)]
pytestmark = [pytest.mark.slow, pytest.mark.keras]

WEIGHTS = (".weights.h5", ".weights.json")
OPTIMIZERS = ("sgd", "adam", "rmsprop", "adagrad", "adamw", "nadam")

TOLERANCE = {"rtol": 2e-4, "atol": 2e-5}
"""Two libraries add in two orders; float16 in one model has a looser bound of its own."""


KERAS_DIFFERS = {
    ("torch", "AveragePooling2D-1x5x5x2"): "on PyTorch Keras counts the padding in averages",
    ("torch", "UpSampling2D-bicubic first-1x2x3x4"): "PyTorch's bicubic kernel has another coefficient",
    ("torch", "UpSampling2D-lanczos-1x3x3x1"): "Keras has no Lanczos kernel on PyTorch",
    ("tensorflow", "SeparableConv2D-first-1x2x4x4"): "on TensorFlow Keras is off by a part of the bias, channels first",
    ("tensorflow", "Conv3D-first groups-1x2x3x2x3"): "on TensorFlow Keras is off by a part of the bias, channels first",
    ("tensorflow", "DepthwiseConv1D-first-2x3x5"): "on TensorFlow Keras is off by a part of the bias, channels first",
    ("jax", "ConvLSTM1D-first mask-2x4x2x3"): "on JAX Keras lays a mask beside the last axes of such states",
    ("jax", "ConvLSTM1D-state mask-2x4x5x2"): "on JAX Keras lays a mask beside the last axes of such states",
    (
        "torch",
        "CategoryEncoding-some outside-2x3",
    ): "on PyTorch Keras refuses what is outside, elsewhere it leaves it out",
    (
        "torch",
        "ContrastLimitedAdaptiveHistogramEqualization-2x6x7x3",
    ): "on PyTorch Keras counts, and limits, in integers",
    ("torch", "LSTM-backwards mask-2x4x2"): "Keras fails on PyTorch at a mask and unroll=True",
}
"""Where Keras computes something else on one framework than on the others; one that vanishes fails the run."""


def _predicted(model: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    structure = nested.flatten_with_def(model.input)[1]
    outputs = model(nested.unflatten(structure, inputs), training=False)
    return [keras.ops.convert_to_numpy(y) for y in nested.flatten(outputs)]


def _save(folder: Path, name: str, model: Any, inputs: list[np.ndarray]) -> None:
    np.savez(folder / f"{name}.inputs.npz", **{str(i): x for i, x in enumerate(inputs)})
    model.save(folder / f"{name}.keras")


class Exchange:
    """What came back from Keras on one framework.

    Attributes:
        framework: its name.
        folder: where the files are.
        failed: what Keras could not read, by name.
    """

    def __init__(self, framework: str, folder: Path, names: set[str]) -> None:
        self.framework = framework
        self.folder = folder
        self.models: dict[str, tuple[str, Any, list[np.ndarray]]] = {}
        with use_backend("numpy"):
            for i, (name, case) in enumerate(CASES.items()):
                if name in names:
                    self._add(f"{i}", name, *of_layer(case))
            for name in [name for name in MODELS if name in names]:
                self._add(name.replace(" ", "_"), name, *MODELS[name]())
                for suffix in WEIGHTS:
                    file, model, _ = self.models[name]
                    model.save_weights(folder / f"{file}{suffix}")
            self._add_compiled([name for name in OPTIMIZERS if name in names])
        # On processors without AVX-512 TensorFlow leaves oneDNN out, without which it has no convolution that Keras calls
        # for channels that come first.
        environment = os.environ | {
            "KERAS_BACKEND": framework,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_ENABLE_ONEDNN_OPTS": "1",
        }
        script = Path(__file__).with_name("keras_side.py")
        run = subprocess.run(
            [sys.executable, str(script), str(folder)], env=environment, capture_output=True, text=True, timeout=900
        )
        assert run.returncode == 0, run.stderr[-3000:]
        self.failed = json.loads(run.stdout.splitlines()[-1])

    def _add(self, file: str, name: str, model: Any, inputs: list[np.ndarray]) -> None:
        _shake(model)
        _save(self.folder, file, model, inputs)
        self.models[name] = (file, model, inputs)

    def _add_compiled(self, optimizers: set[str]) -> None:
        for optimizer in optimizers:
            model, (x,) = perceptron()
            model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
            labels = np.arange(len(x)) % 3
            model.train_on_batch(x, labels)
            np.savez(self.folder / f"{optimizer}.labels.npz", **{"0": labels})
            self._add(optimizer, optimizer, model, [x])


def _shake(model: Any) -> None:
    """Make weights that begin as zeros or ones differ, so that none can be taken for another."""
    rng = np.random.default_rng(1)
    for variable in model.weights:
        if variable.dtype.startswith("float"):
            variable.assign(np.abs(variable.numpy() + rng.uniform(0.01, 0.1, variable.shape)))


@pytest.fixture(scope="module", params=FRAMEWORKS)
def exchange(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    return Exchange(request.param, tmp_path_factory.mktemp(request.param), selected(request, "name"))


def _compare_there(exchange: Exchange, file: str, expected: list[np.ndarray], tolerance: dict[str, float]) -> None:
    """Compare what Keras predicts with our file."""
    assert file not in exchange.failed, exchange.failed[file]
    with np.load(exchange.folder / f"{file}.outputs.npz") as theirs:
        for i, value in enumerate(expected):
            np.testing.assert_allclose(theirs[str(i)], value, **tolerance)


@pytest.mark.parametrize("name", [*CASES, *MODELS])
def test_keras_reads_ours_and_we_read_its_own(exchange: Exchange, name: str) -> None:
    file, model, inputs = exchange.models[name]
    if (exchange.framework, name) in KERAS_DIFFERS:
        if file in exchange.failed:
            assert any(word in exchange.failed[file] for word in ("LSTM.call", "Lanczos", "Class values must be"))
            return
        with use_backend("numpy"), pytest.raises(AssertionError, match="Not equal to tolerance"):
            _compare_there(exchange, file, _predicted(model, inputs), TOLERANCE)
        return
    tolerance = {"rtol": 2e-2, "atol": 2e-3} if name == "mixed" else TOLERANCE
    with use_backend("numpy"):
        expected = _predicted(model, inputs)
        _compare_there(exchange, file, expected, tolerance)
        back = keras.saving.load_model(exchange.folder / f"{file}.back.keras")
        for found, value in zip(_predicted(back, inputs), expected, strict=True):
            np.testing.assert_allclose(found, value, **tolerance)
        assert [v.shape for v in back.weights] == [v.shape for v in model.weights]


@pytest.mark.parametrize("suffix", WEIGHTS)
@pytest.mark.parametrize("name", MODELS)
def test_weights_go_there_and_back(exchange: Exchange, name: str, suffix: str) -> None:
    file, model, inputs = exchange.models[name]
    assert file not in exchange.failed, exchange.failed[file]
    tolerance = {"rtol": 2e-2, "atol": 2e-3} if name == "mixed" else TOLERANCE
    with use_backend("numpy"):
        expected = _predicted(model, inputs)
        with np.load(exchange.folder / f"{file}{suffix}.outputs.npz") as theirs:
            for i, value in enumerate(expected):
                np.testing.assert_allclose(theirs[str(i)], value, **tolerance)
        back = keras.models.model_from_json(model.to_json())  # in which a shared layer is one again
        back.load_weights(exchange.folder / f"{file}_back{suffix}")
        for found, value in zip(back.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_from_file_to_file(exchange: Exchange, name: str) -> None:
    """Ours trains a step, Keras one, ours one again: as ours would have alone."""
    file, model, (x,) = exchange.models[name]
    assert file not in exchange.failed, exchange.failed[file]
    labels = np.arange(len(x)) % 3
    with use_backend("numpy"), warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = keras.saving.load_model(exchange.folder / f"{file}.keras")
        assert type(alone.optimizer) is type(model.optimizer)
        alone.train_on_batch(x, labels)
        back = keras.saving.load_model(exchange.folder / f"{file}.back.keras")
        assert int(back.optimizer.iterations) == int(alone.optimizer.iterations) == 2
        for _ in range(2):
            for found, value in zip(back.weights, alone.weights, strict=True):
                np.testing.assert_allclose(found.numpy(), value.numpy(), rtol=2e-4, atol=2e-5)
            for each in (back, alone):
                each.reset_metrics()
            assert back.train_on_batch(x, labels) == pytest.approx(alone.train_on_batch(x, labels), rel=1e-3)
