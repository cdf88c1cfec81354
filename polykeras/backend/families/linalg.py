"""Matrix products and linear algebra."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Family, op, required


class Linalg(Family):
    """Matrix products, and decompositions of each matrix of a batch. `Decompositions` is composed from these."""

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x1 x2", "common")
    def matmul(self, x1: Array, x2: Array) -> Array:
        """Return the matrix product, as in NumPy: vectors are allowed, batch axes broadcast. int8 gives int32.

        Args:
            x1: shape `(..., m, n)`, or a vector `(n,)`.
            x2: shape `(..., n, k)`, or a vector `(n,)`.

        Returns:
            Shape `(..., m, k)`; the axis of a vector is left out.
        """
        raise NotImplementedError

    @required("operands", "common")
    def einsum(self, subscripts: str, *operands: Array, **kwargs: Any) -> Array:
        """Return the sum of products described by Einstein's notation, including `...`. int8 gives int32.

        Args:
            subscripts: for instance `"bij,bjk->bik"`.
            *operands: arrays.
            **kwargs: options, none of which a backend must support.
        """
        raise NotImplementedError

    @required("x", "float")
    def cholesky(self, x: Array, upper: bool = False) -> Array:
        """Return the lower (or upper) triangular Cholesky factor of symmetric positive definite matrices.

        Args:
            x: shape `(..., n, n)`.
            upper: whether to return `u` with `u^T @ u == x` instead of `l` with `l @ l^T == x`.

        Raises:
            ValueError: if `x` is not positive definite and the backend can tell at once; otherwise the result is nan.
        """
        raise NotImplementedError

    @required("x", "float")
    def qr(self, x: Array, mode: Literal["reduced", "complete"] = "reduced") -> tuple[Array, Array]:
        """Return `(q, r)` with `q @ r == x`, `q` orthonormal and `r` upper triangular.

        Args:
            x: shape `(..., m, n)`.
            mode: `"reduced"`: `q` is `(..., m, k)` and `r` `(..., k, n)`, where `k = min(m, n)`; `"complete"`: `(...,
                m, m)` and `(..., m, n)`.
        """
        raise NotImplementedError

    @required("x", "float")
    def svd(self, x: Array, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        """Return `(u, s, vh)` with `u * s @ vh == x` and `s` descending; only `s` if `compute_uv` is False.

        Args:
            x: shape `(..., m, n)`.
            full_matrices: whether `u` is `(..., m, m)` and `vh` `(..., n, n)`. Otherwise they have only the `min(m, n)`
                columns and rows that belong to `s`.
            compute_uv: whether to return `u` and `vh` too.
        """
        raise NotImplementedError

    @required("x", "float")
    def eigh(self, x: Array) -> tuple[Array, Array]:
        """Return the ascending eigenvalues and the eigenvectors (as columns) of symmetric matrices."""
        raise NotImplementedError

    @required("x", "float")
    def eig(self, x: Array) -> tuple[Array, Array]:
        """Return the eigenvalues, unordered, and the eigenvectors (as columns) of square matrices.

        The results are complex and have no gradient. JAX computes them on CPUs only.
        """
        raise NotImplementedError

    @required("x", "float")
    def lu_factor(self, x: Array) -> tuple[Array, Array]:
        """Return packed LU factors and int32 pivots. Row `i` was swapped with row `pivots[i]`, counted from 0."""
        raise NotImplementedError

    @required("a b", "float")
    def solve(self, a: Array, b: Array) -> Array:
        """Return `x` with `a @ x == b`, for square `a`; `b` holds matrices, or vectors if it has one axis less.

        Args:
            a: shape `(..., n, n)`.
            b: shape `(..., n, k)` or `(..., n)`.

        Returns:
            The shape of `b`.

        Raises:
            ValueError: if `a` is singular and the backend can tell at once; otherwise the result is inf or nan.
        """
        raise NotImplementedError

    @required("a b", "float")
    def solve_triangular(self, a: Array, b: Array, lower: bool = False) -> Array:
        """Return `x` with `a @ x == b`, for triangular `a`; the other half of `a` is not read.

        Args:
            a: shape `(..., n, n)`.
            b: shape `(..., n, k)` or `(..., n)`.
            lower: whether `a` is lower triangular.

        Returns:
            The shape of `b`.
        """
        raise NotImplementedError

    # ---- composed ----------------------------------------------------------------------------------------------

    @op("x1 x2", "common")
    def dot(self, x1: Array, x2: Array) -> Array:
        """Return the sum of products over the last axis of `x1` and the second to last (or only) one of `x2`.

        A scalar operand multiplies the other one.

        Args:
            x1: an array of any shape.
            x2: an array whose second to last (or only) axis matches the last axis of `x1`.
        """
        x1, x2 = self._both(x1, x2)
        if 0 in (self.ndim(x1), self.ndim(x2)):
            return self.multiply(x1, x2)
        if self.ndim(x2) <= 2:
            return self._narrow_product(x1, x2)
        return self.tensordot(x1, x2, ((-1,), (-2,)))

    @op("x1 x2", "common")
    def vdot(self, x1: Array, x2: Array) -> Array:
        """Return the scalar product of all elements of two arrays; a complex `x1` is conjugated.

        Args:
            x1: an array of any shape.
            x2: an array with as many elements; both are flattened.

        Returns:
            A scalar.
        """
        x1, x2 = self._both(x1, x2)
        if self.dtype(x1).startswith("complex"):
            x1 = self.complex(self.real(x1), -self.imag(x1))
        return self._narrow_product(self.ravel(x1), self.ravel(x2))

    @op("x1 x2", "common")
    def inner(self, x1: Array, x2: Array) -> Array:
        """Return the sum of products over the last axes of both; a scalar operand multiplies the other one.

        Args:
            x1: shape `(..., n)`.
            x2: shape `(..., n)`.

        Returns:
            The axes of `x1`, then those of `x2`, each without the last.
        """
        x1, x2 = self._both(x1, x2)
        if 0 in (self.ndim(x1), self.ndim(x2)):
            return self.multiply(x1, x2)
        return self.tensordot(x1, x2, ((-1,), (-1,)))

    @op("x1 x2", "common")
    def outer(self, x1: Array, x2: Array) -> Array:
        """Return the products of each element of `x1` with each of `x2`, shape `(x1.size, x2.size)`.

        Args:
            x1: an array, which is flattened.
            x2: an array, which is flattened.
        """
        x1, x2 = self._both(x1, x2)
        return self.reshape(x1, (self.size(x1), 1)) * self.reshape(x2, (1, self.size(x2)))

    @op("x1 x2", "common")
    def tensordot(
        self, x1: Array, x2: Array, axes: int | Sequence[int] | tuple[Sequence[int], Sequence[int]] = 2
    ) -> Array:
        """Return the sum of products over pairs of axes, in the dtype of the operands.

        Args:
            x1: an array.
            x2: an array.
            axes: the number of last axes of `x1` to contract with the first of `x2`, or the axes of each, in order.

        Returns:
            The axes of `x1`, then those of `x2`, that were not summed.

        Raises:
            ValueError: if contracted axes differ in size.
        """
        n1, n2 = self.ndim(x1), self.ndim(x2)
        if isinstance(axes, int):
            summed1, summed2 = list(range(n1 - axes, n1)), list(range(axes))
        else:
            pairs = [[a] if isinstance(a, int) else list(a) for a in axes]
            summed1, summed2 = [[canonical_axis(a, n) for a in part] for part, n in zip(pairs, (n1, n2), strict=True)]
        shape1, shape2 = self.shape(x1), self.shape(x2)
        sizes = [shape1[a] for a in summed1]
        if sizes != [shape2[a] for a in summed2]:
            raise ValueError(
                f"tensordot: axes {summed1} of shape {shape1} and {summed2} of shape {shape2} differ in size."
            )
        free1 = [a for a in range(n1) if a not in summed1]
        free2 = [a for a in range(n2) if a not in summed2]
        rows, columns = [shape1[a] for a in free1], [shape2[a] for a in free2]
        left = self.reshape(self.transpose(x1, free1 + summed1), (prod(rows), prod(sizes)))
        right = self.reshape(self.transpose(x2, summed2 + free2), (prod(sizes), prod(columns)))
        return self.reshape(self._narrow_product(left, right), (*rows, *columns))

    @op("x1 x2", "common")
    def kron(self, x1: Array, x2: Array) -> Array:
        """Return the Kronecker product: every element of `x1` times all of `x2`, as blocks.

        Args:
            x1: an array of any shape.
            x2: an array of any shape; missing leading axes have size 1.

        Returns:
            Along each axis, the product of both sizes.
        """
        x1, x2 = self._both(x1, x2)
        ndim = max(self.ndim(x1), self.ndim(x2))
        shape1, shape2 = ((1,) * (ndim - self.ndim(x)) + self.shape(x) for x in (x1, x2))
        spread1 = [n for size in shape1 for n in (size, 1)]
        spread2 = [n for size in shape2 for n in (1, size)]
        product = self.reshape(x1, spread1) * self.reshape(x2, spread2)
        return self.reshape(product, [n1 * n2 for n1, n2 in zip(shape1, shape2, strict=True)])

    @op("x1 x2", "common")
    def cross(
        self, x1: Array, x2: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
    ) -> Array:
        """Return the vector product of vectors of 3 (or 2) components.

        Args:
            x1: an array whose axis `axisa` has size 2 or 3; a missing third component counts as 0.
            x2: an array whose axis `axisb` has size 2 or 3.
            axisa: see `x1`.
            axisb: see `x2`.
            axisc: the axis of the components in the result. Two vectors of size 2 give only the third component.
            axis: sets all three.

        Raises:
            ValueError: if the vectors do not have 2 or 3 components.
        """
        if axis is not None:
            axisa = axisb = axisc = axis
        a, b = self.unstack(x1, axis=axisa), self.unstack(x2, axis=axisb)
        if len(a) not in (2, 3) or len(b) not in (2, 3):
            raise ValueError(f"cross needs vectors of 2 or 3 components; received {len(a)} and {len(b)}.")
        third = a[0] * b[1] - a[1] * b[0]
        if len(a) == len(b) == 2:
            return third
        a2 = a[2] if len(a) == 3 else self.zeros_like(a[0])
        b2 = b[2] if len(b) == 3 else self.zeros_like(b[0])
        return self.stack([a[1] * b2 - a2 * b[1], a2 * b[0] - a[0] * b2, third], axisc)

    @op("x")
    def trace(self, x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
        """Return the sum of the elements on a diagonal of the matrices along two axes.

        Args:
            x: at least two axes.
            offset: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.
            axis1: the axis of the rows.
            axis2: the axis of the columns.

        Returns:
            The shape of `x` without both axes.
        """
        return self.sum(self.diagonal(x, offset, axis1, axis2), -1)

    def _both(self, x1: Any, x2: Any) -> tuple[Array, Array]:
        """Return both operands as arrays of one dtype; one of them may be a Python scalar."""
        dtype = self.dtype(x1 if self.is_tensor(x1) else x2)
        return tuple(x if self.is_tensor(x) else self.asarray(x, dtype) for x in (x1, x2))

    def _narrow_product(self, x1: Array, x2: Array) -> Array:
        """Return the matrix product in the dtype of the operands, even for int8, for which `matmul` gives int32."""
        product = self.matmul(x1, x2)
        return self.cast(product, "int8") if self.dtype(x1) == "int8" else product

    def _transposed(self, x: Array) -> Array:
        """Return the transposes of the matrices in the last two axes."""
        axes = list(range(self.ndim(x)))
        return self.transpose(x, [*axes[:-2], axes[-1], axes[-2]])
