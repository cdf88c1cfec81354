"""Elementwise kernels of TensorFlow, with values and gradients that they lack."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from polykeras.backend.spec import Array
from polykeras_tensorflow.graphs import constant

raw = tf.raw_ops

# The coefficients of erfinv(x) = sum of c[k] * x ** (2 * k + 1).
_ERFINV_SERIES = [
    math.sqrt(math.pi) / 2 * c for c in (1.0, math.pi / 12, 7 * math.pi**2 / 480, 127 * math.pi**3 / 40320)
]


def erfinv(x: Array) -> Array:
    """Return the inverse error function in float64.

    The kernel evaluates the normal quantile at `(1 + x) / 2`, which loses the precision of a small `x`. There the first
    terms of the Maclaurin series are used.
    """
    square = raw.Square(x=x)
    series = 0.0
    for coefficient in reversed(_ERFINV_SERIES):
        series = series * square + coefficient
    small = raw.Less(x=square, y=constant(1e-4, tf.float64))
    return raw.SelectV2(condition=small, t=x * series, e=raw.Erfinv(x=x))


def _fit(gradient: Array, x: Array) -> Array:
    """Return the gradient of `x` from that of `x` broadcast to a larger shape."""
    if None in gradient.shape.as_list() or None in x.shape.as_list():  # the axes are known only when the graph runs
        axes, _ = raw.BroadcastGradientArgs(s0=tf.shape(x), s1=tf.shape(gradient))
        return tf.reshape(tf.reduce_sum(gradient, axes), tf.shape(x))
    lead = gradient.shape.rank - x.shape.rank
    spread = [i for i, n in enumerate(x.shape, lead) if n != gradient.shape[i]]
    if not lead and not spread:
        return gradient
    return tf.reshape(tf.reduce_sum(gradient, [*range(lead), *spread]), x.shape)


def _half_at_ties(op: Any, wins: Any) -> Any:
    """Return `op` (maximum or minimum) with a gradient that a tie halves; TensorFlow's goes to the first operand."""

    @tf.custom_gradient
    def choose(x: Array, y: Array) -> Any:
        def grad(upstream: Array) -> tuple[Array, Array]:
            zero = constant(0, upstream.dtype)
            shared = raw.SelectV2(condition=raw.Equal(x=x, y=y), t=0.5 * upstream, e=zero)
            return (
                _fit(raw.SelectV2(condition=wins(x=x, y=y), t=upstream, e=shared), x),
                _fit(raw.SelectV2(condition=wins(x=y, y=x), t=upstream, e=shared), y),
            )

        return op(x=x, y=y), grad

    return choose


maximum = _half_at_ties(raw.Maximum, raw.Greater)


minimum = _half_at_ties(raw.Minimum, raw.Less)


@tf.custom_gradient
def power(x: Array, y: Array) -> Any:
    """Return `x ** y` for floats, with derivatives of every order that are finite wherever the function is smooth.

    TensorFlow uses `y * x ** (y - 1)`, which is nan at `x = 0, y = 0`, and in higher derivatives of `x ** 2`.
    """
    z = raw.Pow(x=x, y=y)

    def grad(upstream: Array) -> tuple[Array, Array]:
        zero, one = constant(0, x.dtype), constant(1, x.dtype)
        at_zero = raw.Equal(x=x, y=zero)  # 0 ** y is constant in y there
        is_flat = raw.LogicalAnd(x=at_zero, y=raw.Equal(x=y, y=zero))
        lower = raw.SelectV2(condition=is_flat, t=zero, e=y - one)
        slope = power(x, y) * raw.Log(x=raw.SelectV2(condition=at_zero, t=one, e=x))
        slope = raw.SelectV2(condition=at_zero, t=zero, e=slope)
        return _fit(upstream * y * power(x, lower), x), _fit(upstream * slope, y)

    return z, grad


def floor_divide(x: Array, y: Array) -> Array:
    """Return the result of Python's `//` for floats. It is exact; `floor(x / y)` rounds first (1.0 // 0.1)."""
    remainder = raw.TruncateMod(x=x, y=y)
    quotient = (x - remainder) / y
    below = raw.LogicalAnd(
        x=raw.NotEqual(x=remainder, y=tf.zeros_like(remainder)),
        y=raw.NotEqual(x=raw.Less(x=remainder, y=tf.zeros_like(remainder)), y=raw.Less(x=y, y=tf.zeros_like(y))),
    )
    whole = raw.Round(x=quotient - raw.Cast(x=below, DstT=x.dtype))
    return raw.SelectV2(condition=raw.Equal(x=y, y=tf.zeros_like(y)), t=x / y, e=whole)
