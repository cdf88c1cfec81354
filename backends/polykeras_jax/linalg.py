"""Matrix products and linear algebra on JAX."""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp
from jax import lax
from jax.scipy import linalg as jsl

from polykeras.backend.families.linalg import Linalg
from polykeras.backend.spec import Array


class JaxLinalg(Linalg):
    """See `polykeras.backend.families.linalg`."""

    def matmul(self, x1: Array, x2: Array) -> Array:
        return jnp.matmul(x1, x2, preferred_element_type="int32" if x1.dtype == "int8" else None)

    def einsum(self, subscripts: str, *operands: Array, **kwargs: Any) -> Array:
        if operands[0].dtype == "int8":
            kwargs = {"preferred_element_type": "int32"} | kwargs
        return jnp.einsum(subscripts, *operands, **kwargs)

    def cholesky(self, x: Array, upper: bool = False) -> Array:
        return jnp.linalg.cholesky(x, upper=upper)

    def qr(self, x: Array, mode: Literal["reduced", "complete"] = "reduced") -> tuple[Array, Array]:
        q, r = jnp.linalg.qr(x, mode)
        return q, r

    def svd(self, x: Array, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        if not compute_uv:
            return jnp.linalg.svd(x, compute_uv=False)
        u, s, vh = jnp.linalg.svd(x, full_matrices)
        return u, s, vh

    def eigh(self, x: Array) -> tuple[Array, Array]:
        values, vectors = jnp.linalg.eigh(x)
        return values, vectors

    def eig(self, x: Array) -> tuple[Array, Array]:
        values, vectors = jnp.linalg.eig(lax.stop_gradient(x))
        return values, vectors

    def lu_factor(self, x: Array) -> tuple[Array, Array]:
        half = x.dtype.itemsize == 2  # LAPACK has no 16-bit floats
        factors, pivots = jsl.lu_factor(x.astype("float32") if half else x)
        return factors.astype(x.dtype), pivots.astype("int32")

    def solve(self, a: Array, b: Array) -> Array:
        if b.ndim == a.ndim - 1:
            return jnp.linalg.solve(a, b[..., None])[..., 0]
        return jnp.linalg.solve(a, b)

    def solve_triangular(self, a: Array, b: Array, lower: bool = False) -> Array:
        if b.ndim == a.ndim - 1:
            return jsl.solve_triangular(a, b[..., None], lower=lower)[..., 0]
        return jsl.solve_triangular(a, b, lower=lower)
