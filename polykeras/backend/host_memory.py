"""Memory of the host that frameworks on the CPU can use in place."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import numpy as np

from polykeras import fast

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


def has_numbers(x: np.ndarray) -> bool:
    """Return whether an array holds numbers of a kind that all frameworks can use in the host's memory."""
    return x.size > 0 and x.dtype.kind in "fiu"


def is_worth_copying(x: np.ndarray) -> bool:
    """Return whether a CPU's framework should get an array as an `aligned_copy`, which it takes over."""
    return x.nbytes >= LARGE and has_numbers(x)


def aligned_copy(x: np.ndarray) -> np.ndarray:
    """Return a copy that can be lent to a backend for good: NumPy copies several times as fast as frameworks do."""
    result = aligned_empty(x.shape, x.dtype)
    np.copyto(result, x)
    return result


def can_be_lent(x: Any) -> bool:
    """Return whether an array lies so in the host's memory that frameworks can use it in place."""
    if not isinstance(x, np.ndarray) or not x.flags.c_contiguous or not x.flags.writeable:
        return False
    return has_numbers(x) and x.dtype.isnative and x.ctypes.data % ALIGNMENT == 0


@cache
def is_glibc() -> bool:
    """Return whether memory comes from the C library of GNU, or from one that takes its place."""
    return "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", {}) and bool(os.confstr("CS_GNU_LIBC_VERSION"))


@cache
def is_untuned_glibc() -> bool:
    """Return whether memory comes from glibc, and nobody has told it how to keep it."""
    if any(name.startswith("MALLOC_") or name in ("GLIBC_TUNABLES", "LD_PRELOAD") for name in os.environ):
        return False
    return is_glibc()


LARGEST_KEPT = 32 << 20  # bytes of a block, when nobody asks for more: glibc knows no higher threshold
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4  # the parameters of mallopt(3)
_KEEP = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1, _TOP_PAD: 64 << 20}  # -1: as much as there is
_USUAL = {_MMAP_MAX: 1 << 16, _MMAP_THRESHOLD: LARGEST_KEPT, _TRIM_THRESHOLD: 2 * LARGEST_KEPT, _TOP_PAD: 1 << 17}
_keeping = 0  # how many ask for it now
_lock = Lock()


def _tune(parameters: dict[int, int]) -> None:
    libc = ctypes.CDLL(None)
    for parameter, value in parameters.items():
        libc.mallopt(parameter, value)


def _is_ours_to_tune() -> bool:
    return fast.enabled("freed-memory") and is_untuned_glibc()


def keep_freed_blocks() -> bool:
    """Let the C library keep freed blocks of up to 32 MB, 64 MB altogether, from now on; return whether it does.

    glibc gives blocks from 128 KB on back at once until it has seen a larger one come and go; this is as far as it goes
    by itself (`man mallopt`, M_MMAP_THRESHOLD). Where nothing is done: see `freed_memory_kept`.
    """
    if not _is_ours_to_tune():
        return False
    with _lock:
        if not _keeping:  # else it follows
            _tune(_USUAL)
    return True


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let the C library keep freed memory for as long as this lasts, also that of the largest blocks.

    glibc gives blocks of more than 32 MB back to the system as soon as they are free, and zeroed pages come back one
    fault at a time: each step that needs a scratchpad of 50 MB waits 20 ms for it. Afterwards it is as after
    `keep_freed_blocks`, and the rest goes back with what is freed next. Blocks of more than 64 MB of another
    thread than the main one come from the system as before. Nothing is done where a user has tuned glibc or
    loads another allocator, on other C libraries, and with `POLYKERAS_FAST=0`.
    """
    if not _is_ours_to_tune():
        yield
        return
    global _keeping
    with _lock:
        _keeping += 1
        if _keeping == 1:
            _tune(_KEEP)
    try:
        yield
    finally:
        with _lock:
            _keeping -= 1
            if not _keeping:
                _tune(_USUAL)
