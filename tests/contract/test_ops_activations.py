"""Activations against formulas: values, slopes, corners and extreme arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import erf, expit, log_softmax, softmax

from contract.agreement import agree, gradient
from polykeras import ops
from polykeras.backend import Backend

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


X = np.concatenate([np.linspace(-6, 6, 49), [-88.0, 88.0, -1e4, 1e4]])


def _elu(x: np.ndarray, alpha: float = 1.0, width: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / width))


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": _elu,
    "selu": lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    "celu": _elu,
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x * expit(x),
    "swish": lambda x: x * expit(x),
    "sigmoid": expit,
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "squareplus": lambda x: np.where(x < 0, 2 / (np.sqrt(x**2 + 4) - x), (x + np.sqrt(x**2 + 4)) / 2),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, backend: Backend) -> None:
    x = X.astype("float32")
    agree(getattr(ops, name)(x), ACTIVATIONS[name](x.astype("float64")), 1e-5, 1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_of_activations_are_slopes_and_finite_everywhere(name: str, backend: Backend) -> None:
    smooth = np.setdiff1d(X, [-3, -1, -0.5, 0, 0.5, 1, 3, 6, -6]).astype("float32")
    found = gradient(getattr(ops, name), smooth)
    wide = smooth.astype("float64")
    step = 1e-6 * np.maximum(1, np.abs(wide))
    slopes = (ACTIVATIONS[name](wide + step) - ACTIVATIONS[name](wide - step)) / (2 * step)
    agree(found, slopes, 2e-4, 2e-4)
    everywhere = np.array([0.0, -0.0, 1e-30, -1e-30, 1e10, -1e10, -1.0, 1.0], "float32")
    assert np.isfinite(gradient(getattr(ops, name), everywhere)).all()


CORNERS = [
    ("relu", {}, [0.0], [0.0]),
    ("relu6", {}, [0.0, 6.0], [0.0, 0.0]),
    ("leaky_relu", {}, [0.0], [0.2]),
    ("hard_tanh", {}, [-1.0, 1.0], [1.0, 1.0]),
    ("elu", {"alpha": 0.5}, [0.0], [0.5]),
    ("squareplus", {}, [0.0, -1e4], [0.5, 1e-8]),
    ("softplus", {}, [0.0], [0.5]),
    ("sparse_plus", {}, [-1.0, 1.0], [0.0, 1.0]),
    ("softsign", {}, [0.0], [1.0]),
]


@pytest.mark.parametrize(("name", "kwargs", "at", "slopes"), CORNERS)
def test_named_gradients_at_corners(name: str, kwargs: Any, at: Any, slopes: Any, backend: Backend) -> None:
    agree(gradient(lambda x: getattr(ops, name)(x, **kwargs), np.array(at, "float32")), slopes, 1e-3, 1e-9)


def test_activations_with_options(backend: Backend) -> None:
    x = X.astype("float32")
    agree(ops.gelu(x, approximate=False), 0.5 * x * (1 + erf(x / np.sqrt(2))), atol=1e-6)
    agree(ops.celu(x, 2.0), _elu(x, 2.0, 2.0))
    agree(ops.threshold(x, 1.0, 7.0), np.where(x > 1, x, 7))
    assert np.isnan(ops.convert_to_numpy(ops.relu([np.nan]))).all()
    y = normal(3, 6)
    agree(ops.glu(y, 1), y[:, :3] * expit(y[:, 3:]))
    with pytest.raises(ValueError, match="glu halves axis 0, which must be even"):
        ops.glu(y, 0)


def test_softmax_has_no_overflow_and_keeps_small_logarithms(backend: Backend) -> None:
    x = np.array([[1e4, 1e4 - 1, 0.0], [-1e4, -1e4 - 3, -1e4]], "float32")
    agree(ops.softmax(x), softmax(x.astype("float64"), -1), atol=0)
    agree(ops.log_softmax(x), log_softmax(x.astype("float64"), -1), 1e-6, 0)
    y = normal(2, 3, 4)
    agree(ops.softmax(y, (0, 2)), softmax(y, (0, 2)))
    agree(gradient(lambda a: ops.log_softmax(a)[:, 0], x), np.eye(3)[[0, 0]] - softmax(x, -1), atol=1e-6)


@pytest.mark.parametrize("axis", [-1, 0])
def test_sparsemax_is_the_nearest_point_of_the_simplex(axis: int, backend: Backend) -> None:
    x = 3 * normal(5, 7)
    low, high = x.max(axis, keepdims=True) - 1, x.max(axis, keepdims=True)
    for _ in range(60):  # bisection for the threshold
        middle = (low + high) / 2
        above = np.maximum(x - middle, 0).sum(axis, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    expected = np.maximum(x - low, 0)
    agree(ops.sparsemax(x, axis), expected)
    weights, kept = normal(5, 7), expected > 0
    mean = (weights * kept).sum(axis, keepdims=True) / kept.sum(axis, keepdims=True)
    slope = gradient(lambda a: ops.multiply(ops.sparsemax(a, axis), weights), x)
    agree(slope, np.where(kept, weights - mean, 0))
