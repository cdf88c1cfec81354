"""Values that are handed out, or were taken in, are not changed by training later, and do not change it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import Variable, function, layers, ops, value_and_grad
from polykeras.backend import Backend

pytestmark = pytest.mark.cpu_only("the C library's heap")

SIZE = 2048


def model_of(variable_holder: Any = None) -> Any:
    model = keras.Sequential([keras.Input((SIZE,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    return model


def trained(model: Any) -> None:
    x = np.ones((8, SIZE), "float32") / SIZE
    for _ in range(2):
        model.fit(x, np.ones((8, 1), "float32"), batch_size=2, verbose=0)


def test_a_value_from_value_and_grad_is_kept(backend: Backend) -> None:
    model = model_of()
    (kernel, _) = model.trainable_variables
    (_, kept), _ = value_and_grad(lambda: (ops.sum(kernel), kernel.value), kernel, has_aux=True)()
    before = ops.convert_to_numpy(kept).copy()
    trained(model)
    np.testing.assert_array_equal(ops.convert_to_numpy(kept), before)


def test_a_value_from_a_compiled_function_is_kept(backend: Backend) -> None:
    model = model_of()
    (kernel, _) = model.trainable_variables
    give = function(lambda: kernel.value)
    kept = [give(), give()]
    before = [ops.convert_to_numpy(k).copy() for k in kept]
    trained(model)
    for k, b in zip(kept, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(k), b)
    assert (ops.convert_to_numpy(give()) != before[0]).any()


def test_a_callers_array_is_neither_kept_nor_changed(backend: Backend) -> None:
    model = model_of()
    (kernel, _) = model.trainable_variables
    mine = np.full((SIZE, 1), 2.0, "float32")
    take = function(lambda x: (kernel.assign(x), None)[1])
    take(mine)
    take(mine)
    trained(model)
    np.testing.assert_array_equal(mine, 2.0)
    take(mine)
    mine[:] = 9.0
    np.testing.assert_array_equal(kernel.numpy(), 2.0)


def test_a_batch_that_a_layer_stores_is_copied(backend: Backend) -> None:
    class Last(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.last = self.add_weight((4, 2), "zeros", trainable=False, name="last")

        def call(self, inputs: Any) -> Any:
            self.last.assign(inputs)
            return inputs

    model = keras.Sequential([keras.Input((2,), batch_size=4), Last(), layers.Dense(1)])
    model.compile("sgd", "mse")
    buffer = np.full((4, 2), 2.0, "float32")
    for _ in range(2):
        model.train_on_batch(buffer, np.ones((4, 1), "float32"))
    buffer[:] = 99.0
    np.testing.assert_array_equal(model.layers[0].last.numpy(), 2.0)


def test_a_captured_value_stays_what_it_was(backend: Backend) -> None:
    w = Variable(np.ones((3,), "float32"))
    first = w.value
    distance = function(lambda: ops.sum((w - first) ** 2))
    assert float(distance()) == 0.0
    w.assign_add(np.ones((3,), "float32"))
    assert float(distance()) == 3.0
    shift = function(lambda x: x + first)
    np.testing.assert_array_equal(ops.convert_to_numpy(shift(first)), 2.0)
    np.testing.assert_array_equal(ops.convert_to_numpy(shift(first * 0)), 1.0)


def test_variables_that_are_assigned_from_one_another_are_apart(backend: Backend) -> None:
    a, b = Variable(np.ones((SIZE,), "float32")), Variable(np.zeros((SIZE,), "float32"))
    copy = function(lambda: (b.assign(a.value), None)[1])
    copy()
    copy()
    grow = function(lambda: (a.assign(a * 3.0), None)[1])
    grow()
    grow()
    assert (float(a.numpy()[0]), float(b.numpy()[0])) == (9.0, 1.0)
