"""Elementwise operations on torch kernels."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor

from polykeras.backend.families.bitwise import Bitwise
from polykeras.backend.families.elementwise import Elementwise
from polykeras.backend.families.logical import Logical
from polykeras_torch.arrays import WIDE, like, native, pair, retry_wide
from polykeras_torch.layouts import whole


class _Expm1(torch.autograd.Function):
    """`expm1` with the gradient `exp(x)`. Torch uses `expm1(x) + 1`, which is 0 from about -17 down."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs: Tensor) -> Tensor:
        return torch.expm1(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:
        return upstream[0] * torch.exp(ctx.saved_tensors[0])


def _floor_divide(x1: Tensor, x2: Tensor) -> Tensor:
    """Return `torch.floor_divide(x1, x2)` with a gradient of 0; torch's own has none."""
    return torch.div(x1, x2, rounding_mode="floor")


class TorchElementwise(Elementwise, Logical, Bitwise):
    """One kernel for each op. If torch lacks a kernel for uint16 or uint32, the op is tried again in int64."""

    # ---- one argument ------------------------------------------------------------------------------------------

    exp = native(torch.exp, Elementwise.exp)
    log = native(torch.log, Elementwise.log)
    log1p = native(torch.log1p, Elementwise.log1p)
    sqrt = native(torch.sqrt, Elementwise.sqrt)
    sin = native(torch.sin, Elementwise.sin)
    cos = native(torch.cos, Elementwise.cos)
    tanh = native(torch.tanh, Elementwise.tanh)
    erf = native(torch.erf, Elementwise.erf)
    erfinv = native(torch.erfinv, Elementwise.erfinv)
    floor = native(torch.floor, Elementwise.floor)
    real = native(torch.real, Elementwise.real)

    def abs(self, x: Tensor) -> Tensor:
        return x if x.dtype is torch.bool or x.dtype in WIDE else torch.abs(x)

    def expm1(self, x: Tensor) -> Tensor:
        return _Expm1.apply(x) if x.requires_grad else torch.expm1(x)

    def negative(self, x: Tensor) -> Tensor:
        try:
            return -x
        except RuntimeError as error:
            return retry_wide(error, torch.neg, x)

    def round(self, x: Tensor, decimals: int = 0) -> Tensor:
        if x.is_floating_point():
            if decimals and x.element_size() == 2:  # multiplying by 10 is too imprecise in 16 bits
                return torch.round(x.float(), decimals=decimals).to(x.dtype)
            return torch.round(x, decimals=decimals)
        if decimals >= 0 or x.dtype is torch.bool:
            return x
        unit = 10**-decimals
        return (torch.round(x.to(torch.float64) / unit) * unit).to(x.dtype)

    def imag(self, x: Tensor) -> Tensor:
        return torch.imag(x) if x.is_complex() else torch.zeros_like(x)

    # ---- two arguments -----------------------------------------------------------------------------------------

    def add(self, x1: Any, x2: Any) -> Tensor:
        try:
            return x1 + x2
        except RuntimeError as error:
            return retry_wide(error, operator.add, x1, x2)

    def subtract(self, x1: Any, x2: Any) -> Tensor:
        try:
            return x1 - x2
        except RuntimeError as error:
            if bool in (type(x1), type(x2)):  # torch refuses `x - True`
                return self.subtract(*pair(x1, x2))
            return retry_wide(error, operator.sub, x1, x2)

    def multiply(self, x1: Any, x2: Any) -> Tensor:
        return x1 * x2

    def divide(self, x1: Any, x2: Any) -> Tensor:
        # Torch's `scalar / tensor` rounds twice: it multiplies by the reciprocal.
        return x1 / x2 if isinstance(x1, Tensor) else like(x1, x2) / x2

    def floor_divide(self, x1: Any, x2: Any) -> Tensor:
        x1, x2 = pair(x1, x2)
        try:
            return _floor_divide(x1, x2)
        except RuntimeError as error:
            return retry_wide(error, _floor_divide, x1, x2)

    def power(self, x1: Any, x2: Any) -> Tensor:
        try:
            return torch.pow(x1, x2)
        except RuntimeError as error:
            return retry_wide(error, torch.pow, x1, x2)

    def maximum(self, x1: Any, x2: Any) -> Tensor:
        x1, x2 = pair(x1, x2)
        try:
            return torch.maximum(x1, x2)
        except RuntimeError as error:
            return retry_wide(error, torch.maximum, x1, x2)

    def minimum(self, x1: Any, x2: Any) -> Tensor:
        x1, x2 = pair(x1, x2)
        try:
            return torch.minimum(x1, x2)
        except RuntimeError as error:
            return retry_wide(error, torch.minimum, x1, x2)

    def arctan2(self, x1: Any, x2: Any) -> Tensor:
        return torch.atan2(*pair(x1, x2))

    def equal(self, x1: Any, x2: Any) -> Tensor:
        return x1 == x2

    def less(self, x1: Any, x2: Any) -> Tensor:
        try:
            return x1 < x2
        except RuntimeError as error:
            return retry_wide(error, operator.lt, x1, x2)

    def bitwise_and(self, x: Any, y: Any) -> Tensor:
        return x & y

    def bitwise_or(self, x: Any, y: Any) -> Tensor:
        return x | y

    def bitwise_xor(self, x: Any, y: Any) -> Tensor:
        return x ^ y

    def left_shift(self, x: Any, y: Any) -> Tensor:
        x, y = whole(x), whole(y)  # DTensors come back unshifted (torch 2.13)
        try:
            return x << y
        except RuntimeError as error:
            return retry_wide(error, operator.lshift, x, y)

    def right_shift(self, x: Any, y: Any) -> Tensor:
        x, y = whole(x), whole(y)  # as in `left_shift`
        try:
            return x >> y
        except RuntimeError as error:
            return retry_wide(error, operator.rshift, x, y)

    def complex(self, real: Any, imag: Any) -> Tensor:
        return torch.complex(*pair(real, imag))

    def where(self, condition: Tensor, x1: Any, x2: Any) -> Tensor:
        return torch.where(condition if condition.dtype is torch.bool else condition != 0, x1, x2)

    # ---- composites of the contract, on native kernels -----------------------------------------------------------

    def not_equal(self, x1: Any, x2: Any) -> Tensor:
        return x1 != x2

    rsqrt = native(torch.rsqrt, Elementwise.rsqrt)
    sigmoid = native(torch.sigmoid, Elementwise.sigmoid)
    isnan = native(torch.isnan, Logical.isnan)
    isfinite = native(torch.isfinite, Logical.isfinite)

    def softplus(self, x: Tensor) -> Tensor:
        # Above the threshold torch returns x, where log(1 + exp(-x)) is below half a unit in the last place.
        return torch.nn.functional.softplus(x, threshold=37 if x.dtype is torch.float64 else 20)
