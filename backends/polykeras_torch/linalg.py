"""Matrix products and linear algebra on torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from polykeras.backend.families.linalg import Linalg
from polykeras_torch.arrays import WIDE

# (dtype to compute in, dtype of the result) if torch has no matrix product, or the contract wants another dtype.
_PRODUCTS = {
    torch.int8: (torch.int32, torch.int32),
    torch.bool: (torch.int32, torch.bool),
} | {dtype: (torch.int64, dtype) for dtype in WIDE}


@contextmanager
def _as_value_error(what: str) -> Iterator[None]:
    try:
        yield
    except torch.linalg.LinAlgError as error:  # pyright: ignore[reportPrivateImportUsage]
        raise ValueError(f"{what} {error}") from None


def _at_least_single(x: Tensor) -> Tensor:
    """Return `x` in a dtype that LAPACK supports."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class TorchLinalg(Linalg):
    """Products and decompositions."""

    def matmul(self, x1: Tensor, x2: Tensor) -> Tensor:
        if x1.dtype in _PRODUCTS:
            compute, result = _PRODUCTS[x1.dtype]
            return torch.matmul(x1.to(compute), x2.to(compute)).to(result)
        return torch.matmul(x1, x2)

    def einsum(self, subscripts: str, *operands: Tensor, **kwargs: Any) -> Tensor:
        dtype = operands[0].dtype
        if dtype.is_floating_point or dtype.is_complex:
            return torch.einsum(subscripts, *operands)
        result = torch.int32 if dtype is torch.int8 else dtype
        return torch.einsum(subscripts, *(x.to(torch.int64) for x in operands)).to(result)

    def cholesky(self, x: Tensor, upper: bool = False) -> Tensor:
        with _as_value_error("cholesky expected symmetric positive definite matrices;"):
            return torch.linalg.cholesky(x, upper=upper)

    def qr(self, x: Tensor, mode: Literal["reduced", "complete"] = "reduced") -> tuple[Tensor, Tensor]:
        q, r = torch.linalg.qr(x, mode)
        return q, r

    def svd(self, x: Tensor, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        if not compute_uv:
            return torch.linalg.svdvals(x)
        return tuple(torch.linalg.svd(x, full_matrices))

    def eigh(self, x: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = torch.linalg.eigh((x + x.mH) / 2)  # the gradient is symmetric, like the argument
        return values, vectors

    def eig(self, x: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = torch.linalg.eig(x.detach())
        return values, vectors

    def lu_factor(self, x: Tensor) -> tuple[Tensor, Tensor]:
        packed, pivots, _ = torch.linalg.lu_factor_ex(_at_least_single(x))
        return packed.to(x.dtype), pivots - 1  # torch counts from 1, as LAPACK does

    def solve(self, a: Tensor, b: Tensor) -> Tensor:
        vector = b.ndim == a.ndim - 1
        with _as_value_error("solve expected invertible matrices;"):
            x = torch.linalg.solve(a, b[..., None] if vector else b)
        return x[..., 0] if vector else x

    def solve_triangular(self, a: Tensor, b: Tensor, lower: bool = False) -> Tensor:
        vector = b.ndim == a.ndim - 1
        left, right = _at_least_single(a), _at_least_single(b[..., None] if vector else b)
        x = torch.linalg.solve_triangular(left, right, upper=not lower).to(a.dtype)
        return x[..., 0] if vector else x
