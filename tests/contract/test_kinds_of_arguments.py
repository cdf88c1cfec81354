"""What stands for an int, an index or an array: NumPy's ints, masks, and variables in functions of NumPy."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from polykeras.backend import Backend

X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], "float32")
BY_AXIS = (
    *("softmax", "log_softmax", "logsumexp", "sum", "mean", "max", "argmax", "cumsum", "sort", "expand_dims"),
    *("normalize", "flip", "median", "norm", "all", "count_nonzero", "average", "unstack"),
)


@pytest.mark.parametrize("name", BY_AXIS)
def test_an_axis_may_be_an_int_of_numpy(name: str, backend: Backend) -> None:
    for given in (X, ops.convert_to_tensor(X)):
        expected = getattr(ops, name)(given, axis=-1)
        for found in (getattr(ops, name)(given, axis=np.int64(-1)), getattr(ops, name)(given, axis=np.int32(-1))):
            keras.tree.map_structure(
                lambda a, b: np.testing.assert_array_equal(backend.to_numpy(a), backend.to_numpy(b)), found, expected
            )


@pytest.mark.parametrize(
    "run",
    [
        lambda i: ops.reshape(X, i(-1)),
        lambda i: ops.roll(X, i(1), i(0)),
        lambda i: ops.moveaxis(X, i(0), i(1)),
        lambda i: ops.one_hot(np.array([0, 1]), i(3)),
        lambda i: ops.concatenate([X, X], axis=i(1)),
        lambda i: ops.stack([X, X], i(1)),
        lambda i: ops.tensordot(X, X.T, i(1)),
        lambda i: ops.repeat(X, i(2), axis=i(0)),
        lambda i: ops.conv(X[None], X[:, :, None], i(1), dilation_rate=i(1)),
        lambda i: ops.max_pool(X[None], i(2), i(1)),
        lambda i: keras.layers.Softmax(axis=i(-1))(X),
        lambda i: keras.losses.categorical_crossentropy(np.abs(X), np.abs(X), axis=i(-1)),
    ],
)
def test_sizes_and_places_may_be_ints_of_numpy(run: Callable[[Any], Any], backend: Backend) -> None:
    np.testing.assert_array_equal(backend.to_numpy(run(np.int64)), backend.to_numpy(run(int)))


@pytest.mark.parametrize(
    "key",
    [
        X > 0,
        np.array([True, False]),
        (slice(None), np.array([True, False, True])),
        (np.array([True, False]), 1),
        (..., np.array([True, False, True])),
        (None, X > 0),
        (np.array([True, True]), np.array([0, 2])),
    ],
)
def test_a_mask_is_an_index(key: Any, backend: Backend) -> None:
    for found in (ops.get_item(X, key), keras.Variable(X)[key]):
        np.testing.assert_array_equal(backend.to_numpy(found), X[key])


def test_a_mask_has_the_shape_of_its_axes(backend: Backend) -> None:
    with pytest.raises(IndexError, match=r"received a mask \(3,\) for an array of shape \(2, 3\), from axis 0"):
        ops.get_item(X, np.array([True, False, True]))


def test_functions_of_numpy_take_variables(backend: Backend) -> None:
    variable = keras.Variable(X)
    for function in (np.exp, np.sum, np.abs, np.std, np.linalg.norm, lambda x: np.maximum(x, 0.0), np.add.reduce):
        found = function(variable)
        assert isinstance(found, (np.ndarray, np.generic))
        np.testing.assert_allclose(found, function(X), rtol=1e-6)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "lt", "le", "gt", "ge", "eq", "ne", "iadd", "pow"])
def test_operators_of_numpy_with_a_variable_are_those_of_tensors(name: str, backend: Backend) -> None:
    function, positive = getattr(operator, name), np.abs(X)
    variable = keras.Variable(X)
    found = function(positive.copy(), variable)
    assert ops.is_tensor(found)
    np.testing.assert_allclose(backend.to_numpy(found), function(positive.copy(), X), rtol=1e-6)


def test_sizes_in_shapes_may_be_ints_of_numpy(backend: Backend) -> None:
    layer = keras.layers.Dense(2)
    layer.build((None, np.int64(3)))
    assert layer.kernel.shape == (3, 2)
    assert ops.shape(keras.initializers.Ones()(3)) == (3,)


def test_schedules_take_many_steps(backend: Backend) -> None:
    schedule = keras.optimizers.schedules.CosineDecayRestarts(0.1, 2)
    together = ops.convert_to_numpy(schedule(np.arange(5)))
    np.testing.assert_allclose(together, [ops.convert_to_numpy(schedule(step)) for step in range(5)], rtol=1e-6)


@pytest.mark.parametrize("yes", [True, False])
def test_cond_of_a_flag_chooses_within_a_graph(yes: bool, backend: Backend) -> None:
    x = keras.Input((3,))
    model = keras.Model(x, ops.cond(yes, lambda: x * 2, lambda: x * 3))
    np.testing.assert_allclose(ops.convert_to_numpy(model(np.ones((1, 3)))), np.full((1, 3), 2 if yes else 3))


def test_negative_shared_axes_count_from_the_end() -> None:
    for axes, shape in (([-1], (3, 1)), ([1, -1], (1, 1)), ([-2], (1, 4))):
        layer = keras.layers.PReLU(shared_axes=axes)
        layer.build((None, 3, 4))
        assert layer.alpha.shape == shape


@pytest.mark.parametrize("axes", [[0], [3], [-3]])
def test_shared_axes_that_do_not_exist_are_refused(axes: list[int]) -> None:
    with pytest.raises(ValueError, match="axes of a sample, 1 to 2 or -1 to -2"):
        keras.layers.PReLU(shared_axes=axes).build((None, 3, 4))


@pytest.mark.parametrize("numbers", [(5,), (1, 6), (1, 9, 2), (3, 2), (2.5,), (0.0, 2.5, 0.5)])
def test_ranges_are_of_numbers_in_arrays(numbers: tuple[float, ...], backend: Backend) -> None:
    expected = np.arange(*numbers)
    for given in (ops.convert_to_tensor, keras.Variable):
        found = ops.arange(*map(given, numbers))
        assert backend.dtype(found) == ("int32" if expected.dtype.kind == "i" else "float32")
        np.testing.assert_array_equal(backend.to_numpy(found), expected)
