"""Numbers below 1e-38, with which CPUs compute a hundred times slower than with others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from polykeras import fast

_SMALLEST = sys.float_info.min


def _are_zero() -> bool:
    """Return whether this thread takes subnormal numbers for zero: the processor's flag, which torch cannot tell."""
    return _SMALLEST * 0.5 == 0.0


@contextmanager
def subnormals_as_zero() -> Iterator[None]:
    """Take subnormal numbers for zero within the block, as JAX and TensorFlow do.

    Gradients that vanish over many layers become such numbers: a step of 200 layers takes twice as long with them. The
    flag is that of the calling thread. Small kernels run in it; of large ones the parts in other threads of torch's
    keep theirs.
    """
    if not fast.enabled() or _are_zero() or not torch.set_flush_denormal(True):
        yield
        return
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
