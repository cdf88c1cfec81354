"""AWQ: inputs that matter more are given a larger part of the grid.

Source: Lin et al., "AWQ: Activation-aware Weight Quantization for LLM Compression and Acceleration", 2023,
https://arxiv.org/abs/2306.00978.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.quantizers.grid import Grid, Matrix, Rounded, groups_of, nearest

CLIP_ROWS = 512
"""Rows of inputs with which clipping is chosen."""
CLIP_STEPS, CLIP_MOST = 20, 0.5
"""The bounds that are tried: steps down from the largest number of a group, by at most this part of it."""


class AWQ:
    """The mean absolute inputs of a layer, and the rounding that they lead to.

    Args:
        width: the number of inputs that a product sums over.

    Attributes:
        count: the number of rows of inputs seen.
        wanted: rows for each input below which one should be warned: means need few.
    """

    wanted = 0

    def __init__(self, width: int) -> None:
        self.count = 0
        self._mean: Any = np.zeros(width, "float32")
        self._rows: list[Matrix] = []

    def observe(self, inputs: Array) -> None:
        """Add rows of inputs, `(rows, width)` of float32, to the means, and keep the first ones."""
        rows, before = int(ops.shape(inputs)[0]), self.count
        self.count += rows
        added = ops.multiply(ops.mean(ops.abs(inputs), axis=0), rows / self.count)
        self._mean = ops.add(ops.multiply(self._mean, before / self.count), added)
        if before < CLIP_ROWS:
            self._rows.append(ops.convert_to_numpy(inputs[: CLIP_ROWS - before]).astype("float64"))

    def solve(self, weights: Matrix, config: Any, dtype: str) -> Rounded:
        """Return rounded weights.

        Args:
            weights: the transposed kernel, `(outputs, width)` of float64.
            config: an `AWQConfig`.
            dtype: the dtype in which scales are stored.
        """
        grid = Grid(config.weight_bits, dtype=dtype)
        sizes = _without_zeros(ops.convert_to_numpy(self._mean).astype("float64"))
        scales = _search(weights, sizes, grid, config)
        scaled = weights * scales
        if config.apply_clip and self._rows:
            scaled = _clipped(scaled, np.concatenate(self._rows) / scales, grid, config.group_size)
        rounded = nearest(scaled, grid, config.group_size)
        return Rounded(rounded.codes, rounded.scale, rounded.zero, rounded.groups, scales)


def _without_zeros(sizes: Matrix) -> Matrix:
    return np.where(sizes < 1e-8, 1.0, sizes)


def _search(weights: Matrix, sizes: Matrix, grid: Grid, config: Any) -> Matrix:
    """Return the scales of the inputs with the smallest error, `sizes**ratio / share**(1 - ratio)`.

    The ratio is searched from 0 to 1 (equation 5 of the paper). The share of an input is the mean of its weights, each
    divided by the largest of its group, as in the authors' code. An error of a weight counts by the size of its input.
    """
    starts = range(0, weights.shape[1], _whole_groups(weights.shape[1], config.group_size))
    largest = np.maximum.reduceat(np.abs(weights), list(starts), axis=1)
    groups = groups_of(weights.shape[1], _whole_groups(weights.shape[1], config.group_size))
    share = _without_zeros(np.mean(np.abs(weights) / (largest[:, groups] + 1e-6), axis=0))
    best, least = np.ones_like(sizes), np.inf
    for step in range(config.num_grid_points + 1):
        ratio = step / config.num_grid_points
        scales = np.maximum(sizes**ratio / share ** (1 - ratio), 1e-4)
        scales /= np.maximum(np.sqrt(scales.max() * scales.min()), 1e-8)
        error = np.mean(
            np.square((weights - nearest(weights * scales, grid, config.group_size).floats() / scales) * sizes)
        )
        if error < least:
            best, least = scales, error
    return best


def _whole_groups(width: int, size: int) -> int:
    """Return the size of groups if they fill the width, and otherwise the width, for one group."""
    return size if size > 0 and width % size == 0 else width


def _clipped(weights: Matrix, inputs: Matrix, grid: Grid, size: int) -> Matrix:
    """Return weights cut off where the outputs then change least (section 4.1 of the paper: they search a clipping).

    Args:
        weights: scaled weights, `(outputs, width)`.
        inputs: rows of inputs divided by the scales, `(rows, width)`.
        grid: the grid.
        size: of a group of columns.
    """
    found = weights.copy()
    size = _whole_groups(weights.shape[1], size)
    for start in range(0, weights.shape[1], size):
        part = weights[:, start : start + size]
        # The squared error of the outputs of an error `e` of a row is `e @ products @ e`.
        products = inputs[:, start : start + size].T @ inputs[:, start : start + size]
        largest = np.abs(part).max(1, keepdims=True)
        least = np.full((len(part), 1), np.inf)
        for step in range(CLIP_STEPS):
            bound = largest * (1 - CLIP_MOST * step / CLIP_STEPS)
            cut = np.clip(part, -bound, bound)
            error = nearest(cut, grid, -1).floats() - part
            squares = np.sum((error @ products) * error, axis=1, keepdims=True)
            better = squares < least
            least = np.where(better, squares, least)
            found[:, start : start + size] = np.where(better, cut, found[:, start : start + size])
    return found
