"""Factors and value ranges of image layers: checked, drawn and applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.arguments import python_numbers
from polykeras.layers.base.layer import Layer
from polykeras.seeds import SeedGenerator


def factor_range(
    value: Any, name: str, owner: Layer, low: float = 0.0, high: float = 1.0, at_least: float | None = None
) -> tuple[float, float]:
    """Return the range of a random factor from a pair, or from one number `f`, which means -f to f.

    Args:
        value: the user's argument.
        name: the name of the argument.
        owner: the layer, for the message.
        low: the smallest allowed number.
        high: the largest allowed number.
        at_least: the lower limit for the range of a single number; `low` by default.

    Raises:
        ValueError: the argument has another form, or is out of bounds.
    """
    given = python_numbers(value)
    numbers = given if isinstance(given, (list, tuple)) else (given,)
    good = all(isinstance(v, (int, float)) and low <= v <= high for v in numbers)
    if not good or (len(numbers) != 2 and numbers is given):
        raise ValueError(
            f"{type(owner).__name__}: `{name}` must be a number, or a pair of them, from {low} to {high}; received "
            f"{value!r}."
        )
    if numbers is given:
        return min(numbers), max(numbers)
    size = abs(numbers[0])
    return max(-size, low if at_least is None else at_least), size


def value_pair(value: Any, owner: Layer) -> list[float]:
    """Return the range of pixel values, sorted.

    Raises:
        ValueError: it is not a pair of numbers.
    """
    pair = python_numbers(value)
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        raise ValueError(f"{type(owner).__name__}: `value_range` must be a pair of numbers; received {value!r}.")
    return sorted(pair)


def rescaled(images: Array, source: Sequence[float], target: Sequence[float]) -> Array:
    """Map the values of images from one range to another."""
    if tuple(source) == tuple(target):
        return images
    return (images - source[0]) / (source[1] - source[0]) * (target[1] - target[0]) + target[0]


def per_image(numbers: Array, images: Array) -> Array:
    """Return one number for each image in a shape that broadcasts to the images, in their dtype."""
    numbers = ops.reshape(numbers, (-1, 1, 1, 1))
    return numbers if ops.dtype(numbers) == "bool" else ops.cast(numbers, ops.dtype(images))


def chosen(batch: int, factor: tuple[float, float], seed: int | SeedGenerator | None) -> Array:
    """Return which images to change, bool `(batch,)`; the probability of each is drawn from a range."""
    probability = random.uniform((batch,), *factor, seed=seed)
    return random.uniform((batch,), seed=seed) < probability
