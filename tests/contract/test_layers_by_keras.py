"""Layers of attention, normalization and of the core against Keras itself, with the same weights.

`test_layers.py` ties all backends to our numpy backend; here that is held to numbers which we did not compute.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from differential import opponent
from polykeras import layers as ours
from polykeras.backend import use_backend
from polykeras.common import nested

pytestmark = pytest.mark.keras


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    return opponent.keras()


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
    "attention": (lambda L: L.Attention(), [X(2, 3, 4), X(2, 5, 4)], {}),
    "attention key": (lambda L: L.Attention(True), [X(2, 3, 4), X(2, 5, 2), X(2, 5, 4)], {}),
    "attention masks": (lambda L: L.Attention(), [X(3, 4, 2), X(3, 5, 2)], {"mask": [M(3, 4), M(3, 5)]}),
    "attention causal": (
        lambda L: L.Attention(True, "concat"),
        [X(3, 4, 2), X(3, 5, 2)],
        {"mask": [None, M(3, 5)], "use_causal_mask": True, "return_attention_scores": True},
    ),
    "attention concat": (lambda L: L.Attention(score_mode="concat"), [X(3, 4, 2), X(3, 5, 2)], {}),
    "attention half": (
        lambda L: L.Attention(dtype="mixed_float16"),
        [X(3, 4, 2), X(3, 5, 2)],
        {"mask": [None, M(3, 5)], "return_attention_scores": True},
    ),
    "additive": (lambda L: L.AdditiveAttention(), [X(2, 3, 4), X(2, 5, 4)], {"return_attention_scores": True}),
    "additive masks": (
        lambda L: L.AdditiveAttention(False),
        [X(3, 4, 2), X(3, 5, 3), X(3, 5, 2)],
        {"mask": [M(3, 4), M(3, 5)], "use_causal_mask": True},
    ),
    "group query": (lambda L: L.GroupQueryAttention(3, 4, 2), (X(2, 3, 5), X(2, 4, 5)), {}),
    "group query gate": (
        lambda L: L.GroupQueryAttention(3, 4, 1, use_gate=True, use_bias=False),
        (X(2, 3, 5), X(2, 4, 5)),
        {"return_attention_scores": True, "attention_mask": LOWER},
    ),
    "group query masks": (
        lambda L: L.GroupQueryAttention(3, 4, 4, sliding_window=3),
        (X(2, 4, 5), X(2, 4, 5), X(2, 4, 5)),
        {"value_mask": M(2, 4), "use_causal_mask": True},
    ),
    "group query half": (lambda L: L.GroupQueryAttention(3, 4, 2, dtype="mixed_float16"), (X(2, 3, 5), X(2, 4, 5)), {}),
    "heads": (
        lambda L: L.MultiHeadAttention(2, 3, value_dim=4, use_gate=True, output_shape=(2, 3)),
        (X(2, 3, 5), X(2, 4, 5), X(2, 4, 3)),
        {"return_attention_scores": True, "attention_mask": LOWER},
    ),
    "heads axes": (lambda L: L.MultiHeadAttention(2, 3, attention_axes=(2,)), (X(2, 3, 4, 5), X(2, 3, 2, 5)), {}),
    "heads causal": (lambda L: L.MultiHeadAttention(2, 3), (X(2, 4, 5), X(2, 4, 5)), {"use_causal_mask": True}),
    "reversible": (lambda L: L.ReversibleEmbedding(6, 4), np.array([[0, 5], [3, 3]], "int32"), {}),
    "reversible back": (
        lambda L: L.ReversibleEmbedding(6, 4, tie_weights=False, logit_soft_cap=1.5),
        X(2, 3, 4),
        {"reverse": True},
    ),
    "reversible back half": (
        lambda L: L.ReversibleEmbedding(6, 4, reverse_dtype="float32", dtype="mixed_float16"),
        X(2, 3, 4),
        {"reverse": True},
    ),
    "spectral": (lambda L: L.SpectralNormalization(L.Dense(3)), X(2, 4), {}),
    "spectral training": (lambda L: L.SpectralNormalization(L.Dense(3), 2), X(2, 4), {"training": True}),
    "spectral windows": (
        lambda L: L.SpectralNormalization(L.Conv2D(3, 2), 3),
        X(2, 4, 5, 2),
        {"training": True},
    ),
    "pipeline": (lambda L: L.Pipeline([L.Rescaling(0.5), L.Dense(3)]), X(2, 4), {}),
    "dense lora": (lambda L: L.Dense(5, "tanh", lora_rank=2), X(2, 3, 4), {}),
    "einsum lora": (
        lambda L: L.EinsumDense("abc,cde->abde", (None, 2, 5), lora_rank=3, lora_alpha=1.5),
        X(2, 3, 4),
        {},
    ),
    "conv 1 lora": (lambda L: L.Conv1D(4, 2, groups=2, lora_rank=2, lora_alpha=3.0), X(2, 5, 4), {}),
    "conv 2 lora": (lambda L: L.Conv2D(3, (2, 3), padding="same", lora_rank=2), X(2, 5, 4, 2), {}),
    "embedding lora": (lambda L: L.Embedding(6, 4, lora_rank=2), np.array([[0, 5], [3, 3]], "int32"), {}),
}


def run(module: Any, make: Make, inputs: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        if module is not ours:
            warnings.simplefilter("ignore")
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
        for a, b in zip(nested.flatten(found), theirs.tree.flatten(expected), strict=True):
            assert numpy.dtype(a) == theirs.backend.standardize_dtype(b.dtype)
            b = theirs.ops.convert_to_numpy(b).astype("float32")
            np.testing.assert_allclose(
                numpy.to_numpy(a).astype("float32"), b, rtol=1e-2 if half else 1e-4, atol=1e-2 if half else 2e-5
            )


ADAPTED: dict[str, tuple[Make, Any]] = {
    "dense": (lambda L: L.Dense(5, "tanh"), X(2, 3, 4)),
    "dense half": (lambda L: L.Dense(5, "tanh", dtype="mixed_float16"), X(2, 3, 4)),
    "embedding": (lambda L: L.Embedding(6, 4), np.array([[0, 5], [3, 3]], "int32")),
}


@pytest.mark.parametrize("name", ADAPTED)
def test_lora_of_a_built_layer(name: str, theirs: Any) -> None:
    make, inputs = ADAPTED[name]

    def adapted(L: Any) -> Any:
        layer = make(L)
        layer(inputs)
        layer.enable_lora(2, lora_alpha=3.0)
        return layer

    other, expected = run(theirs.layers, adapted, inputs, {})
    with use_backend("numpy") as numpy:
        layer, found = run(ours, adapted, inputs, {})
        tolerance = 1e-2 if "half" in name else 1e-4
        expected = theirs.ops.convert_to_numpy(expected).astype("float32")
        np.testing.assert_allclose(numpy.to_numpy(found).astype("float32"), expected, rtol=tolerance, atol=tolerance)
        assert [(w.name, w.trainable) for w in layer.weights] == [(w.name, w.trainable) for w in other.weights]
        assert {k: v for k, v in other.get_config().items() if "lora" in k} == {"lora_rank": 2, "lora_alpha": 3.0}
        assert layer.get_config().items() >= {"lora_rank": 2, "lora_alpha": 3.0}.items()
        store: dict[str, Any] = {}
        layer.save_own_variables(store)  # which Keras reads, and so the other way round
        other.load_own_variables(store)
        again = theirs.ops.convert_to_numpy(other(inputs)).astype("float32")
        np.testing.assert_allclose(again, expected, rtol=tolerance, atol=tolerance)
        other.save_own_variables(store)
        layer.load_own_variables(
            {place: np.asarray(theirs.ops.convert_to_tensor(value)) for place, value in store.items()}
        )
        found = numpy.to_numpy(layer(inputs)).astype("float32")
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("axis", [-1, 1])
def test_scaling_by_the_deviation(theirs: Any, axis: int) -> None:
    def make(L: Any) -> Any:
        return L.LayerNormalization(axis=axis, rms_scaling=True, scale=False)

    inputs = X(2, 3, 4) + 1
    _, expected = run(theirs.layers, make, inputs, {})
    with use_backend("numpy"):
        with pytest.warns(UserWarning, match="Use RMSNormalization"):
            layer, found = run(ours, make, inputs, {})
        assert [w.name for w in layer.weights] == ["gamma"]
        np.testing.assert_allclose(found, theirs.ops.convert_to_numpy(expected), rtol=1e-4, atol=1e-5)
