"""Elementwise operations and selection."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from polykeras.backend.families.bitwise import Bitwise
from polykeras.backend.families.elementwise import Elementwise
from polykeras.backend.families.logical import Logical
from polykeras.backend.spec import Array
from polykeras.dtypes import SCALARS
from polykeras_tensorflow.graphs import constant
from polykeras_tensorflow.kernels import erfinv, floor_divide, maximum, minimum, power

raw = tf.raw_ops

HALVES = (tf.float16, tf.bfloat16)
WIDE = (tf.float32, tf.float64)


def operands(x1: Any, x2: Any) -> tuple[Array, Array]:
    """Return both operands as arrays of one dtype; one of them may be a Python scalar."""
    if type(x1) in SCALARS:
        return scalar_like(x1, x2), x2
    if type(x2) in SCALARS:
        return x1, scalar_like(x2, x1)
    return x1, x2


def scalar_like(value: bool | int | float | complex, x: Array) -> Array:
    """Return a Python scalar as an array of the dtype of `x`."""
    return constant(np.asarray(value).astype(x.dtype.as_numpy_dtype), x.dtype)


class TensorflowElementwise(Elementwise, Logical, Bitwise):
    """Kernels of TensorFlow, completed by gradients and dtypes that it lacks."""

    # ---- one argument ------------------------------------------------------------------------------------------

    def abs(self, x: Array) -> Array:
        if x.dtype.is_complex:
            return raw.ComplexAbs(x=x, Tout=x.dtype.real_dtype)
        return x if x.dtype.is_unsigned or x.dtype.is_bool else raw.Abs(x=x)

    def negative(self, x: Array) -> Array:
        return raw.Sub(x=tf.zeros_like(x), y=x) if x.dtype.is_unsigned else raw.Neg(x=x)

    def floor(self, x: Array) -> Array:
        return raw.Floor(x=x)

    def round(self, x: Array, decimals: int = 0) -> Array:
        dtype = x.dtype
        if not (dtype.is_floating or dtype.is_complex):
            if decimals >= 0 or dtype.is_bool:
                return x
            wide = raw.Cast(x=x, DstT=tf.float64)
            return raw.Cast(x=self.round(wide, decimals), DstT=dtype)
        if dtype.is_complex:
            return self.complex(self.round(self.real(x), decimals), self.round(self.imag(x), decimals))
        if decimals == 0:
            return raw.Round(x=x)
        if dtype.size == 2:  # multiplying by 10 is too imprecise in 16 bits
            return raw.Cast(x=self.round(raw.Cast(x=x, DstT=tf.float32), decimals), DstT=dtype)
        scale = scalar_like(10.0 ** abs(decimals), x)
        if decimals > 0:
            return raw.RealDiv(x=raw.Round(x=x * scale), y=scale)
        return raw.Round(x=x / scale) * scale

    def exp(self, x: Array) -> Array:
        return raw.Exp(x=x)

    def expm1(self, x: Array) -> Array:
        return raw.Expm1(x=x)

    def log(self, x: Array) -> Array:
        return raw.Log(x=x)

    def log1p(self, x: Array) -> Array:
        return raw.Log1p(x=x)

    def sqrt(self, x: Array) -> Array:
        return raw.Sqrt(x=x)

    def sin(self, x: Array) -> Array:
        return raw.Sin(x=x)

    def cos(self, x: Array) -> Array:
        return raw.Cos(x=x)

    def tanh(self, x: Array) -> Array:
        return raw.Tanh(x=x)

    def erf(self, x: Array) -> Array:
        if x.dtype != tf.float64:
            return raw.Erf(x=x)
        infinite = raw.IsInf(x=x)  # the float64 kernel returns nan there
        return raw.SelectV2(
            condition=infinite, t=raw.Sign(x=x), e=raw.Erf(x=raw.SelectV2(condition=infinite, t=tf.zeros_like(x), e=x))
        )

    def erfinv(self, x: Array) -> Array:
        return self.cast(erfinv(self.cast(x, "float64")), x.dtype.name)

    def real(self, x: Array) -> Array:
        return raw.Real(input=x, Tout=x.dtype.real_dtype) if x.dtype.is_complex else x

    def imag(self, x: Array) -> Array:
        return raw.Imag(input=x, Tout=x.dtype.real_dtype) if x.dtype.is_complex else tf.zeros_like(x)

    # ---- two arguments -----------------------------------------------------------------------------------------

    def add(self, x1: Array, x2: Array) -> Array:
        x1, x2 = operands(x1, x2)
        return raw.LogicalOr(x=x1, y=x2) if x1.dtype.is_bool else raw.AddV2(x=x1, y=x2)

    def subtract(self, x1: Array, x2: Array) -> Array:
        x1, x2 = operands(x1, x2)
        return raw.Sub(x=x1, y=x2)

    def multiply(self, x1: Array, x2: Array) -> Array:
        x1, x2 = operands(x1, x2)
        return raw.LogicalAnd(x=x1, y=x2) if x1.dtype.is_bool else raw.Mul(x=x1, y=x2)

    def divide(self, x1: Array, x2: Array) -> Array:
        x1, x2 = operands(x1, x2)
        return raw.RealDiv(x=x1, y=x2)

    def floor_divide(self, x1: Array, x2: Array) -> Array:
        x1, x2 = operands(x1, x2)
        if not x1.dtype.is_floating:
            if x1.dtype.is_bool:
                return self.cast(self.floor_divide(self.cast(x1, "int8"), self.cast(x2, "int8")), "bool")
            return raw.FloorDiv(x=x1, y=x2)
        if x1.dtype in HALVES:
            wide = self.floor_divide(self.cast(x1, "float32"), self.cast(x2, "float32"))
            return raw.Cast(x=wide, DstT=x1.dtype)
        return floor_divide(tf.stop_gradient(x1), tf.stop_gradient(x2))

    def power(self, x1: Array, x2: Array) -> Array:
        if type(x2) is int and 0 < x2 <= 3:  # cheaper, and its derivatives at 0 are right
            return x1 if x2 == 1 else raw.Mul(x=x1, y=self.power(x1, x2 - 1))
        x1, x2 = operands(x1, x2)
        dtype = x1.dtype
        if dtype.is_floating:
            return power(x1, x2)
        if dtype.is_unsigned or dtype.is_bool:
            wide = "int64" if dtype in (tf.uint32, tf.uint64) else "int32"
            return raw.Cast(x=raw.Pow(x=self.cast(x1, wide), y=self.cast(x2, wide)), DstT=dtype)
        return raw.Pow(x=x1, y=x2)

    def maximum(self, x1: Array, x2: Array) -> Array:
        x1, x2 = operands(x1, x2)
        if x1.dtype.is_bool:
            return raw.LogicalOr(x=x1, y=x2)
        return maximum(x1, x2) if x1.dtype.is_floating else raw.Maximum(x=x1, y=x2)

    def minimum(self, x1: Array, x2: Array) -> Array:
        x1, x2 = operands(x1, x2)
        if x1.dtype.is_bool:
            return raw.LogicalAnd(x=x1, y=x2)
        return minimum(x1, x2) if x1.dtype.is_floating else raw.Minimum(x=x1, y=x2)

    def arctan2(self, x1: Array, x2: Array) -> Array:
        x1, x2 = operands(x1, x2)
        return raw.Atan2(y=x1, x=x2)

    def equal(self, x1: Array, x2: Array) -> Array:
        x1, x2 = operands(x1, x2)
        return raw.Equal(x=x1, y=x2)

    def less(self, x1: Array, x2: Array) -> Array:
        x1, x2 = operands(x1, x2)
        if x1.dtype.is_bool:
            return raw.LogicalAnd(x=raw.LogicalNot(x=x1), y=x2)
        return raw.Less(x=x1, y=x2)

    def bitwise_and(self, x: Array, y: Array) -> Array:
        x, y = operands(x, y)
        return raw.LogicalAnd(x=x, y=y) if x.dtype.is_bool else raw.BitwiseAnd(x=x, y=y)

    def bitwise_or(self, x: Array, y: Array) -> Array:
        x, y = operands(x, y)
        return raw.LogicalOr(x=x, y=y) if x.dtype.is_bool else raw.BitwiseOr(x=x, y=y)

    def bitwise_xor(self, x: Array, y: Array) -> Array:
        x, y = operands(x, y)
        return raw.NotEqual(x=x, y=y) if x.dtype.is_bool else raw.BitwiseXor(x=x, y=y)

    def left_shift(self, x: Array, y: Array) -> Array:
        x, y = operands(x, y)
        return raw.LeftShift(x=x, y=y)

    def right_shift(self, x: Array, y: Array) -> Array:
        x, y = operands(x, y)
        return raw.RightShift(x=x, y=y)

    def complex(self, real: Array, imag: Array) -> Array:
        real, imag = operands(real, imag)
        return raw.Complex(real=real, imag=imag, Tout=tf.complex128 if real.dtype == tf.float64 else tf.complex64)

    def where(self, condition: Array, x1: Array, x2: Array) -> Array:
        if type(x1) in SCALARS and type(x2) in SCALARS:
            x1 = self.asarray(x1)
        x1, x2 = operands(x1, x2)
        return raw.SelectV2(condition=self.cast(condition, "bool"), t=x1, e=x2)

    # ---- composites of the contract, on native kernels -----------------------------------------------------------

    def sigmoid(self, x: Array) -> Array:
        return raw.Sigmoid(x=x)  # the composite takes half the time of an LSTM's step
