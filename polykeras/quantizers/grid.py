"""Whole numbers from 0, a scale and a zero point for each group of a matrix: what GPTQ and AWQ round to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras import ops

Matrix = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Grid:
    """How numbers are rounded, in float32: the ends of a symmetric grid lie between two numbers there, not near them.

    Attributes:
        bits: of a number.
        symmetric: whether the zero point lies in the middle.
        per_channel: whether each row has a scale of its own.
        dtype: the dtype in which scales are stored. They are rounded to it first, so that errors are the layer's.
    """

    bits: int
    symmetric: bool = False
    per_channel: bool = True
    dtype: str = "float32"

    @property
    def top(self) -> int:
        """The largest whole number."""
        return 2**self.bits - 1

    def fit(self, group: Matrix) -> tuple[Matrix, Matrix]:
        """Return the scale and the zero point of each row of a group, `(rows, 1)`; 0 is on the grid.

        Args:
            group: floats, `(rows, columns)`.
        """
        group = group.astype("float32")
        axis = 1 if self.per_channel else None
        low = np.minimum(group.min(axis, keepdims=True), 0)
        high = np.maximum(group.max(axis, keepdims=True), 0)
        if self.symmetric:
            high = np.maximum(-low, high)
            low = -high
        flat = low == high  # all are 0: any scale will do
        low, high = np.where(flat, -1, low), np.where(flat, 1, high)
        scale = self._stored((high - low) / np.float32(self.top))
        middle = np.full_like(scale, (self.top + 1) / 2)
        zero = middle if self.symmetric else np.clip(np.rint(-low / scale), 0, self.top)
        shape = (len(group), 1)
        return np.broadcast_to(scale, shape), np.broadcast_to(zero, shape)

    def _stored(self, scale: Matrix) -> Matrix:
        rounded = ops.convert_to_numpy(ops.cast(ops.cast(scale, self.dtype), "float32"))
        return np.maximum(rounded, np.float32(1e-8))

    def fit_groups(self, matrix: Matrix, size: int) -> tuple[Matrix, Matrix]:
        """Return scales and zero points, `(rows, groups)`.

        Args:
            matrix: floats, `(rows, columns)`.
            size: of a group of neighbouring columns; -1 for one group.
        """
        size = matrix.shape[1] if size == -1 else size
        fits = [self.fit(matrix[:, start : start + size]) for start in range(0, matrix.shape[1], size)]
        return np.concatenate([scale for scale, _ in fits], 1), np.concatenate([zero for _, zero in fits], 1)

    def codes(self, values: Matrix, scale: Matrix, zero: Matrix) -> Matrix:
        """Return the nearest whole numbers; scales and zero points have a shape that broadcasts."""
        return np.clip(np.rint(values.astype("float32") / scale + zero), 0, self.top)


def groups_of(columns: int, size: int) -> Matrix:
    """Return the number of each column's group, int32; a size of -1 means one group."""
    return np.arange(columns, dtype="int32") // (columns if size == -1 else size)


@dataclass(frozen=True)
class Rounded:
    """A matrix `(rows, columns)` on a grid.

    Attributes:
        codes: whole numbers, `(rows, columns)`.
        scale: of each group, `(rows, groups)`.
        zero: the zero point of each group, `(rows, groups)`.
        groups: the number of each column's group, `(columns,)`.
        input_scales: what the columns were multiplied by, `(columns,)`, if they were.
    """

    codes: Matrix
    scale: Matrix
    zero: Matrix
    groups: Matrix
    input_scales: Matrix | None = None

    def floats(self) -> Matrix:
        """Return the matrix that the numbers stand for."""
        values = (self.codes - self.zero[:, self.groups]) * self.scale[:, self.groups]
        return values if self.input_scales is None else values / self.input_scales


def nearest(matrix: Matrix, grid: Grid, size: int) -> Rounded:
    """Return a matrix rounded to the nearest numbers, each by itself.

    Args:
        matrix: floats, `(rows, columns)`.
        grid: the grid.
        size: of a group of columns; -1 for one group.
    """
    scale, zero = grid.fit_groups(matrix, size)
    groups = groups_of(matrix.shape[1], size)
    return Rounded(grid.codes(matrix, scale[:, groups], zero[:, groups]), scale, zero, groups)
