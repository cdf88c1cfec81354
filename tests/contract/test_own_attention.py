"""Attention layers of other libraries, which make the projections or the weights of `MultiHeadAttention` themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.backend import Backend

X = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")
numpy = ops.convert_to_numpy
MASK = np.tril(np.ones((1, 5, 5), bool))


class OwnProjections(layers.MultiHeadAttention):
    """Keys have no bias."""

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        def made(name: str, bias: bool, shape: Any) -> layers.EinsumDense:
            dense = layers.EinsumDense(
                "abc,cde->abde", (None, 2, 3), bias_axes="de" if bias else None, name=name,
                **self._get_common_kwargs_for_sublayer(),
            )  # fmt: skip
            dense.build(shape)
            return dense

        self._query_dense, self._key_dense = made("query", True, query_shape), made("key", False, value_shape)
        self._value_dense = made("value", True, value_shape)
        self._build_attention(len(query_shape) + 1)
        self._output_dense = layers.EinsumDense("abcd,cde->abe", (None, 6), name="attention_output")
        self._output_dense.build((*query_shape[:-1], 2, 3))


class OwnWeights(OwnProjections):
    """Computes scores and weights from the equations."""

    def _compute_attention(
        self, query: Any, key: Any, value: Any, attention_mask: Any = None, training: Any = None, *rest: Any
    ) -> Any:
        scores = ops.einsum(self._dot_product_equation, key, query) / np.float32(np.sqrt(3))
        weights = self._dropout_layer(self._masked_softmax(scores, attention_mask))
        return ops.einsum(self._combine_equation, weights, value), weights


def test_a_build_of_its_own(backend: Backend) -> None:
    layer = OwnProjections(2, 3)
    found = numpy(layer(X, X, attention_mask=MASK))
    assert [w.path.split("/")[-2] for w in layer.weights] == [*["query"] * 2, "key", *["value"] * 2, "attention_output"]
    own = OwnWeights(2, 3)
    own(X, X)
    own.set_weights(layer.get_weights())
    np.testing.assert_allclose(numpy(own(X, X, attention_mask=MASK)), found, atol=1e-6)


def test_weights_of_its_own_are_dropped_while_training(backend: Backend) -> None:
    layer = OwnWeights(2, 3, dropout=0.5, seed=1)
    still = numpy(layer(X, X))
    np.testing.assert_array_equal(numpy(layer(X, X)), still)
    assert not np.allclose(numpy(layer(X, X, training=True)), still)
    model = keras.Sequential([keras.Input((5, 6)), layers.Dense(6)])
    inputs = keras.Input((5, 6))
    model = keras.Model(inputs, layer(inputs, inputs))
    assert not np.allclose(numpy(model(X, training=True)), still)
    np.testing.assert_allclose(numpy(model(X)), still, atol=1e-6)


@pytest.mark.parametrize("axes", [None, (2,)])
def test_masked_weights(backend: Backend, axes: tuple[int, ...] | None) -> None:
    layer = layers.MultiHeadAttention(2, 3, attention_axes=axes)
    layer._build_attention(5)
    keys = (3, 4) if axes is None else (4,)
    shape = (2, 2, 3, 4, 3, 4) if axes is None else (2, 3, 2, 4, 4)
    scores = np.random.default_rng(1).normal(size=shape).astype("float32")
    mask = np.ones((*shape[: shape.index(2, 1)], *shape[shape.index(2, 1) + 1 :]), bool)
    mask[..., -1] = False
    places = tuple(range(-len(keys), 0))
    powers = np.exp(scores) * np.expand_dims(mask, 1 if axes is None else 2)
    found = numpy(layer._masked_softmax(scores, mask))
    np.testing.assert_allclose(found, powers / powers.sum(places, keepdims=True), atol=1e-6)


def test_the_regularizer_of_outputs_has_keras_private_name() -> None:
    layer = layers.MultiHeadAttention(2, 3, activity_regularizer="l2")
    assert layer._activity_regularizer is layer.activity_regularizer
