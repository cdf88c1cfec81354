"""Matrix products and decompositions: Keras's `ops.linalg`, and its products."""

from __future__ import annotations

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind
from polykeras.ops.transforms import jvp

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "cross",
    "det",
    "dot",
    "eig",
    "eigh",
    "einsum",
    "inner",
    "inv",
    "jvp",
    "kron",
    "logdet",
    "lstsq",
    "lu_factor",
    "matmul",
    "matrix_power",
    "matrix_rank",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "tensordot",
    "trace",
    "vdot",
]

matmul = bind(Backend.matmul)
einsum = bind(Backend.einsum)
dot = bind(Backend.dot)
vdot = bind(Backend.vdot)
inner = bind(Backend.inner)
outer = bind(Backend.outer)
tensordot = bind(Backend.tensordot)
kron = bind(Backend.kron)
cross = bind(Backend.cross)
trace = bind(Backend.trace)

cholesky = bind(Backend.cholesky)
qr = bind(Backend.qr)
svd = bind(Backend.svd)
eigh = bind(Backend.eigh)
eig = bind(Backend.eig)
lu_factor = bind(Backend.lu_factor)
solve = bind(Backend.solve)
solve_triangular = bind(Backend.solve_triangular)

det = bind(Backend.det)
slogdet = bind(Backend.slogdet)
logdet = bind(Backend.logdet)
inv = bind(Backend.inv)
cholesky_inverse = bind(Backend.cholesky_inverse)
pinv = bind(Backend.pinv)
lstsq = bind(Backend.lstsq)
matrix_power = bind(Backend.matrix_power)
matrix_rank = bind(Backend.matrix_rank)
norm = bind(Backend.norm)
