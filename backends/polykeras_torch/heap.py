"""The heap of the C library, from which torch takes the memory of each result."""

from __future__ import annotations

from functools import cache

import torch

from polykeras import fast
from polykeras.backend.host_memory import LARGEST_KEPT, is_untuned_glibc

_HEADER = 64 << 10  # bytes, more than glibc adds to a block


@cache
def keep_freed_memory() -> None:
    """Let the C library keep what the results of a step leave behind, for those of the next step.

    glibc gives blocks from 128 KB on back to the system as soon as they are free, and zeroed pages come back one fault
    at a time: a third of a transformer's step, and half of a convolution's. Once it has seen a larger block come and
    go, it keeps blocks up to that size, and up to twice as much altogether (`man mallopt`, M_MMAP_THRESHOLD). The block
    is not touched, so that no memory is taken for it. Nothing is done where a user has tuned glibc or loads another
    allocator, or on other C libraries.
    """
    if fast.enabled() and is_untuned_glibc():
        torch.empty(LARGEST_KEPT - _HEADER, dtype=torch.uint8, device="cpu")
        fast.explain("freed memory on torch", "kept for the next step", "page faults cost more than the arithmetic")
