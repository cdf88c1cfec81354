"""The heap of the C library, which supplies torch with memory for each result."""

from __future__ import annotations

from functools import cache

from polykeras import fast
from polykeras.backend import host_memory


@cache
def keep_freed_memory() -> None:
    """Let the C library keep the freed memory of one step for the results of the next one.

    Zeroed pages come back one fault at a time, which takes a third of a transformer's step and half of a convolution's.
    """
    if host_memory.keep_freed_memory():
        fast.explain("freed memory on torch", "kept for the next step", "page faults cost more than the arithmetic")
