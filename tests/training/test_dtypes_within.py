"""The dtypes in which layers of one model compute: each reads its weights by its own policy, not by that of the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from polykeras import Input, Layer, Model, Sequential, layers, ops
from polykeras.backend import Backend
from polykeras.config import dtype_policy, set_dtype_policy

ONES = np.ones((2, 4), "float32")


@pytest.fixture
def mixed() -> Iterator[None]:
    before = dtype_policy()
    set_dtype_policy("mixed_bfloat16")
    yield
    set_dtype_policy(before)


class Reader(Layer):
    """Notes the dtype in which it reads a weight."""

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight((), "ones")

    def call(self, x: Any) -> Any:
        self.noted = ops.dtype(self.scale.value), self.scale.dtype
        return x


class Around(Layer):
    """Calls another layer."""

    def __init__(self, inner: Layer, **options: Any) -> None:
        super().__init__(**options)
        self.inner = inner

    def call(self, x: Any) -> Any:
        return self.inner(x)


@pytest.mark.parametrize(
    ("outer", "inner", "autocast", "expected"),
    [
        ("mixed_bfloat16", "float32", True, "float32"),
        ("mixed_bfloat16", "float16", True, "float16"),
        ("mixed_bfloat16", "mixed_float16", True, "float16"),
        ("mixed_bfloat16", "mixed_bfloat16", False, "float32"),
        ("mixed_bfloat16", "int32", True, "int32"),
        ("mixed_bfloat16", "mixed_bfloat16", True, "bfloat16"),
        ("float32", "mixed_bfloat16", True, "bfloat16"),
        ("float32", "mixed_bfloat16", False, "bfloat16"),  # as in Keras: only an outer scope is closed
    ],
)
def test_a_layer_reads_its_weights_by_its_own_policy(
    backend: Backend, outer: str, inner: str, autocast: bool, expected: str
) -> None:
    reader = Reader(dtype=inner, autocast=autocast)
    Around(reader, dtype=outer)(ONES)
    assert reader.noted == (expected, expected)


def functional(head: Layer) -> Model:
    x = Input((4,))
    return Model(x, head(x))


class Subclassed(Model):
    """Only the head."""

    def __init__(self, head: Layer) -> None:
        super().__init__()
        self.head = head

    def call(self, x: Any) -> Any:
        return self.head(x)


@pytest.mark.parametrize(
    "make", [functional, lambda head: Sequential([head]), lambda head: Sequential([Input((4,)), head]), Subclassed]
)
def test_a_float32_head_of_a_mixed_model_computes_in_float32(backend: Backend, mixed: None, make: Any) -> None:
    head = layers.Dense(1, dtype="float32", use_bias=False, kernel_initializer=lambda *a, **k: np.full((4, 1), 1.003))
    model = make(head)
    for result in (model(ONES), model.predict(ONES, verbose=0), model.predict(ONES, verbose=0)):
        np.testing.assert_allclose(np.asarray(result), 4.012, rtol=1e-6)


def test_inputs_of_a_mixed_graph_are_not_rounded(backend: Backend, mixed: None) -> None:
    x = np.full((2, 4), 1.003, "float32")
    identity = layers.Dense(4, dtype="float32", kernel_initializer="identity")
    for model in (functional(identity), Sequential([Input((4,)), identity])):
        np.testing.assert_allclose(model.predict(x, verbose=0), x, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float16"])
def test_inputs_have_the_dtype_of_input(backend: Backend, dtype: str) -> None:
    x = Input((2,), dtype=dtype)
    given = np.array([[1.75, 3.0625]], "float32")
    model = Model(x, x * 1)
    assert backend.dtype(model(given)) == dtype
    np.testing.assert_array_equal(np.asarray(model(given)), given.astype(dtype))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
def test_batch_normalization_of_integers_gives_floats(backend: Backend, dtype: str, training: bool) -> None:
    x = np.array([[0, 4], [2, 0]]).astype(dtype)
    result = layers.BatchNormalization(epsilon=0.0)(x, training=training)
    floats = x.astype("float32")
    expected = (floats - floats.mean(0)) / floats.std(0) if training else floats
    assert backend.dtype(result) == "float32"
    np.testing.assert_allclose(np.asarray(result), expected, atol=1e-6)


def test_category_encoding_keeps_counts_exact(backend: Backend) -> None:
    """bfloat16 has no 257."""
    layer = layers.CategoryEncoding(2, "count", dtype="mixed_bfloat16")
    result = layer(np.zeros((1, 257), "int32"))
    assert backend.dtype(result) == "float32"
    np.testing.assert_array_equal(np.asarray(result), [[257, 0]])
