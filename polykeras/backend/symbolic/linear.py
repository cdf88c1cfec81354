"""Linear algebra, Fourier transforms and windows without values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from polykeras.backend.families.convolution import Convolution
from polykeras.backend.families.fourier import Fourier
from polykeras.backend.families.linalg import Linalg
from polykeras.backend.symbolic import products
from polykeras.backend.symbolic.array import SymbolicArray
from polykeras.backend.symbolic.core import combine_strictly, complex_dtype, real_dtype
from polykeras.backend.windows import Padding


def _common_dtype(name: str, *arrays: SymbolicArray) -> str:
    return combine_strictly(name, *(SymbolicArray((), x.dtype) for x in arrays)).dtype


def _matrices(x: SymbolicArray, where: str) -> tuple[int, ...]:
    """Check and return the shape of a batch of matrices."""
    if len(x.dims) < 2:
        raise ValueError(f"{where}: expected matrices, shape (..., m, n); received shape {x.dims}.")
    return x.dims


def _pool(
    name: str, inputs: SymbolicArray, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
) -> SymbolicArray:
    shape = inputs.dims
    if len(shape) < 3:
        raise ValueError(f"{name}: expected inputs (batch, *spatial, channels); received shape {shape}.")
    spatial = products.windows(name, shape[1:-1], pool_size, strides, padding, (1,) * len(pool_size))
    return SymbolicArray((shape[0], *spatial, shape[-1]), inputs.dtype)


class SymbolicLinear(Linalg, Fourier, Convolution):
    """Families linalg, fourier and convolution."""

    # ---- linear algebra ----------------------------------------------------------------------------------------

    def matmul(self, x1: SymbolicArray, x2: SymbolicArray) -> SymbolicArray:
        dtype = _common_dtype("matmul", x1, x2)
        return SymbolicArray(products.matmul_shape(x1.dims, x2.dims), "int32" if dtype == "int8" else dtype)

    def einsum(self, subscripts: str, *operands: SymbolicArray, **kwargs: Any) -> SymbolicArray:
        dtype = _common_dtype("einsum", *operands)
        dtype = "int32" if dtype == "int8" else dtype
        return SymbolicArray(products.einsum_shape(subscripts, [x.dims for x in operands]), dtype)

    def cholesky(self, x: SymbolicArray, upper: bool = False) -> SymbolicArray:
        return SymbolicArray(products.square(x.dims, "cholesky"), x.dtype)

    def qr(
        self, x: SymbolicArray, mode: Literal["reduced", "complete"] = "reduced"
    ) -> tuple[SymbolicArray, SymbolicArray]:
        *batch, m, n = _matrices(x, "qr")
        k = min(m, n) if mode == "reduced" else m
        return SymbolicArray((*batch, m, k), x.dtype), SymbolicArray((*batch, k, n), x.dtype)

    def svd(self, x: SymbolicArray, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        *batch, m, n = _matrices(x, "svd")
        k = min(m, n)
        s = SymbolicArray((*batch, k), real_dtype(x.dtype))
        if not compute_uv:
            return s
        u = SymbolicArray((*batch, m, m if full_matrices else k), x.dtype)
        return u, s, SymbolicArray((*batch, n if full_matrices else k, n), x.dtype)

    def eigh(self, x: SymbolicArray) -> tuple[SymbolicArray, SymbolicArray]:
        shape = products.square(x.dims, "eigh")
        return SymbolicArray(shape[:-1], real_dtype(x.dtype)), SymbolicArray(shape, x.dtype)

    def eig(self, x: SymbolicArray) -> tuple[SymbolicArray, SymbolicArray]:
        shape = products.square(x.dims, "eig")
        dtype = x.dtype if x.dtype.startswith("complex") else complex_dtype(x.dtype, "eig")
        return SymbolicArray(shape[:-1], dtype), SymbolicArray(shape, dtype)

    def lu_factor(self, x: SymbolicArray) -> tuple[SymbolicArray, SymbolicArray]:
        *batch, m, n = _matrices(x, "lu_factor")
        return x, SymbolicArray((*batch, min(m, n)), "int32")

    def solve(self, a: SymbolicArray, b: SymbolicArray) -> SymbolicArray:
        return SymbolicArray(products.solve_shape(a.dims, b.dims, "solve"), _common_dtype("solve", a, b))

    def solve_triangular(self, a: SymbolicArray, b: SymbolicArray, lower: bool = False) -> SymbolicArray:
        shape = products.solve_shape(a.dims, b.dims, "solve_triangular")
        return SymbolicArray(shape, _common_dtype("solve_triangular", a, b))

    # ---- Fourier transforms ------------------------------------------------------------------------------------

    def complex_fft(self, x: SymbolicArray) -> SymbolicArray:
        return x

    def complex_rfft(self, x: SymbolicArray) -> SymbolicArray:
        return SymbolicArray((*x.dims[:-1], x.dims[-1] // 2 + 1), complex_dtype(x.dtype, "rfft"))

    def complex_irfft(self, x: SymbolicArray, n: int) -> SymbolicArray:
        return SymbolicArray((*x.dims[:-1], n), real_dtype(x.dtype))

    # ---- windows -----------------------------------------------------------------------------------------------

    def conv_nd(
        self,
        inputs: SymbolicArray,
        kernel: SymbolicArray,
        strides: Sequence[int],
        padding: Padding,
        dilation: Sequence[int],
        groups: int = 1,
    ) -> SymbolicArray:
        shape = products.conv_shape(inputs.dims, kernel.dims, strides, padding, dilation, groups)
        return SymbolicArray(shape, _common_dtype("conv", inputs, kernel))

    def conv_transpose_nd(
        self,
        inputs: SymbolicArray,
        kernel: SymbolicArray,
        strides: Sequence[int],
        padding: Padding,
        dilation: Sequence[int],
    ) -> SymbolicArray:
        shape = products.conv_transpose_shape(inputs.dims, kernel.dims, strides, padding, dilation)
        return SymbolicArray(shape, _common_dtype("conv_transpose", inputs, kernel))

    def max_pool_nd(
        self, inputs: SymbolicArray, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
    ) -> SymbolicArray:
        return _pool("max_pool", inputs, pool_size, strides, padding)

    def average_pool_nd(
        self, inputs: SymbolicArray, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
    ) -> SymbolicArray:
        return _pool("average_pool", inputs, pool_size, strides, padding)
