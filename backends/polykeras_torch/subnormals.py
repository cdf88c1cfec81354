"""Subnormal numbers (below 1e-38), with which CPUs compute up to a hundred times more slowly."""

from __future__ import annotations

import sys

import torch

from polykeras import fast

_SMALLEST = sys.float_info.min


def are_zero() -> bool:
    """Return whether this thread takes subnormal numbers for zero: the processor's flag, which torch cannot tell."""
    return _SMALLEST * 0.5 == 0.0


class subnormals_as_zero:
    """Treat subnormal numbers as zero within the block, as JAX and TensorFlow do.

    Gradients that vanish over many layers become subnormal; a step of 200 layers then takes twice as long. The flag
    belongs to the calling thread. Small kernels run in that thread; parts of large kernels in torch's other threads
    keep their own flag.
    """

    __slots__ = ("_is_set",)

    def __enter__(self) -> None:
        self._is_set = fast.enabled("subnormals") and not are_zero() and torch.set_flush_denormal(True)

    def __exit__(self, *error: object) -> None:
        if self._is_set:
            torch.set_flush_denormal(False)
