"""The rule that turns a weight into -1, 0 and 1."""

from __future__ import annotations

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike


def ternarize(weight: ArrayLike, threshold: float | None = None) -> tuple[Array, Array]:
    """Return the signs of large numbers, and 0 for the others.

    Without a threshold, half of the mean absolute value is one, and that mean is the scale: rounding the weight divided
    by its mean to the nearest of -1, 0 and 1 gives the same.
    Source: Ma et al., "The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits", 2024,
    https://arxiv.org/abs/2402.17764, section 2.

    Args:
        weight: floats of any shape. The mean and the comparison are in float32.
        threshold: numbers with a larger absolute value get their sign; None for the rule above.

    Returns:
        `(signs, scale)`: signs of the shape of the weight, and a scalar, which is 1 for a given threshold; float32.
    """
    weight = ops.cast(weight, "float32")
    sizes = ops.abs(weight)
    mean = ops.mean(sizes)
    limit = ops.multiply(mean, 0.5) if threshold is None else threshold
    signs = ops.where(ops.greater(sizes, limit), ops.sign(weight), 0.0)
    return ops.stop_gradient(signs), mean if threshold is None else ops.ones_like(mean)
