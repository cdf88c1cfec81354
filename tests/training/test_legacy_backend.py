"""Variables, functions of graphs, random numbers and phases of Keras 2's backend (`K.variable`, `K.function`, ...)."""

from __future__ import annotations

import numpy as np
import pytest

from polykeras import backend as K
from polykeras import layers, models
from polykeras.backend import Backend


def test_variables_are_read_and_written(backend: Backend) -> None:
    x = K.variable([[1.0, 2.0]])
    K.set_value(x, [[3.0, 4.0]])
    assert K.get_value(K.update_add(x, 1.0)).tolist() == [[4.0, 5.0]]
    assert K.get_value(K.update_sub(x, 2.0)).tolist() == [[2.0, 3.0]]
    K.moving_average_update(x, [[4.0, 5.0]], 0.75)
    assert K.eval(x).tolist() == [[2.5, 3.5]]
    assert K.get_value(K.update(x, x * 2)).tolist() == [[5.0, 7.0]]
    y = K.zeros((2,))
    K.batch_set_value([(y, [1, 2]), (x, [[0, 0]])])
    assert [value.tolist() for value in K.batch_get_value([y, x])] == [[1.0, 2.0], [[0.0, 0.0]]]
    assert K.get_value(K.eye(2)).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_functions_of_a_graph(backend: Backend) -> None:
    model = models.Sequential([layers.Input((3,)), layers.Dense(4, name="first"), layers.Dropout(0.5)])
    hidden, output = model.get_layer("first").output, model.outputs[0]
    f = K.function([model.inputs[0], K.learning_phase()], [hidden, output])
    x = np.ones((50, 3), "float32")
    inner, at_rest = f([x, 0])
    np.testing.assert_allclose(inner, x @ model.get_weights()[0], rtol=1e-6)
    np.testing.assert_array_equal(at_rest, inner)
    dropped = f([x, 1])[1]
    kept = dropped != 0
    assert 60 < kept.sum() < 140  # of 200
    np.testing.assert_allclose(dropped[kept], 2 * inner[kept], rtol=1e-6)


def test_placeholders_begin_a_graph(backend: Backend) -> None:
    x = K.placeholder((None, 3))
    assert K.int_shape(K.batch_flatten(K.placeholder((None, 2, 3)))) == (None, 6)
    [result] = K.function([x], [K.sum(K.square(x), axis=-1)])([np.full((2, 3), 2.0)])
    assert result.tolist() == [12.0, 12.0]


class Noisy(layers.Layer):
    """Adds one in training alone."""

    def call(self, inputs: object) -> object:
        return K.in_train_phase(lambda: inputs + 1.0, inputs)


def test_phases(backend: Backend) -> None:
    layer = Noisy()
    assert K.get_value(layer(np.zeros((1, 2)))).tolist() == [[0.0, 0.0]]
    model = models.Sequential([layers.Input((2,)), layer])
    assert K.get_value(model(np.zeros((1, 2)), training=True)).tolist() == [[1.0, 1.0]]
    assert K.get_value(model(np.zeros((1, 2)), training=False)).tolist() == [[0.0, 0.0]]
    assert K.learning_phase() == 0


def test_random_numbers(backend: Backend) -> None:
    coins = K.get_value(K.random_bernoulli((400,), p=0.25, seed=1))
    assert set(coins.tolist()) == {0.0, 1.0}
    assert 0.15 < coins.mean() < 0.35
    assert K.get_value(K.random_normal((300,), 5.0, 0.1, seed=1)).mean() == pytest.approx(5.0, abs=0.05)
    drawn = K.get_value(K.random_uniform_variable((100,), 2.0, 3.0, seed=1))
    assert drawn.min() >= 2.0
    assert drawn.max() <= 3.0
    assert np.abs(K.get_value(K.truncated_normal((200,), seed=1))).max() <= 2.0
    dropped = K.get_value(K.dropout(np.ones((200,), "float32"), 0.5, seed=1))
    assert set(dropped.tolist()) == {0.0, 2.0}


def test_what_there_is_not_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="value_and_grad"):
        K.gradients(None, [])
    with pytest.raises(NotImplementedError, match="ctc_batch_cost"):
        K.ctc_label_dense_to_sparse(None, None)
    with pytest.raises(AttributeError, match="nothing"):
        K.nothing  # noqa: B018


def test_words_of_keras_1() -> None:
    assert K.image_dim_ordering() == "tf"
    K.set_image_dim_ordering("th")
    try:
        assert K.image_data_format() == "channels_first"
    finally:
        K.set_image_dim_ordering("tf")
