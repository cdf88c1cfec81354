"""Elementwise operations on JAX."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer

from polykeras.backend.families.bitwise import Bitwise
from polykeras.backend.families.elementwise import Elementwise
from polykeras.backend.families.logical import Logical
from polykeras.backend.spec import Array


@jax.custom_jvp
def _expm1(x: Array) -> Array:
    return jnp.expm1(x)


# JAX's own derivative, `expm1(x) + 1`, rounds to 0 for x below -17.
_expm1.defjvps(lambda tangent, out, x: tangent * jnp.exp(x))


@jax.custom_jvp
def _quotient(x1: Array, x2: Array) -> Array:
    return jnp.divide(x1, x2)


# JAX's own derivative in the divisor, `-x1 * x2 ** -2`, is 0, inf or nan if the square over- or underflows.
_quotient.defjvps(lambda tangent, out, x1, x2: tangent / x2, lambda tangent, out, x1, x2: -tangent * (out / x2))


def _divide(x1: Array, x2: Array) -> Array:
    if not isinstance(x1, Tracer) and not isinstance(x2, Tracer):
        return jnp.divide(x1, x2)  # nothing is differentiated here, and calling `_quotient` is slow
    # Not compiled as one program: XLA would turn the two divisions of the derivative into one division by the square.
    dtype = jnp.result_type(x1, x2)
    return _quotient(jnp.asarray(x1, dtype), jnp.asarray(x2, dtype))


@partial(jax.jit, inline=True)
def _abs(x: Array) -> Array:
    # JAX's gradient of abs at 0 is 1; the sign is 0 there, and nan at nan.
    return x * lax.stop_gradient(lax.sign(x))


_logistic = jax.jit(lax.logistic, inline=True)


class JaxElementwise(Elementwise, Logical, Bitwise):
    """See `elementwise`, `logical` and `bitwise` in `polykeras.backend.families`."""

    def abs(self, x: Array) -> Array:
        return jnp.abs(x) if x.dtype.kind in "biuc" else _abs(x)

    def negative(self, x: Array) -> Array:
        return jnp.negative(x)

    def floor(self, x: Array) -> Array:
        return jnp.floor(x)

    def round(self, x: Array, decimals: int = 0) -> Array:
        if x.dtype.kind not in "biu":
            return jnp.round(x, decimals)
        if decimals >= 0:
            return x
        # JAX does not round integers to tens: do so in integer arithmetic, with halves to the even multiple.
        ten = 10**-decimals
        if ten > jnp.iinfo(x.dtype).max:
            return jnp.zeros_like(x)
        low = x // ten
        rest = x - low * ten
        up = (rest > ten - rest) | ((rest == ten - rest) & (low % 2 == 1))
        return (low + up.astype(x.dtype)) * ten

    def exp(self, x: Array) -> Array:
        return jnp.exp(x)

    def expm1(self, x: Array) -> Array:
        return _expm1(x)

    def log(self, x: Array) -> Array:
        return jnp.log(x)

    def log1p(self, x: Array) -> Array:
        return jnp.log1p(x)

    def sqrt(self, x: Array) -> Array:
        return jnp.sqrt(x)

    def sin(self, x: Array) -> Array:
        return jnp.sin(x)

    def cos(self, x: Array) -> Array:
        return jnp.cos(x)

    def tanh(self, x: Array) -> Array:
        return jnp.tanh(x)

    def erf(self, x: Array) -> Array:
        return lax.erf(x)

    def erfinv(self, x: Array) -> Array:
        return lax.erf_inv(x)

    def real(self, x: Array) -> Array:
        return jnp.real(x)

    def imag(self, x: Array) -> Array:
        return lax.imag(x) if x.dtype.kind == "c" else jnp.zeros_like(x)

    def add(self, x1: Array, x2: Array) -> Array:
        return jnp.add(x1, x2)

    def subtract(self, x1: Array, x2: Array) -> Array:
        return jnp.subtract(x1, x2)

    def multiply(self, x1: Array, x2: Array) -> Array:
        return jnp.multiply(x1, x2)

    def divide(self, x1: Array, x2: Array) -> Array:
        return _divide(x1, x2)

    def floor_divide(self, x1: Array, x2: Array) -> Array:
        return jnp.floor_divide(x1, x2)

    def power(self, x1: Array, x2: Array) -> Array:
        if jnp.issubdtype(jnp.result_type(x1), jnp.inexact) and not (isinstance(x2, int | float) and x2):
            # JAX's gradient in x1 is 0 * inf at 0 ** 0: use 1 ** 0 instead.
            x1 = jnp.where((x1 == 0) & (x2 == 0), jnp.ones_like(x1), x1)
        return jnp.power(x1, x2)

    def maximum(self, x1: Array, x2: Array) -> Array:
        return jnp.maximum(x1, x2)

    def minimum(self, x1: Array, x2: Array) -> Array:
        return jnp.minimum(x1, x2)

    def arctan2(self, x1: Array, x2: Array) -> Array:
        return jnp.arctan2(x1, x2)

    def equal(self, x1: Array, x2: Array) -> Array:
        return jnp.equal(x1, x2)

    def less(self, x1: Array, x2: Array) -> Array:
        return jnp.less(x1, x2)

    def bitwise_and(self, x: Array, y: Array) -> Array:
        return jnp.bitwise_and(x, y)

    def bitwise_or(self, x: Array, y: Array) -> Array:
        return jnp.bitwise_or(x, y)

    def bitwise_xor(self, x: Array, y: Array) -> Array:
        return jnp.bitwise_xor(x, y)

    def left_shift(self, x: Array, y: Array) -> Array:
        return jnp.left_shift(x, y)

    def right_shift(self, x: Array, y: Array) -> Array:
        return jnp.right_shift(x, y)  # arithmetic for signed, logical for unsigned integers

    def complex(self, real: Array, imag: Array) -> Array:
        real, imag = jnp.broadcast_arrays(real, imag)
        return lax.complex(real, imag)

    def where(self, condition: Array, x1: Array, x2: Array) -> Array:
        return jnp.where(condition, x1, x2)

    # ---- composites of the contract, on native kernels -----------------------------------------------------------

    def sigmoid(self, x: Array) -> Array:
        return _logistic(x)  # faster than the composite: an LSTM's step takes half the time
