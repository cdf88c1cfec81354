"""The operations that NumPy has too, as in Keras's `ops.numpy`: a view of `polykeras.ops`."""

# ruff: noqa: F403

from polykeras.ops import (
    arithmetic,
    arrays,
    creation,
    elementwise,
    exponential,
    indexing,
    joining,
    logical,
    nan_reduction,
    padding,
    reduction,
    selection,
    shaping,
    sorting,
    statistics,
    trigonometric,
)
from polykeras.ops.arithmetic import *
from polykeras.ops.arrays import *
from polykeras.ops.creation import *
from polykeras.ops.elementwise import *
from polykeras.ops.exponential import *
from polykeras.ops.fourier import angle as angle
from polykeras.ops.fourier import conj as conj
from polykeras.ops.fourier import conjugate as conjugate
from polykeras.ops.indexing import *
from polykeras.ops.joining import *
from polykeras.ops.linalg import cross as cross
from polykeras.ops.linalg import dot as dot
from polykeras.ops.linalg import einsum as einsum
from polykeras.ops.linalg import inner as inner
from polykeras.ops.linalg import kron as kron
from polykeras.ops.linalg import matmul as matmul
from polykeras.ops.linalg import outer as outer
from polykeras.ops.linalg import slogdet as slogdet
from polykeras.ops.linalg import tensordot as tensordot
from polykeras.ops.linalg import trace as trace
from polykeras.ops.linalg import vdot as vdot
from polykeras.ops.logical import *
from polykeras.ops.nan_reduction import *
from polykeras.ops.padding import *
from polykeras.ops.reduction import *
from polykeras.ops.selection import *
from polykeras.ops.shaping import *
from polykeras.ops.sorting import *
from polykeras.ops.statistics import *
from polykeras.ops.transforms import vectorize as vectorize
from polykeras.ops.trigonometric import *

_FAMILIES = (
    arithmetic,
    arrays,
    creation,
    elementwise,
    exponential,
    indexing,
    joining,
    logical,
    nan_reduction,
    padding,
    reduction,
    selection,
    shaping,
    sorting,
    statistics,
    trigonometric,
)
# fmt: off
_OTHERS = {"erf", "erfinv", "logsumexp", "rsqrt", "scatter", "scatter_update", "slice", "slice_update", "top_k"}
_PRODUCTS = {
    "angle", "conj", "conjugate", "cross", "dot", "einsum", "inner", "kron", "matmul", "outer", "slogdet", "tensordot",
    "trace", "vdot", "vectorize",
}
# fmt: on

__all__ = sorted({name for family in _FAMILIES for name in family.__all__} - _OTHERS | _PRODUCTS)  # pyright: ignore
