"""Masks as users' code sees them: `compute_mask` of their layers, and Keras's attribute `_keras_mask`."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.backend import Backend
from polykeras.common import masks

IDS = np.array([[1, 2, 0, 0], [3, 0, 0, 0]], "int32")
MASK = IDS != 0


def numpy(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


def takes_attributes(backend: Backend) -> bool:
    """Return whether arrays are not NumPy's own, which take no attributes: in Keras neither."""
    return type(backend.asarray(IDS)) is not np.ndarray


class Split(layers.Layer):
    """Two halves along time, and their masks."""

    def call(self, inputs: Any) -> Any:
        return ops.split(inputs, 2, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else ops.split(mask, 2, axis=1)


class OwnEmbedding(layers.Layer):
    """Makes a mask where there was none."""

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(shape=(5, 3), initializer="ones", name="table")

    def call(self, inputs: Any) -> Any:
        return ops.take(self.table, inputs, axis=0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0)


class Count(layers.Layer):
    """Counts the times that are not masked."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return ops.zeros((2, 1)) if mask is None else ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True)


class CountByAttribute(layers.Layer):
    def call(self, inputs: Any) -> Any:
        mask = getattr(inputs, "_keras_mask", None)
        return inputs[:, :1, 0] * 0 if mask is None else ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True)


class Sets(layers.Layer):
    """Sets the mask of its outputs itself."""

    def call(self, inputs: Any) -> Any:
        outputs = inputs * 2.0
        outputs._keras_mask = ops.greater(inputs[:, :, 0], 0)
        return outputs


class SetsAndComputes(Sets):
    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        raise AssertionError("the mask is there already")


def test_a_layer_that_computes_masks_supports_them() -> None:
    assert Split().supports_masking
    assert OwnEmbedding().supports_masking
    assert not Count().supports_masking


@pytest.mark.parametrize("kind", ["call", "functional", "predict", "eager predict"])
def test_masks_that_a_users_layer_computes(backend: Backend, kind: str) -> None:
    def outputs(ids: Any) -> Any:
        first, second = Split()(OwnEmbedding()(ids))
        return ops.concatenate([Count()(first), Count()(second)], axis=1)

    if kind == "call":
        found = numpy(outputs(backend.asarray(IDS)))
    else:
        inputs = keras.Input((4,), dtype="int32")
        model = keras.Model(inputs, outputs(inputs))
        model.compile(run_eagerly=kind == "eager predict")
        found = numpy(model(IDS)) if kind == "functional" else model.predict(IDS, verbose=0)
    np.testing.assert_array_equal(found, [[2, 0], [1, 0]])


def test_a_flag_that_is_taken_back_counts(backend: Backend) -> None:
    class Silent(OwnEmbedding):
        def __init__(self) -> None:
            super().__init__()
            self.supports_masking = False

    np.testing.assert_array_equal(numpy(Count()(Silent()(backend.asarray(IDS)))), [[0], [0]])


def test_the_attribute_of_results(backend: Backend) -> None:
    """As in Keras's guide on masking."""
    embedded = layers.Embedding(5, 3, mask_zero=True)(IDS)
    first, second = Split()(embedded)
    plain = layers.Dense(2)(np.ones((2, 3), "float32"))
    assert getattr(plain, "_keras_mask", None) is None
    if not takes_attributes(backend):
        assert getattr(embedded, "_keras_mask", None) is None
        return
    np.testing.assert_array_equal(numpy(embedded._keras_mask), MASK)
    np.testing.assert_array_equal(numpy(first._keras_mask), MASK[:, :2])
    np.testing.assert_array_equal(numpy(second._keras_mask), MASK[:, 2:])
    model = keras.Sequential([layers.Embedding(5, 3, mask_zero=True), layers.Dropout(0.5), layers.Dense(2)])
    for _ in range(5):  # more calls than are made before one is compiled
        np.testing.assert_array_equal(numpy(model(IDS)._keras_mask), MASK)


@pytest.mark.parametrize("eagerly", [False, True])
def test_the_attribute_read_in_a_layer(backend: Backend, eagerly: bool) -> None:
    model = keras.Sequential([layers.Embedding(5, 3, mask_zero=True), CountByAttribute()])
    model.compile("sgd", "mse", run_eagerly=eagerly)
    expected = [[2], [1]] if takes_attributes(backend) else [[0], [0]]
    np.testing.assert_array_equal(model.predict(IDS, verbose=0), expected)
    np.testing.assert_array_equal(numpy(model(IDS)), expected)
    loss = model.evaluate(IDS, np.array([[2.0], [1.0]]), verbose=0)
    assert loss == (0.0 if takes_attributes(backend) else 2.5)


@pytest.mark.parametrize("cls", [Sets, SetsAndComputes])
@pytest.mark.parametrize("eagerly", [False, True])
def test_the_attribute_set_in_a_layer(backend: Backend, cls: Any, eagerly: bool) -> None:
    x = np.array([[[1.0], [-1.0], [2.0]], [[-1.0], [-2.0], [3.0]]], "float32")
    model = keras.Sequential([cls(), Count()])
    model.compile(run_eagerly=eagerly)
    if not takes_attributes(backend):
        with pytest.raises(AttributeError, match="_keras_mask"):
            model.predict(x, verbose=0)
        return
    np.testing.assert_array_equal(model.predict(x, verbose=0), [[2], [1]])
    np.testing.assert_array_equal(numpy(model(x)), [[2], [1]])
    np.testing.assert_array_equal(numpy(cls()(x)._keras_mask), x[:, :, 0] > 0)


def test_the_attribute_set_and_taken_off_outside(backend: Backend) -> None:
    x = backend.asarray(np.ones((2, 4, 3), "float32"))
    if not takes_attributes(backend):
        return
    x._keras_mask = backend.asarray(MASK)
    np.testing.assert_array_equal(numpy(Count()(x)), [[2], [1]])
    x._keras_mask = None
    assert x._keras_mask is None
    np.testing.assert_array_equal(numpy(Count()(x)), [[0], [0]])

    class TakesOff(layers.Layer):
        def call(self, inputs: Any) -> Any:
            inputs._keras_mask = None
            return Count()(inputs)

    x._keras_mask = backend.asarray(MASK)
    np.testing.assert_array_equal(numpy(TakesOff()(x)), [[0], [0]])


def test_the_attribute_of_symbolic_tensors(backend: Backend) -> None:
    inputs = keras.Input((4,), dtype="int32")
    embedded = layers.Dropout(0.5)(layers.Embedding(5, 3, mask_zero=True)(inputs))
    first, second = Split()(embedded)
    assert inputs._keras_mask is None
    assert layers.Dense(2)(keras.Input((3,)))._keras_mask is None
    model = keras.Model(inputs, [embedded._keras_mask, first._keras_mask, second._keras_mask])
    for found, expected in zip(model.predict(IDS, verbose=0), [MASK, MASK[:, :2], MASK[:, 2:]], strict=True):
        np.testing.assert_array_equal(found, expected)
    embedded._keras_mask = None
    assert embedded._keras_mask is None


def test_nothing_is_left_of_masks(backend: Backend) -> None:
    model = keras.Sequential([OwnEmbedding(), CountByAttribute() if takes_attributes(backend) else Count()])
    model.compile("sgd", "mse")
    model.fit(IDS, np.ones((2, 1), "float32"), epochs=3, verbose=0)
    model.predict(IDS, verbose=0)
    del model
    gc.collect()
    masks.forget_boxes()
    before = len(masks._kept)
    for _ in range(10):
        embedded = OwnEmbedding()(IDS)
        if takes_attributes(backend):
            embedded._keras_mask = embedded._keras_mask
    del embedded
    gc.collect()
    assert len(masks._kept) <= before


def test_masks_of_inputs_in_a_structure_reach_a_call_on_shapes() -> None:
    seen = []

    class Both(layers.Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            seen.append(mask)
            return inputs[0] + inputs[1]

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            return mask[0][:, :2]  # which None does not allow

    ids, plain = layers.Input((4,), dtype="int32"), layers.Input((4, 3))
    embedded = layers.Embedding(5, 3, mask_zero=True)(ids)
    model = keras.Model([ids, plain], Both()([embedded, plain]))
    for first, second in seen:
        assert tuple(first.shape)[1:] == (4,)
        assert second is None
    seen.clear()
    model([IDS, np.ones((2, 4, 3), "float32")])
    np.testing.assert_array_equal(numpy(seen[0][0]), MASK)
