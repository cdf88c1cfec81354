"""Freed memory that the C library keeps: loops by hand have it as `fit` has (`polykeras/backend/host_memory.py`)."""

from __future__ import annotations

import ctypes


def keep_freed_memory() -> None:
    """Let glibc keep what a step frees for the next one, as experts do by its variables or by another allocator.

    For the rest of the process: ways that ask for it come last. Other C libraries are left as they are.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        trim_threshold, top_pad, mmap_max = -1, -2, -4
        tune(trim_threshold, -1)
        tune(top_pad, 64 << 20)
        tune(mmap_max, 0)
