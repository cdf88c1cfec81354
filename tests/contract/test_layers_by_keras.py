"""Layers of attention, normalization and of the core against Keras itself, with the same weights.

`test_layers.py` ties all backends to our numpy backend; here that is held to numbers which we did not compute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polykeras import layers as ours
from polykeras import tree
from polykeras.backend import use_backend

pytestmark = pytest.mark.keras


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    import keras

    return keras


RNG = np.random.default_rng(31)


def X(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


def M(*shape: int) -> np.ndarray:
    mask = RNG.uniform(size=shape) < 0.6
    mask[..., 0] = True  # what is left without a key is another matter
    return mask


Make = Callable[[Any], Any]
LOWER = np.tril(np.ones((1, 3, 4), bool))

CASES: dict[str, tuple[Make, Any, dict[str, Any]]] = {
    "Identity": (lambda L: L.Identity(), X(2, 3), {}),
    "group": (lambda L: L.GroupNormalization(2), X(3, 5, 4), {}),
    "group axis 1": (lambda L: L.GroupNormalization(3, axis=1, scale=False), X(2, 6, 3, 4), {}),
    "group axis -2": (lambda L: L.GroupNormalization(2, axis=-2, center=False), X(2, 6, 3, 4, 2), {}),
    "group instance": (lambda L: L.GroupNormalization(-1, epsilon=1e-2), X(2, 6, 3), {}),
    "group flat": (lambda L: L.GroupNormalization(2), X(3, 6), {}),
    "group half": (lambda L: L.GroupNormalization(2, dtype="mixed_float16"), 300 * X(3, 5, 4), {}),
    "rms": (lambda L: L.RMSNormalization(), X(3, 5, 4), {}),
    "rms epsilon": (lambda L: L.RMSNormalization(epsilon=0.5), X(3, 4), {}),
    "rms half": (lambda L: L.RMSNormalization(dtype="mixed_bfloat16"), X(3, 4), {}),
    "unit": (lambda L: L.UnitNormalization(), X(3, 5, 4), {}),
    "unit axes": (lambda L: L.UnitNormalization([1, 2]), X(3, 5, 4), {}),
    "unit zeros": (lambda L: L.UnitNormalization(1), np.zeros((2, 3), "float32"), {}),
    "einsum": (lambda L: L.EinsumDense("abc,cd->abd", (None, 6), "relu", bias_axes="d"), X(2, 3, 4), {}),
    "einsum heads": (lambda L: L.EinsumDense("abc,cde->abde", (None, 2, 5), bias_axes="de"), X(2, 3, 4), {}),
    "einsum left": (lambda L: L.EinsumDense("...x,xy->...y", 5, bias_axes="y"), X(2, 3, 2, 4), {}),
    "einsum left none": (lambda L: L.EinsumDense("...x,xy->...y", 5, bias_axes="y"), X(2, 4), {}),
    "einsum right": (lambda L: L.EinsumDense("ab...,bc->ac...", 5, bias_axes="c"), X(2, 4, 3, 2), {}),
    "einsum first axis bias": (lambda L: L.EinsumDense("abc,cd->abd", (3, 5), bias_axes="b"), X(2, 3, 4), {}),
    "einsum two bound": (lambda L: L.EinsumDense("abcd,cde->abe", (None, 5), bias_axes="e"), X(2, 3, 4, 2), {}),
    "dense lora": (lambda L: L.Dense(5, "tanh", lora_rank=2, lora_alpha=3.0), X(2, 3, 4), {}),
    "einsum lora": (lambda L: L.EinsumDense("abc,cde->abde", (None, 2, 5), lora_rank=3), X(2, 3, 4), {}),
    "embedding lora": (lambda L: L.Embedding(6, 4, lora_rank=2), np.array([[0, 5], [3, 3]], "int32"), {}),
}


def run(module: Any, make: Make, inputs: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
    layer = make(module)
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    layer(*given, **{k: v for k, v in kwargs.items() if k != "training"})
    rng = np.random.default_rng(5)
    layer.set_weights([rng.standard_normal(w.shape).astype("float32") for w in layer.weights])
    return layer, layer(*given, **kwargs)


@pytest.mark.parametrize("name", CASES)
def test_layer(name: str, theirs: Any) -> None:
    make, inputs, kwargs = CASES[name]
    other, expected = run(theirs.layers, make, inputs, kwargs)
    with use_backend("numpy") as numpy:
        layer, found = run(ours, make, inputs, kwargs)
        assert [(w.name, w.shape, w.dtype) for w in layer.weights] == [
            (w.name, tuple(w.shape), w.dtype) for w in other.weights
        ]
        assert [w.name for w in layer.trainable_weights] == [w.name for w in other.trainable_weights]
        assert type(found) is type(expected) or not isinstance(expected, tuple)
        half = "half" in name
        for a, b in zip(tree.flatten(found), theirs.tree.flatten(expected), strict=True):
            assert numpy.dtype(a) == theirs.backend.standardize_dtype(b.dtype)
            b = theirs.ops.convert_to_numpy(b).astype("float32")
            np.testing.assert_allclose(numpy.to_numpy(a).astype("float32"), b, rtol=1e-2 if half else 1e-4, atol=2e-5)


def test_scaling_by_the_deviation(theirs: Any) -> None:
    def make(L: Any) -> Any:
        with pytest.warns(UserWarning, match="RMSNormalization"):
            return L.LayerNormalization(axis=-1, rms_scaling=True, scale=False)

    _, expected = run(theirs.layers, make, X(2, 3, 4) + 1, {})
    with use_backend("numpy"):
        layer, found = run(ours, make, X(2, 3, 4) * 0 + 1, {})
        assert [w.name for w in layer.weights] == ["gamma"]
        assert layer.beta is None
        del found, expected
