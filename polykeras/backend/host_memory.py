"""Memory of the host that frameworks on the CPU can use in place."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

ALIGNMENT = 64  # bytes; XLA and TensorFlow use no other memory in place


def aligned(size: int) -> int:
    """Return the next multiple of the alignment, in bytes."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def aligned_empty(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """Return an array, not filled yet, that can be lent to a backend; see `Backend.borrow`."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


LARGE = 1 << 20  # bytes from which on it matters how an array comes to a framework


def is_worth_copying(x: np.ndarray) -> bool:
    """Return whether a CPU's framework should get an array as an `aligned_copy`, which it takes over."""
    return x.nbytes >= LARGE and x.dtype.kind in "fiu"


def aligned_copy(x: np.ndarray) -> np.ndarray:
    """Return a copy that can be lent to a backend for good: NumPy copies several times as fast as frameworks do."""
    result = aligned_empty(x.shape, x.dtype)
    np.copyto(result, x)
    return result


def can_be_lent(x: Any) -> bool:
    """Return whether an array lies so in the host's memory that frameworks can use it in place."""
    if not isinstance(x, np.ndarray) or not x.flags.c_contiguous or not x.flags.writeable:
        return False
    return x.dtype.kind in "fiu" and x.dtype.isnative and x.size > 0 and x.ctypes.data % ALIGNMENT == 0


@cache
def is_glibc() -> bool:
    """Return whether memory comes from the C library of GNU, or from one that takes its place."""
    return "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", {}) and bool(os.confstr("CS_GNU_LIBC_VERSION"))


def give_back() -> None:
    """Give freed memory back to the system, where it is the C library of GNU that keeps it; some milliseconds."""
    if is_glibc():
        ctypes.CDLL(None).malloc_trim(0)
