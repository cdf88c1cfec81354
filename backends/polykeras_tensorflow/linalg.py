"""Matrix products and linear algebra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import tensorflow as tf

from polykeras.backend.families.linalg import Linalg
from polykeras.backend.spec import Array
from polykeras_tensorflow.elementwise import HALVES

raw = tf.raw_ops

# Integer products without a kernel are computed in a wider dtype, and wrap around to the same bits.
_PRODUCT_TYPES = {
    **dict.fromkeys((tf.bool, tf.uint8, tf.uint16, tf.int8, tf.int16), tf.int32),
    **dict.fromkeys((tf.uint32, tf.uint64), tf.int64),
}


@contextmanager
def _value_error(method: str) -> Iterator[None]:
    """Turn the runtime's refusal of a matrix into the ValueError of the contract."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(f"{method}: {error.message}") from None


def _product(x1: Array, x2: Array) -> Array:
    """Return the product of two matrices, even if they are known to have no columns.

    A bias that is added in a graph becomes part of oneDNN's kernel, which then crashes the process (TensorFlow 2.21).
    """
    if x1.shape[1] == x2.shape[0] and 0 in (x1.shape[1], x2.shape[1]):
        return tf.reduce_sum(tf.expand_dims(x1, 2) * tf.expand_dims(x2, 0), 1)
    return raw.MatMul(a=x1, b=x2)


class TensorflowLinalg(Linalg):
    """Matrix products, and decompositions over the last two axes."""

    # ---- products ----------------------------------------------------------------------------------------------

    def matmul(self, x1: Array, x2: Array) -> Array:
        dtype = x1.dtype
        wide = _PRODUCT_TYPES.get(dtype)
        if wide is not None:
            product = self.matmul(raw.Cast(x=x1, DstT=wide), raw.Cast(x=x2, DstT=wide))
            return product if dtype == tf.int8 else self.cast(product, dtype.name)
        rank1, rank2 = x1.shape.rank, x2.shape.rank
        if rank1 == rank2 == 2:
            return _product(x1, x2)
        if rank1 == 1:
            return tf.squeeze(self.matmul(tf.expand_dims(x1, 0), x2), 0 if rank2 == 1 else -2)
        if rank2 == 1:
            return tf.squeeze(self.matmul(x1, tf.expand_dims(x2, 1)), -1)
        # A single matrix product, also in the gradient; broadcasting would take many.
        if rank2 == 2 and x1.shape[-1] != 0:
            *outer, inner = self.shape(x1)
            rows = _product(raw.Reshape(tensor=x1, shape=(-1, inner)), x2)
            return raw.Reshape(tensor=rows, shape=(*outer, x2.shape[1]))
        return raw.BatchMatMulV2(x=x1, y=x2)

    def einsum(self, subscripts: str, *operands: Array, **kwargs: Any) -> Array:
        if "->" not in subscripts:  # TensorFlow forgets the ellipsis if no letter is left
            letters = [c for c in subscripts if c.isalpha()]
            left = sorted(c for c in letters if letters.count(c) == 1)
            subscripts = "".join([subscripts, "->", "..." if "..." in subscripts else "", *left])
        dtype = operands[0].dtype
        wide = _PRODUCT_TYPES.get(dtype)
        if wide is not None:
            operands = tuple(raw.Cast(x=x, DstT=wide) for x in operands)
        result = "int32" if dtype == tf.int8 else dtype.name
        return self.cast(tf.einsum(subscripts, *operands, **kwargs), result)

    # ---- decompositions ----------------------------------------------------------------------------------------

    def _for_kernels(self, x: Array) -> Array:
        """Return `x` in a dtype for which the decompositions have kernels."""
        return raw.Cast(x=x, DstT=tf.float32) if x.dtype in HALVES else x

    def cholesky(self, x: Array, upper: bool = False) -> Array:
        # The kernel returns nan if it fails, and does not clear the upper half.
        factor = raw.MatrixBandPart(input=raw.Cholesky(input=self._for_kernels(x)), num_lower=-1, num_upper=0)
        if tf.executing_eagerly() and not bool(tf.reduce_all(tf.equal(factor, factor))):
            raise ValueError(f"cholesky: a matrix is not positive definite (shape {self.shape(x)}).")
        return self.cast(tf.linalg.adjoint(factor) if upper else factor, x.dtype.name)

    def qr(self, x: Array, mode: Literal["reduced", "complete"] = "reduced") -> tuple[Array, Array]:
        q, r = raw.Qr(input=self._for_kernels(x), full_matrices=mode == "complete")
        return self.cast(q, x.dtype.name), self.cast(r, x.dtype.name)

    def svd(self, x: Array, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        s, u, v = raw.Svd(input=self._for_kernels(x), compute_uv=compute_uv, full_matrices=full_matrices)
        s = self.cast(s, x.dtype.real_dtype.name)
        if not compute_uv:
            return s
        return self.cast(u, x.dtype.name), s, self.cast(tf.linalg.adjoint(v), x.dtype.name)

    def eigh(self, x: Array) -> tuple[Array, Array]:
        # The kernel reads only the lower half, so all of the gradient would go there.
        matrix = self._for_kernels(x)
        values, vectors = raw.SelfAdjointEigV2(input=0.5 * (matrix + tf.linalg.adjoint(matrix)))
        return self.cast(values, x.dtype.real_dtype.name), self.cast(vectors, x.dtype.name)

    def eig(self, x: Array) -> tuple[Array, Array]:
        wide = x.dtype in (tf.float64, tf.complex128)
        values, vectors = raw.Eig(input=tf.stop_gradient(x), Tout=tf.complex128 if wide else tf.complex64)
        return values, vectors

    def lu_factor(self, x: Array) -> tuple[Array, Array]:
        """Factor by Gaussian elimination with partial pivoting, one column at a time.

        The Lu op accepts neither rectangular nor singular matrices, but the determinant of a singular matrix is 0.
        """
        shape = self.shape(x)
        rows, columns = shape[-2:]
        batch = -1 if 0 not in shape else 0
        matrix = raw.Reshape(tensor=self._for_kernels(x), shape=(batch, rows, columns))
        count = matrix.shape[0]
        row_index = tf.range(rows)
        turns = min(rows, columns)

        def eliminate(k: Array, matrix: Array, pivots: Array) -> tuple[Array, Array, Array]:
            size = tf.abs(tf.gather(matrix, k, axis=2))
            size = tf.where(row_index >= k, size, tf.constant(-1, size.dtype))
            pivot = self.argmax(size, 1)
            order = tf.where(row_index == k, pivot[:, None], row_index)
            order = tf.where(row_index == pivot[:, None], k, order)
            matrix = tf.gather(matrix, order, batch_dims=1)
            row, column = tf.gather(matrix, k, axis=1), tf.gather(matrix, k, axis=2)
            head = tf.gather(column, k, axis=1)
            zero = tf.zeros_like(head)
            head = tf.where(head == zero, tf.ones_like(head), head)  # a column of zeros: nothing to eliminate
            factors = tf.where(row_index > k, column / head[:, None], tf.zeros_like(column))
            right = tf.where(tf.range(columns) > k, row, tf.zeros_like(row))
            matrix = matrix - factors[:, :, None] * right[:, None, :]
            here = (tf.range(columns) == k) & (row_index > k)[:, None]
            matrix = tf.where(here, factors[:, :, None], matrix)
            pivots = tf.where(tf.range(turns) == k, pivot[:, None], pivots)
            return k + 1, matrix, pivots

        start = (tf.constant(0), matrix, tf.zeros((count, turns), tf.int32))
        _, matrix, pivots = tf.while_loop(lambda k, *_: k < turns, eliminate, start, maximum_iterations=turns)
        factors = self.cast(raw.Reshape(tensor=matrix, shape=shape), x.dtype.name)
        return factors, raw.Reshape(tensor=pivots, shape=(*shape[:-2], turns))

    # ---- systems -----------------------------------------------------------------------------------------------

    def solve(self, a: Array, b: Array) -> Array:
        if b.shape.rank == a.shape.rank - 1:
            return tf.squeeze(self.solve(a, tf.expand_dims(b, -1)), -1)
        left, right = self._for_kernels(a), self._for_kernels(b)
        if left.shape[:-2] != right.shape[:-2]:  # the kernel does not broadcast
            batch = tf.broadcast_static_shape(left.shape[:-2], right.shape[:-2])
            left = tf.broadcast_to(left, batch + left.shape[-2:])
            right = tf.broadcast_to(right, batch + right.shape[-2:])
        with _value_error("solve"):
            return self.cast(raw.MatrixSolve(matrix=left, rhs=right), a.dtype.name)

    def solve_triangular(self, a: Array, b: Array, lower: bool = False) -> Array:
        if b.shape.rank == a.shape.rank - 1:
            return tf.squeeze(self.solve_triangular(a, tf.expand_dims(b, -1), lower), -1)
        with _value_error("solve_triangular"):
            solution = raw.MatrixTriangularSolve(matrix=self._for_kernels(a), rhs=self._for_kernels(b), lower=lower)
        return self.cast(solution, a.dtype.name)
