"""Gradients, and central differences in float64 to hold them against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.testing import assert_allclose

from polykeras.backend import Backend


def gradients(backend: Backend, fn: Callable[..., Any], args: Sequence[Any]) -> list[Any]:
    """Return the gradients of a fixed weighted sum of all elements of `fn(*args)`."""

    def total(arrays: list[Any]) -> tuple[Any, None]:
        y = fn(*arrays)
        weights = np.cos(1.0 + np.arange(backend.size(y)).reshape(backend.shape(y)))
        return backend.sum(backend.multiply(y, backend.asarray(weights))), None

    return backend.value_and_grad(total, list(args))[2]


def gradient(backend: Any, fn: Callable[[Any], Any], x: Any) -> Any:
    """Return the gradient of the sum of `fn(x)`."""
    return backend.value_and_grad(lambda xs: (backend.sum(fn(xs[0])), None), [x])[2][0]


def twice(backend: Any, fn: Callable[[Any], Any], x: Any) -> Any:
    """Return the gradient of the sum of the gradient."""
    return gradient(backend, lambda y: gradient(backend, fn, y), x)


def slopes(fn: Callable[..., Any], args: Sequence[np.ndarray], step: float) -> list[np.ndarray]:
    """Return the central differences of the same sum (Richardson's extrapolation of two steps)."""

    def total(arrays: Sequence[np.ndarray]) -> float:
        y = np.asarray(fn(*arrays))
        return float(np.sum(y * np.cos(1.0 + np.arange(y.size).reshape(y.shape))))

    def slope(place: int, index: tuple[int, ...], h: float) -> float:
        ends = []
        for sign in (1, -1):
            moved = [np.array(x) for x in args]
            moved[place][index] += sign * h
            ends.append(total(moved))
        return (ends[0] - ends[1]) / (2 * h)

    return [
        np.array([(4 * slope(i, j, step / 2) - slope(i, j, step)) / 3 for j in np.ndindex(x.shape)]).reshape(x.shape)
        for i, x in enumerate(args)
    ]


def assert_slopes(
    backend: Backend, fn: Callable[..., Any], args: Sequence[np.ndarray], order: int = 1, step: float = 1e-3
) -> None:
    """Raise unless the gradients of `fn` (order 2: of its gradients) are its slopes, to 1e-6 of the largest.

    Args:
        backend: one that computes in float64.
        fn: takes and returns float64 arrays.
        args: points with no kink of `fn` within `step`.
        order: 1, or 2 for the derivatives of the first gradients.
        step: of the differences.
    """

    def first(*arrays: Any) -> Any:
        grads = gradients(backend, fn, arrays)
        return backend.concatenate([backend.reshape(g, -1) for g in grads], 0)

    function = fn if order == 1 else first
    got = gradients(backend, function, args)
    want = slopes(function, args, step)
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        assert g.dtype == np.float64, f"gradient {i} has dtype {g.dtype}"
        scale = max(1.0, float(np.abs(w).max(initial=0.0)))
        assert_allclose(g, w, rtol=1e-6, atol=1e-6 * scale, err_msg=f"gradient {i}")
