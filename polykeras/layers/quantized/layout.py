"""How a weight is seen by quantization: over which of its axes products sum, and how it is packed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from polykeras import ops
from polykeras.backend.spec import Array


@dataclass(frozen=True)
class Layout:
    """A weight and its axes.

    Attributes:
        name: the attribute of the layer.
        shape: the shape of the weight as floats.
        summed: the axes over which products sum. Numbers along them share a scale.
        packed_axis: along which neighbours of 4 bits share a byte.
        order: the axes of the weight, those over which products sum first, then the others as in the output.
        scale_shape: of the scales of 8-bit numbers, which output axes that the weight has not got broadcast.
        matrix: the shape of the matrix as which 4-bit numbers are kept.
        input_axes: the axes of the inputs over which products sum.
        spread: axes of the inputs in the order of the output's, and -1 for those that inputs have not got; None if
            scales of inputs broadcast against outputs as they are.
        index: the name of the weight that says which block each place belongs to, made with this one.
    """

    name: str
    shape: tuple[int, ...]
    summed: tuple[int, ...]
    packed_axis: int
    order: tuple[int, ...]
    scale_shape: tuple[int, ...]
    matrix: tuple[int, int]
    input_axes: tuple[int, ...] | int = -1
    spread: tuple[int, ...] | None = None
    index: str | None = "g_idx"

    @property
    def axis(self) -> int:
        """The axis of the matrix along which scales are shared, and blocks lie."""
        return self.summed[0] if len(self.shape) == 2 and self.matrix == self.shape else 0

    def spread_scale(self, scale: Array) -> Array:
        """Return the scales of inputs, with size 1 where products sum, so that they broadcast against the outputs."""
        if self.spread is None:
            return scale
        sizes = ops.shape(scale)
        kept = [axis for axis in self.spread if axis >= 0]
        moved = ops.transpose(scale, (*kept, *(axis for axis in range(len(sizes)) if axis not in kept)))
        return ops.reshape(moved, [1 if axis < 0 else sizes[axis] for axis in self.spread])


def of_matrix(
    name: str, shape: tuple[int, int], axis: int = 0, packed_axis: int = -1, index: str | None = "g_idx"
) -> Layout:
    """Return the layout of a matrix with a scale for each place beside `axis`."""
    return Layout(name, shape, (axis,), packed_axis, (axis, 1 - axis), (shape[1 - axis],), shape, index=index)


def of_einsum(name: str, equation: str, shape: tuple[int, ...], rank: int) -> Layout:
    """Return the layout of the second operand of `equation`.

    Args:
        name: the name of the weight.
        equation: of `EinsumDense`.
        shape: the shape of the weight.
        rank: the rank of the inputs.
    """
    inputs, kernel, outputs = re.split(",|->", equation.replace(" ", ""))
    hidden = rank - len(inputs.replace("...", ""))
    # Numbers are no letters of equations: they stand for the axes within `...`.
    dots = "".join(map(str, range(hidden)))
    inputs, outputs = inputs.replace("...", dots), outputs.replace("...", dots)
    summed = tuple(i for i, c in enumerate(kernel) if c not in outputs)
    kept = tuple(kernel.index(c) for c in outputs if c in kernel)
    rows = math.prod(shape[i] for i in summed)
    return Layout(
        name,
        shape,
        summed,
        -1,
        (*summed, *kept),
        tuple(shape[kernel.index(c)] if c in kernel else 1 for c in outputs),
        (rows, math.prod(shape) // rows),
        tuple(i for i, c in enumerate(inputs) if c not in outputs),
        tuple(inputs.find(c) for c in outputs),
    )
