"""Memory of the host that frameworks on the CPU can use in place."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from polykeras import fast
from polykeras.common.process_switch import ProcessSwitch

ALIGNMENT = 64  # bytes; XLA and TensorFlow use only memory of this alignment in place


def aligned(size: int) -> int:
    """Return the next multiple of the alignment, in bytes."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def aligned_empty(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """Return an uninitialized array that can be lent to a backend; see `Backend.borrow`."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


LARGE = 1 << 20  # bytes; for arrays of at least this size, the way to a framework matters


def has_numbers(x: np.ndarray) -> bool:
    """Return whether an array holds numbers of a dtype that all frameworks can use in host memory."""
    return x.size > 0 and x.dtype.kind in "fiu"


def is_worth_copying(x: np.ndarray) -> bool:
    """Return whether a framework on the CPU should get an `aligned_copy` of an array, which it may keep."""
    return x.nbytes >= LARGE and has_numbers(x)


def aligned_copy(x: np.ndarray) -> np.ndarray:
    """Return a copy that a backend may keep. NumPy copies several times as fast as frameworks do."""
    result = aligned_empty(x.shape, x.dtype)
    np.copyto(result, x)
    return result


def can_be_lent(x: Any) -> bool:
    """Return whether frameworks can use an array in place, in host memory."""
    if not isinstance(x, np.ndarray) or not x.flags.c_contiguous or not x.flags.writeable:
        return False
    return has_numbers(x) and x.dtype.isnative and x.ctypes.data % ALIGNMENT == 0


@cache
def is_glibc() -> bool:
    """Return whether memory comes from the GNU C library, or from an allocator that replaces its own."""
    return "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", {}) and bool(os.confstr("CS_GNU_LIBC_VERSION"))


@cache
def is_untuned_glibc() -> bool:
    """Return whether memory comes from glibc, and neither the user nor the environment has tuned it."""
    if any(name.startswith("MALLOC_") or name in ("GLIBC_TUNABLES", "LD_PRELOAD") for name in os.environ):
        return False
    return is_glibc()


LARGEST_KEPT = 32 << 20  # bytes of a block; glibc accepts no higher threshold
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4  # the parameters of mallopt(3)
_KEEP = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1, _TOP_PAD: 64 << 20}  # -1: no limit
_USUAL = {_MMAP_MAX: 1 << 16, _MMAP_THRESHOLD: LARGEST_KEPT, _TRIM_THRESHOLD: 2 * LARGEST_KEPT, _TOP_PAD: 1 << 17}


def _tune(parameters: dict[int, int]) -> None:
    libc = ctypes.CDLL(None)
    for parameter, value in parameters.items():
        libc.mallopt(parameter, value)


_keeping = ProcessSwitch(lambda: _tune(_KEEP), lambda _: _tune(_USUAL))


def _is_ours_to_tune() -> bool:
    return fast.enabled("freed-memory") and is_untuned_glibc()


def keep_freed_memory() -> bool:
    """Let the C library keep freed blocks of up to 32 MB, 64 MB in all, from now on. Return whether it does.

    At first, glibc returns blocks of 128 KB and more to the system at once. It raises this threshold, up to 32 MB, when
    it frees a larger block (`man mallopt`, M_MMAP_THRESHOLD). This function sets the highest threshold right away.
    `keep_all_freed_memory` says when nothing is done.
    """
    if not _is_ours_to_tune():
        return False
    with _keeping.lock:
        if not _keeping.within:  # otherwise the end of `keep_all_freed_memory` does it
            _tune(_USUAL)
    return True


@contextmanager
def keep_all_freed_memory() -> Iterator[None]:
    """Let the C library keep freed memory, including the largest blocks, within this context.

    glibc returns blocks of more than 32 MB to the system as soon as they are freed, and zeroed pages come back one
    fault at a time. So a step that needs a large scratchpad waits for it each time. After the context, the state is
    that of `keep_freed_memory`; the next blocks that are freed release the rest. In threads other than the main one,
    blocks of more than 64 MB still come from the system. Nothing is done if a user has tuned glibc or loads another
    allocator, on other C libraries, and with `POLYKERAS_FAST=0`.
    """
    if not _is_ours_to_tune():
        yield
        return
    with _keeping:
        yield
