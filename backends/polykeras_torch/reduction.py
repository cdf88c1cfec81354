"""Reductions and scans on torch kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from polykeras import dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.families.reduction import Reduction
from polykeras.backend.spec import Axis
from polykeras_torch.arrays import WIDE, retry_wide, torch_dtype
from polykeras_torch.layouts import whole

# Torch would sum all integers in int64. Dtypes that are not listed are kept.
_SUM_DTYPES = {torch.bool: torch.int32, torch.int8: torch.int32, torch.int16: torch.int32, torch.int32: torch.int32}
_UNSIGNED = WIDE | {torch.uint8}


def _dims(axis: Axis) -> Any:
    """Return `axis` as torch takes it: None, an int, or a tuple."""
    return axis if axis is None or isinstance(axis, int) else tuple(axis)


def _accumulate(fn: Callable[..., Tensor], x: Tensor, *args: Any, dtype: str | None = None) -> Tensor:
    """Return `fn(x, *args, dtype=...)` with the result's dtype as in `dtypes.sum_type`, or as given."""
    target = _SUM_DTYPES.get(x.dtype) if dtype is None else torch_dtype(dtype)
    if target is None and x.dtype in _UNSIGNED:
        target = torch.uint32
    if target in WIDE or x.dtype in WIDE:
        wide = x.to(torch.int64) if x.dtype in _UNSIGNED else x
        return fn(wide, *args, dtype=torch.int64 if target in WIDE else target).to(target)
    return fn(x, *args, dtype=target)


def _along(x: Tensor, axis: int | None) -> tuple[Tensor, int]:
    return (x.reshape(-1), 0) if axis is None else (x, canonical_axis(axis, x.ndim))


def _amax(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return torch.amax(x, () if axis is None else axis, keepdims)


def _amin(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return torch.amin(x, () if axis is None else axis, keepdims)


class TorchReduction(Reduction):
    """Reductions. For torch an empty tuple of axes means all axes; in the contract it reduces nothing.

    Torch 2.13 gives wrong results for some DTensors: extremes over several axes, with nan or ties; scans along axes
    that are counted from the end; sums of what casts make of `any`. `tests/distribution/scripts/cut_ops.py` finds such.
    """

    def sum(self, x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
        dims = _dims(axis)
        if x.is_floating_point():
            if dims == ():
                return x
            if self.reduced_size(x, axis) == 1:  # no kernel is needed, for instance for the loss of a single output
                return x if keepdims else x.reshape(()) if dims is None else x.squeeze(dims)
            return torch.sum(x, dims, keepdims)
        if dims == ():
            return self.cast(x, dtypes.sum_type(self.dtype(x)))
        return _accumulate(torch.sum, x, dims, keepdims)

    def prod(self, x: Tensor, axis: Axis = None, keepdims: bool = False, dtype: str | None = None) -> Tensor:
        dims = _dims(axis)
        if dims == ():
            return self.cast(x, dtype or dtypes.sum_type(self.dtype(x)))
        if isinstance(dims, int):
            return _accumulate(torch.prod, x, dims, keepdims, dtype=dtype)
        return self._prod_over_axes(x, dims, keepdims, dtype)

    def _prod_over_axes(self, x: Tensor, axis: tuple[int, ...] | None, keepdims: bool, dtype: str | None) -> Tensor:
        """Return the product over several axes: torch multiplies over one, so move them together at the end."""
        axes = range(x.ndim) if axis is None else sorted({canonical_axis(a, x.ndim) for a in axis})
        kept = [a for a in range(x.ndim) if a not in axes]
        flat = x.permute(*kept, *axes).flatten(len(kept)) if x.ndim else x.reshape(1)
        result = _accumulate(torch.prod, flat, -1, False, dtype=dtype)
        return result.reshape([1 if a in axes else n for a, n in enumerate(x.shape)]) if keepdims else result

    def max(self, x: Tensor, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Tensor:
        result = self._extreme(_amax, x, axis, keepdims, initial)
        return result if initial is None else self.maximum(result, initial)

    def min(self, x: Tensor, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Tensor:
        result = self._extreme(_amin, x, axis, keepdims, initial)
        return result if initial is None else self.minimum(result, initial)

    def _extreme(
        self, fn: Callable[..., Tensor], x: Tensor, axis: Axis, keepdims: bool, initial: float | None
    ) -> Tensor:
        dims, x = _dims(axis), whole(x)
        if dims == ():
            return x
        if initial is not None and x.numel() == 0:  # only the shape matters, and torch has a sum of no elements
            return torch.full_like(torch.sum(x.to(torch.int64), dims, keepdims), initial, dtype=x.dtype)
        try:
            return fn(x, dims, keepdims)
        except RuntimeError as error:
            return retry_wide(error, fn, x, dims, keepdims)

    def any(self, x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return whole(torch.any(x.to(torch.bool), _dims(axis), keepdims))

    def all(self, x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return torch.all(x.to(torch.bool), _dims(axis), keepdims)

    def argmax(self, x: Tensor, axis: int | None = None, keepdims: bool = False) -> Tensor:
        if x.dtype is torch.bool:
            x = x.to(torch.uint8)
        elif x.dtype in WIDE:
            x = x.to(torch.int64)
        return torch.argmax(x, axis, keepdims).to(torch.int32)

    def cumsum(self, x: Tensor, axis: int | None = None, dtype: str | None = None) -> Tensor:
        dtype = dtype or dtypes.number_type(self.dtype(x))
        return _accumulate(torch.cumsum, *_along(x, axis), dtype=dtype)

    def cumprod(self, x: Tensor, axis: int | None = None, dtype: str | None = None) -> Tensor:
        dtype = dtype or dtypes.number_type(self.dtype(x))
        return _accumulate(torch.cumprod, *_along(x, axis), dtype=dtype)
