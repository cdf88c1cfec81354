"""Elementwise operations and selection."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polykeras.backend.families.bitwise import Bitwise
from polykeras.backend.families.elementwise import Elementwise
from polykeras.backend.families.logical import Logical
from polykeras.backend.spec import Array
from polykeras_numpy import special
from polykeras_numpy.tape import anp, fit, primitive, rule


@primitive
def where(condition: Any, x1: Any, x2: Any) -> np.ndarray:
    """Return `x1` where `condition` holds, else `x2`; autograd's own function would return lists for lists."""
    return np.where(condition, x1, x2)


@primitive
def _complex(real: Any, imag: Any) -> np.ndarray:
    out = np.empty(np.broadcast_shapes(real.shape, imag.shape), np.result_type(real, np.complex64))
    out.real, out.imag = real, imag
    return out


_erf = primitive(special.erf)
_erfinv = primitive(special.erfinv)


# ---- gradients: one argument -------------------------------------------------------------------------------------


def _abs_vjp(g: Any, ans: Any, x: Any) -> Any:
    if x.dtype.kind != "c":
        return g * anp.sign(x)
    return g * anp.conj(x) / where(ans == 0, 1, ans)


rule(anp.abs, _abs_vjp)
rule(anp.negative, lambda g, ans, x: anp.negative(g))
rule(anp.exp, lambda g, ans, x: g * ans)
rule(anp.expm1, lambda g, ans, x: g * anp.exp(x))  # not ans + 1, which loses the lower tail
rule(anp.log, lambda g, ans, x: g / x)
rule(anp.log1p, lambda g, ans, x: g / (1 + x))
rule(anp.sqrt, lambda g, ans, x: g * (0.5 / ans))
rule(anp.sin, lambda g, ans, x: g * anp.cos(x))
rule(anp.cos, lambda g, ans, x: -g * anp.sin(x))
rule(anp.tanh, lambda g, ans, x: g * (1 - ans * ans))  # 1 / cosh**2 overflows where it is differentiated again
rule(_erf, lambda g, ans, x: g * (special.TWO_OVER_SQRT_PI * anp.exp(-x * x)))
rule(_erfinv, lambda g, ans, x: g * (anp.exp(ans * ans) / special.TWO_OVER_SQRT_PI))
rule(anp.real, lambda g, ans, x: g + 0j if x.dtype.kind == "c" else g)
rule(anp.imag, lambda g, ans, x: g * -1j if x.dtype.kind == "c" else np.zeros(x.shape, x.dtype))
rule(anp.conj, lambda g, ans, x: anp.conj(g))
rule(_complex, lambda g, ans, x, y: fit(g, x), lambda g, ans, x, y: fit(g * 1j, y))


# ---- gradients: two arguments, and selection ---------------------------------------------------------------------


def _power_vjp_base(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if type(y) in (int, float):
        if y == 0:
            return np.zeros(x.shape, x.dtype)
        return g * (y * x) if y == 2 else g * (y * x ** (y - 1))
    zero = anp.equal(y, 0)
    return fit(g * where(zero, 0, y * x ** where(zero, 1, y - 1)), x)


def _power_vjp_exponent(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if type(x) in (int, float):
        return g * (ans * math.log(x)) if x > 0 else fit(g * (ans * (0.0 if x == 0 else math.nan)), y)
    zero = anp.equal(x, 0)  # there, 0 ** y does not change with y, except at y = 0, where we define the gradient as 0
    return fit(g * where(zero, 0, ans * anp.log(where(zero, 1, x))), y)


def _share(x: Any, y: Any, wins: Any) -> Any:
    """Return the share of the gradient that goes to `x`: 1, 0, a half on a tie, and 0 if either is nan."""
    dtype = anp.result_type(x, y)
    return wins(x, y).astype(dtype) + anp.equal(x, y).astype(dtype) * dtype.type(0.5)


rule(anp.add, lambda g, ans, x, y: fit(g, x), lambda g, ans, x, y: fit(g, y))
rule(anp.subtract, lambda g, ans, x, y: fit(g, x), lambda g, ans, x, y: fit(-g, y))
rule(anp.multiply, lambda g, ans, x, y: fit(g * y, x), lambda g, ans, x, y: fit(g * x, y))
for _divide in (anp.divide, anp.true_divide):
    rule(_divide, lambda g, ans, x, y: fit(g / y, x), lambda g, ans, x, y: fit(-g * (ans / y), y))
rule(anp.power, _power_vjp_base, _power_vjp_exponent)
rule(anp.maximum, lambda g, ans, x, y: fit(g * _share(x, y, anp.greater), x),
     lambda g, ans, x, y: fit(g * _share(y, x, anp.greater), y))  # fmt: skip
rule(anp.minimum, lambda g, ans, x, y: fit(g * _share(x, y, anp.less), x),
     lambda g, ans, x, y: fit(g * _share(y, x, anp.less), y))  # fmt: skip
rule(anp.arctan2, lambda g, ans, x, y: fit(g * (y / (x * x + y * y)), x),
     lambda g, ans, x, y: fit(g * (-x / (x * x + y * y)), y))  # fmt: skip
rule(where, lambda g, ans, c, x, y: np.zeros(c.shape, c.dtype), lambda g, ans, c, x, y: fit(where(c, g, 0), x),
     lambda g, ans, c, x, y: fit(where(c, 0, g), y))  # fmt: skip


class NumpyElementwise(Elementwise, Logical, Bitwise):
    """NumPy's universal functions, with additions only where they differ from the contract."""

    def abs(self, x: Array) -> Array:
        return anp.abs(x)

    def negative(self, x: Array) -> Array:
        return anp.negative(x)

    def floor(self, x: Array) -> Array:
        return anp.floor(x) if x.dtype.kind in "fV" else x

    def round(self, x: Array, decimals: int = 0) -> Array:
        if x.dtype.kind == "b":
            return x
        dtype = self.dtype(x)
        if decimals and dtype in ("float16", "bfloat16"):  # the product with 10 has too few digits there
            return self.cast(anp.round(self.cast(x, "float32"), decimals), dtype)
        return anp.round(x, decimals)

    def exp(self, x: Array) -> Array:
        return anp.exp(x)

    def expm1(self, x: Array) -> Array:
        return anp.expm1(x)

    def log(self, x: Array) -> Array:
        return anp.log(x)

    def log1p(self, x: Array) -> Array:
        return anp.log1p(x)

    def sqrt(self, x: Array) -> Array:
        return anp.sqrt(x)

    def sin(self, x: Array) -> Array:
        return anp.sin(x)

    def cos(self, x: Array) -> Array:
        return anp.cos(x)

    def tanh(self, x: Array) -> Array:
        return anp.tanh(x)

    def erf(self, x: Array) -> Array:
        return _erf(x)

    def erfinv(self, x: Array) -> Array:
        return _erfinv(x)

    def real(self, x: Array) -> Array:
        return anp.real(x)

    def imag(self, x: Array) -> Array:
        return anp.imag(x)

    def add(self, x1: Array, x2: Array) -> Array:
        return anp.add(x1, x2)

    def subtract(self, x1: Array, x2: Array) -> Array:
        return anp.subtract(x1, x2)

    def multiply(self, x1: Array, x2: Array) -> Array:
        return anp.multiply(x1, x2)

    def divide(self, x1: Array, x2: Array) -> Array:
        return anp.true_divide(x1, x2)

    def floor_divide(self, x1: Array, x2: Array) -> Array:
        return anp.floor_divide(x1, x2)

    def power(self, x1: Array, x2: Array) -> Array:
        return anp.power(x1, x2)

    def maximum(self, x1: Array, x2: Array) -> Array:
        return anp.maximum(x1, x2)

    def minimum(self, x1: Array, x2: Array) -> Array:
        return anp.minimum(x1, x2)

    def arctan2(self, x1: Array, x2: Array) -> Array:
        return anp.arctan2(x1, x2)

    def equal(self, x1: Array, x2: Array) -> Array:
        return anp.equal(x1, x2)

    def less(self, x1: Array, x2: Array) -> Array:
        return anp.less(x1, x2)

    def bitwise_and(self, x: Array, y: Array) -> Array:
        return np.bitwise_and(x, y)

    def bitwise_or(self, x: Array, y: Array) -> Array:
        return np.bitwise_or(x, y)

    def bitwise_xor(self, x: Array, y: Array) -> Array:
        return np.bitwise_xor(x, y)

    def left_shift(self, x: Array, y: Array) -> Array:
        return np.left_shift(x, y)

    def right_shift(self, x: Array, y: Array) -> Array:
        return np.right_shift(x, y)

    def complex(self, real: Array, imag: Array) -> Array:
        return _complex(self.asarray(real), self.asarray(imag))

    def where(self, condition: Array, x1: Array, x2: Array) -> Array:
        return where(condition, x1, x2)
