"""How quantization treats a weight: the axes that products sum over, and how it is packed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array


@dataclass(frozen=True)
class Layout:
    """A weight and its axes.

    Attributes:
        name: the layer's attribute.
        shape: the shape of the weight as floats.
        summed: the axes that products sum over. Numbers along them share a scale.
        packed_axis: the axis along which two neighbouring 4-bit numbers share a byte.
        order: the axes of the weight: the summed ones, then the others in the order of the output.
        scale_shape: the shape of the scales of 8-bit numbers, with size 1 for axes of the output that the weight lacks.
        matrix: the shape of the matrix that stores 4-bit numbers.
        input_axes: the axes of the inputs that products sum over: those of `summed`, then others.
        spread: the axes of the inputs in the order of the output's, with -1 for axes that the inputs lack; None if the
            scales of inputs broadcast to the outputs as they are.
        index: the name of the weight that holds each place's block number, if it is made with this one.
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
        """The axis of the matrix along which numbers share a scale, and blocks are formed."""
        return self.summed[0] if len(self.shape) == 2 and self.matrix == self.shape else 0

    def as_matrix(self, weight: Any) -> Any:
        """Return a weight as a matrix: a row for each place of the summed axes, a column for each of the others."""
        return weight.transpose(self.order).reshape(self.matrix)

    def from_matrix(self, matrix: Array) -> Array:
        """Return the weight that `as_matrix` made a matrix of."""
        turned = ops.reshape(matrix, [self.shape[axis] for axis in self.order])
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        return turned if back == list(range(len(back))) else ops.transpose(turned, back)

    def rows_of(self, inputs: Array) -> Array:
        """Return inputs as `(samples, rows)`, where a product multiplies each with the matrix of `as_matrix`."""
        if isinstance(self.input_axes, int):
            return ops.reshape(inputs, (-1, self.matrix[0]))
        axes, more = self.input_axes[: len(self.summed)], self.input_axes[len(self.summed) :]
        others = [axis for axis in range(len(ops.shape(inputs))) if axis not in self.input_axes]
        moved = ops.transpose(inputs, (*more, *others, *axes))
        return ops.reshape(ops.sum(moved, axis=tuple(range(len(more)))) if more else moved, (-1, self.matrix[0]))

    def spread_scale(self, scale: Array) -> Array:
        """Return the scales of inputs, with size 1 along summed axes, so that they broadcast to the outputs."""
        if self.spread is None:
            return scale
        sizes = ops.shape(scale)
        kept = [axis for axis in self.spread if axis >= 0]
        moved = ops.transpose(scale, (*kept, *(axis for axis in range(len(sizes)) if axis not in kept)))
        return ops.reshape(moved, [1 if axis < 0 else sizes[axis] for axis in self.spread])


def of_matrix(
    name: str, shape: tuple[int, int], axis: int = 0, packed_axis: int = -1, index: str | None = "g_idx"
) -> Layout:
    """Return the layout of a matrix with one scale for each place along the axis other than `axis`."""
    return Layout(name, shape, (axis,), packed_axis, (axis, 1 - axis), (shape[1 - axis],), shape, index=index)


def of_einsum(name: str, equation: str, shape: tuple[int, ...], rank: int) -> Layout:
    """Return the layout of the second operand of `equation`.

    Args:
        name: the name of the weight.
        equation: the equation of an `EinsumDense`.
        shape: the shape of the weight.
        rank: the rank of the inputs.
    """
    inputs, kernel, outputs = re.split(",|->", equation.replace(" ", ""))
    hidden = rank - len(inputs.replace("...", ""))
    # Digits are not letters of equations: they stand for the axes within `...`.
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
        tuple(inputs.index(c) for c in kernel if c not in outputs)
        + tuple(i for i, c in enumerate(inputs) if c not in outputs and c not in kernel),
        tuple(inputs.find(c) for c in outputs),
    )
