"""GPTQ: numbers are rounded one column after the other, and what is left makes up for the error of each.

Source: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022,
https://arxiv.org/abs/2210.17323.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.quantizers.grid import Grid, Matrix, Rounded, groups_of

BLOCK = 128
"""Columns whose errors reach the columns behind the block together, in one product."""


class GPTQ:
    """The second derivative of a layer's squared error by its weights, and the rounding that it leads to.

    Args:
        width: the number of inputs that a product sums over.

    Attributes:
        count: the number of rows of inputs seen.
        wanted: fewer rows than this for each input give a rounding that suits the calibration data alone.
    """

    wanted = 4

    def __init__(self, width: int) -> None:
        self.count = 0
        self._hessian: Any = np.zeros((width, width), "float32")

    def observe(self, inputs: Array) -> None:
        """Add rows of inputs, `(rows, width)` of float32, to the mean of `2 * transpose(x) @ x`."""
        rows, before = int(ops.shape(inputs)[0]), self.count
        self.count += rows
        added = ops.multiply(ops.matmul(ops.transpose(inputs), inputs), 2.0 / self.count)
        self._hessian = ops.add(ops.multiply(self._hessian, before / self.count), added)

    def solve(self, weights: Matrix, config: Any, dtype: str) -> Rounded:
        """Return rounded weights.

        Args:
            weights: the transposed kernel, `(outputs, width)` of float64.
            config: a `GPTQConfig`.
            dtype: the dtype in which scales are stored.

        Raises:
            ValueError: too little is added to the diagonal for a matrix that can be inverted.
        """
        hessian = ops.convert_to_numpy(self._hessian).astype("float64")
        diagonal = np.diagonal(hessian)
        unused = np.where(diagonal == 0, 1.0, 0.0)  # inputs that are always 0
        damping = config.hessian_damping * np.mean(diagonal + unused)
        hessian = (hessian + hessian.T) / 2 + np.diag(unused + damping)
        # Inputs with large values first, while most columns are left to make up for the error.
        order = np.argsort(-np.diagonal(hessian), kind="stable") if config.activation_order else None
        if order is not None:
            weights, hessian = weights[:, order], hessian[order][:, order]
        grid = Grid(config.weight_bits, config.symmetric, config.per_channel, dtype)
        rounded = _in_turn(weights, _factor_of_inverse(hessian), grid, config.group_size)
        if order is None:
            return rounded
        back = np.argsort(order)
        return Rounded(rounded.codes[:, back], rounded.scale, rounded.zero, rounded.groups[back])


def _factor_of_inverse(hessian: Matrix) -> Matrix:
    """Return the upper triangular `u` with `transpose(u) @ u == inverse(hessian)`.

    Its row `j`, divided by the diagonal, says how the columns behind `j` make up for an error of column `j`, when those
    before it are settled (section 3.3, step 3). Turned round, it is the inverse of a factor of the matrix itself, so
    that no inverse of the matrix is needed.
    """
    factor = np.eye(len(hessian))
    try:
        factor = np.linalg.cholesky(hessian[::-1, ::-1])[::-1, ::-1]
        singular = np.any(np.diagonal(factor) ** 2 < 1e-9 * np.diagonal(hessian))  # up to rounding
    except np.linalg.LinAlgError:
        singular = True
    if singular:
        raise ValueError(
            "GPTQ: the products of the calibration inputs form a matrix that cannot be inverted. Use more samples, or "
            "a larger `hessian_damping`, such as 0.01."
        )
    return np.triu(np.linalg.inv(factor))


def _in_turn(weights: Matrix, factor: Matrix, grid: Grid, size: int) -> Rounded:
    """Round the columns from the left to the right (algorithm 1 of the paper)."""
    left, width = weights.copy(), weights.shape[1]
    size = width if size == -1 else size
    codes, fits = np.zeros_like(left), list[tuple[Matrix, Matrix]]()
    for start in range(0, width, BLOCK):
        stop = min(start + BLOCK, width)
        block, errors = left[:, start:stop].copy(), np.zeros((len(left), stop - start))
        for column in range(start, stop):
            if column % size == 0:  # as in the authors' code, without the corrections from within the block
                fits.append(grid.fit(left[:, column : column + size]))
            (scale, zero), at = fits[-1], column - start
            found = grid.codes(block[:, at : at + 1], scale, zero)
            error = (block[:, at : at + 1] - scale * (found - zero)) / factor[column, column]
            block[:, at + 1 :] -= error * factor[column, column + 1 : stop]
            codes[:, column : column + 1], errors[:, at : at + 1] = found, error
        left[:, stop:] -= errors @ factor[start:stop, stop:]
    scale, zero = (np.concatenate(parts, 1) for parts in zip(*fits, strict=True))
    return Rounded(codes, scale, zero, groups_of(width, size))
