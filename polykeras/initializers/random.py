"""Random initializers. NumPy draws the numbers on the host, so that a seed gives the same weights on every backend."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Union

import numpy as np

from polykeras import random
from polykeras.initializers.base import Initializer, registry

if TYPE_CHECKING:
    from polykeras.random import SeedGenerator

Seed = Union[int, "SeedGenerator", None]


class RandomInitializer(Initializer):
    """Base of random initializers.

    Args:
        seed: with an int, each call with the same shape returns the same values. With a `SeedGenerator`, each call
            returns other values. With None, an int is drawn from the global seed immediately.

    Raises:
        ValueError: the seed has another type.
    """

    def __init__(self, seed: Seed = None) -> None:
        whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
        if not (seed is None or whole or isinstance(seed, random.SeedGenerator)):
            raise ValueError(
                f"{type(self).__name__}: `seed` must be an int, a `polykeras.random.SeedGenerator` or None; received "
                f"{seed!r}."
            )
        self.seed = seed
        self._drawn_seed = random.draw_seed() if seed is None else seed
        if isinstance(seed, random.SeedGenerator):
            self.deferrable = False  # it must draw in the order in which variables are made

    def host_values(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.sample(random.host_generator(self._drawn_seed), shape)

    def sample(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return values of the given shape, drawn from `generator`."""
        raise NotImplementedError(f"{type(self).__name__} must implement `sample(generator, shape)` or `__call__`.")


def truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal numbers, float64; numbers beyond 2 are drawn again.

    Args:
        generator: the source of random numbers; the count of numbers that are drawn from it varies.
        shape: the shape of the result.
    """
    values = generator.standard_normal(shape)
    while True:
        beyond = np.abs(values) > 2.0
        count = np.count_nonzero(beyond)
        if not count:
            return values
        values[beyond] = generator.standard_normal(count)


@registry.register("normal")
class RandomNormal(RandomInitializer):
    """Draws from a normal distribution.

    Args:
        mean: the mean.
        stddev: the standard deviation.
        seed: see `RandomInitializer`.
    """

    deferrable = True

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> None:
        self.mean = mean
        self.stddev = _spread(self, stddev)
        super().__init__(seed)

    def sample(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return self.mean + self.stddev * generator.standard_normal(shape)


@registry.register()
class TruncatedNormal(RandomInitializer):
    """Draws from a normal distribution that is truncated at two standard deviations.

    Args:
        mean: the mean.
        stddev: the standard deviation before truncation; that of the values is 0.8796 times as large.
        seed: see `RandomInitializer`.
    """

    deferrable = True

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> None:
        self.mean = mean
        self.stddev = _spread(self, stddev)
        super().__init__(seed)

    def sample(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return self.mean + self.stddev * truncated_normal(generator, shape)


def _spread(owner: Initializer, stddev: float) -> float:
    if stddev < 0:
        raise ValueError(f"{type(owner).__name__}: `stddev` must not be negative; received {stddev!r}.")
    return stddev


@registry.register("uniform")
class RandomUniform(RandomInitializer):
    """Draws from a uniform distribution.

    Args:
        minval: the lower bound.
        maxval: the upper bound.
        seed: see `RandomInitializer`.

    Raises:
        ValueError: `minval` is above `maxval`.
    """

    deferrable = True

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Seed = None) -> None:
        if minval > maxval:
            raise ValueError(f"RandomUniform: expected minval <= maxval; received {minval!r} and {maxval!r}.")
        self.minval = minval
        self.maxval = maxval
        super().__init__(seed)

    def sample(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return generator.uniform(self.minval, self.maxval, shape)


@registry.register("OrthogonalInitializer")
class Orthogonal(RandomInitializer):
    """Draws a random orthogonal matrix, uniformly. Its rows span all axes except the last one.

    The columns are orthonormal, or the rows if there are fewer rows. Source: Mezzadri, "How to generate random matrices
    from the classical compact groups", Notices of the AMS 54 (2007).

    Args:
        gain: a factor for the matrix.
        seed: see `RandomInitializer`.
    """

    def __init__(self, gain: float = 1.0, seed: Seed = None) -> None:
        self.gain = gain
        super().__init__(seed)

    def sample(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal initializes arrays of two axes or more; received the shape {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diagonal(r))  # makes the result independent of QR's choice of signs
        return self.gain * (q if rows >= columns else q.T).reshape(shape)
