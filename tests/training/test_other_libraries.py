"""What other libraries lean on: each test names one that does."""

from __future__ import annotations

import random as python_random
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Input, Model, layers, losses, seeds
from polykeras.backend import Backend, registry
from polykeras.legacy import backend_arrays as K


def test_a_list_of_one_has_the_shape_of_its_tensor(backend: Backend) -> None:  # autokeras
    x, y = Input((3,)), Input((4,))
    out = layers.Dense(2)(x)
    model = Model([x], [out])
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 2))
    two = Model([x, y], [out, layers.Dense(5)(y)])
    assert two.input_shape == [(None, 3), (None, 4)]
    assert two.output_shape == [(None, 2), (None, 5)]
    assert Model({"a": x}, {"b": out}).output_shape == (None, 2)  # as in Keras


@pytest.mark.parametrize("kind", ["losses", "metrics", "optimizers", "initializers", "regularizers", "constraints"])
def test_an_unknown_name_is_told_in_keras_words(kind: str) -> None:  # scikeras
    with pytest.raises(ValueError, match="Could not interpret [a-z]+ identifier: Unknown [a-z]+ 'nothing_like_it'"):
        getattr(polykeras, kind).get("nothing_like_it")


def test_pythons_generator_gives_seeds_where_none_was_set(  # scikeras
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeds, "_process", seeds._ProcessSeed())
    before = python_random.getstate()

    def kernel() -> np.ndarray:
        layer = layers.Dense(3)
        layer.build((None, 2))
        return layer.get_weights()[0]

    try:
        python_random.seed(5)
        first, second = kernel(), kernel()
        python_random.seed(5)
        again = kernel()
    finally:
        python_random.setstate(before)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


def test_a_strategy_is_there_where_keras_has_one(backend: Backend) -> None:  # keras-tuner's SaveBestEpoch
    model = polykeras.Sequential([layers.Dense(1)])
    if registry.current().name == "tensorflow":
        assert model.distribute_strategy.num_replicas_in_sync == 1
    else:
        assert not hasattr(model, "distribute_strategy")


class Scaled(losses.Loss):
    """Has an `__init__` without `dtype`, and its own `get_config`."""

    def __init__(self, factor: float, reduction: str = "sum", name: str = "scaled") -> None:
        super().__init__(reduction=reduction, name=name)
        self.factor = factor

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.factor * (y_pred - y_true)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"factor": self.factor}


def test_a_loss_that_takes_no_dtype_has_none_in_its_config() -> None:  # keras-cv
    config = Scaled(2.0).get_config()
    assert config == {"factor": 2.0, "reduction": "sum", "name": "scaled"}
    assert Scaled.from_config(config).get_config() == config
    assert "dtype" in losses.MeanSquaredError().get_config()


@pytest.mark.needs("tensorflow")
def test_layers_take_sparse_tensors_of_tensorflow(backend: Backend) -> None:  # spektral
    import tensorflow as tf

    class Graph(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.shapes = input_shape
            self.kernel = self.add_weight(shape=(input_shape[0][-1], 2), name="kernel")

        def call(self, inputs: Any) -> Any:
            x, a = inputs
            return tf.sparse.sparse_dense_matmul(a, x @ self.kernel)

    a = tf.sparse.from_dense(np.eye(4, dtype="float32")[::-1])
    x = tf.constant(np.arange(12, dtype="float32").reshape(4, 3))
    layer = Graph()
    result = layer([x, a])
    assert [tuple(shape) for shape in layer.shapes] == [(4, 3), (4, 4)]
    np.testing.assert_allclose(result, (x.numpy() @ layer.get_weights()[0])[::-1], rtol=1e-6)
    assert (K.is_sparse(a), K.ndim(a), K.is_sparse(x), K.ndim(x)) == (True, 2, False, 2)
