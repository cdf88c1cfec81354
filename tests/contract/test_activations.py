"""Activation functions: what they add to the ops, and their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import activations, autodiff, ops
from polykeras.backend import Backend
from polykeras.graph.tensor import KerasTensor

HARD = np.array([0.0, -0.0, 1e-30, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.5, 88.0, -88.0, 1e4, -1e4], "float32")


def relu_reference(x: np.ndarray, negative_slope: float, max_value: float | None, threshold: float) -> np.ndarray:
    above = x if max_value is None else np.clip(x, 0, max_value)
    return np.where(x > threshold, above, negative_slope * (x - threshold))


@pytest.mark.parametrize("negative_slope", [0.0, 0.25])
@pytest.mark.parametrize("max_value", [None, 6.0, 2.0])
@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.75])
def test_relu(backend: Backend, negative_slope: float, max_value: float | None, threshold: float) -> None:
    result = activations.relu(HARD, negative_slope, max_value, threshold)
    expected = relu_reference(HARD.astype("float64"), negative_slope, max_value, threshold)
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, rtol=1e-6)
    assert backend.dtype(result) == "float32"


def test_relu_has_the_gradients_of_its_pieces(backend: Backend) -> None:
    x = np.array([-3.0, -1.0, 0.0, 0.5, 1.0, 1.5, 9.0], "float32")

    def slope(*arguments: Any) -> list[float]:
        gradient = autodiff.grad(lambda x: ops.sum(activations.relu(x, *arguments)))(x)
        return ops.convert_to_numpy(gradient).tolist()

    assert slope() == [0, 0, 0, 1, 1, 1, 1]
    assert slope(0.25)[:2] == [0.25, 0.25]
    assert slope(0.25)[3:] == [1] * 4
    assert slope(0.0, 6.0) == [0, 0, 0, 1, 1, 1, 0]
    assert slope(0.25, 2.0, 1.0) == [0.25, 0.25, 0.25, 0.25, 0, 1, 0]


def test_gelu_is_exact_by_default(backend: Backend) -> None:
    from math import erf, sqrt

    expected = [x * 0.5 * (1 + erf(x / sqrt(2))) for x in HARD.astype("float64")]
    np.testing.assert_allclose(ops.convert_to_numpy(activations.gelu(HARD)), expected, rtol=2e-5, atol=1e-7)
    rough = ops.convert_to_numpy(activations.gelu(HARD, approximate=True))
    np.testing.assert_allclose(rough, ops.convert_to_numpy(ops.gelu(HARD, True)))
    assert np.abs(rough - expected).max() > 1e-5


def test_mish_and_its_gradient_stay_finite(backend: Backend) -> None:
    x = HARD.astype("float64")
    softplus = np.logaddexp(0, x)
    np.testing.assert_allclose(
        ops.convert_to_numpy(activations.mish(HARD)), x * np.tanh(softplus), rtol=2e-6, atol=1e-30
    )
    gradient = autodiff.grad(lambda x: ops.sum(activations.mish(x)))(HARD)
    sigmoid = np.exp(-np.logaddexp(0, -x))
    expected = np.tanh(softplus) + x * (1 - np.tanh(softplus) ** 2) * sigmoid
    np.testing.assert_allclose(ops.convert_to_numpy(gradient), expected, rtol=1e-5, atol=1e-7)


def test_linear_and_exponential(backend: Backend) -> None:
    x = backend.asarray(np.array([0.0, 1.0], "float32"))
    assert activations.linear(x) is x
    np.testing.assert_allclose(ops.convert_to_numpy(activations.exponential(x)), [1.0, np.e], rtol=1e-6)


def test_softmax(backend: Backend) -> None:
    x = np.arange(6, dtype="float32").reshape(2, 3)
    for axis, total in ((-1, x.shape[0]), (0, x.shape[1]), ((0, 1), 1)):
        result = ops.convert_to_numpy(activations.softmax(x, axis))
        expected = np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)
        np.testing.assert_allclose(result, expected, rtol=1e-6)
        assert result.sum() == pytest.approx(total, rel=1e-6)
    with pytest.raises(ValueError, match="at least one axis; received a scalar"):
        activations.softmax(1.0)


@pytest.mark.parametrize("name", activations.registry.names())
def test_each_takes_symbolic_tensors(backend: Backend, name: str) -> None:
    arguments = (0.5, 0.0) if name == "threshold" else ()
    x = KerasTensor((None, 4), "float32")
    concrete = getattr(activations, name)(np.ones((3, 4), "float32"), *arguments)
    symbolic = getattr(activations, name)(x, *arguments)
    assert symbolic.shape == (None, *np.shape(concrete)[1:])
    assert symbolic.dtype == "float32"


@pytest.mark.parametrize("name", activations.registry.names())
def test_names(name: str) -> None:
    function = activations.get(name)
    assert function is getattr(activations, name)
    assert activations.serialize(function) == name
    assert activations.deserialize(name) is function


def test_other_names_and_errors() -> None:
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.swish is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    assert activations.get(abs) is abs
    with pytest.raises(ValueError, match="Did you mean 'softmax'"):
        activations.get("sofmax")
    with pytest.raises(ValueError, match="Could not interpret 3 as a"):
        activations.get(3)


def test_a_function_of_a_user_comes_back_from_its_config() -> None:
    def double(x: Any) -> Any:
        return x * 2

    config = activations.serialize(double)
    assert activations.deserialize(config, {"double": double}) is double
    with pytest.raises(ValueError, match="double"):
        activations.deserialize(config)
