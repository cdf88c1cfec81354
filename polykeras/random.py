"""Random numbers: one stream for all backends.

`set_random_seed(0)` then means one experiment and not one a framework: weights and shuffles come from NumPy on the
host, and what is drawn inside a computation comes from the portable bits of `polykeras.backend.families.random`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import dtypes, ops
from polykeras.backend import Backend
from polykeras.backend.dispatch import bind
from polykeras.backend.families.random import signed
from polykeras.backend.spec import Array
from polykeras.common.arguments import shape_tuple
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.seeds import SeedGenerator, draw_seed, host_generator, is_int, key_of, set_random_seed

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "draw_seed",
    "dropout",
    "gamma",
    "host_generator",
    "normal",
    "randint",
    "set_random_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]

_uniform = bind(Backend.random_uniform)
_normal = bind(Backend.random_normal)
_truncated_normal = bind(Backend.random_truncated_normal)
_integers = bind(Backend.random_integers)
_categorical = bind(Backend.random_categorical)
_gamma = bind(Backend.random_gamma)
_beta = bind(Backend.random_beta)
_binomial = bind(Backend.random_binomial)
_shuffle = bind(Backend.random_shuffle)
_dropout = bind(Backend.random_dropout)


def _float(dtype: DTypeLike) -> str:
    name = dtypes.standardize_dtype(dtype)
    if not dtypes.is_float(name):
        raise ValueError(f"Expected a float dtype, or None; received {dtype!r}. For integers there is `randint`.")
    return name


def _is_array(*values: Any) -> bool:
    return not all(isinstance(value, (int, float)) for value in values)


def _scaled(numbers: Array, factor: Any, offset: Any, dtype: str) -> Array:
    if not _is_array(factor, offset):
        return numbers if factor == 1 and offset == 0 else numbers * factor + offset
    return ops.cast(ops.add(ops.multiply(numbers, factor), offset), dtype)


def uniform(
    shape: Sequence[int] | int,
    minval: ArrayLike = 0.0,
    maxval: ArrayLike = 1.0,
    dtype: DTypeLike = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return floats drawn evenly from `[minval, maxval)`.

    Args:
        shape: of the result; an int is the size of its only axis.
        minval: the lower bound.
        maxval: the upper bound. Where the range is far from 0, rounding may reach it.
        dtype: a float dtype; by default the default one.
        seed: an int gives the same numbers every time, a `SeedGenerator` others every time. None: those of the
            process-wide generator.
    """
    name = _float(dtype)
    numbers = _uniform(key_of(seed), shape_tuple(shape), name)
    width = ops.subtract(maxval, minval) if _is_array(minval, maxval) else maxval - minval
    return _scaled(numbers, width, minval, name)


def normal(
    shape: Sequence[int] | int,
    mean: ArrayLike = 0.0,
    stddev: ArrayLike = 1.0,
    dtype: DTypeLike = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return numbers of a normal distribution.

    Args:
        shape: of the result; an int is the size of its only axis.
        mean: the mean.
        stddev: the standard deviation.
        dtype: see `uniform`.
        seed: see `uniform`.
    """
    name = _float(dtype)
    return _scaled(_normal(key_of(seed), shape_tuple(shape), name), stddev, mean, name)


def truncated_normal(
    shape: Sequence[int] | int,
    mean: ArrayLike = 0.0,
    stddev: ArrayLike = 1.0,
    dtype: DTypeLike = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return numbers of a normal distribution of which only what lies within two deviations is kept.

    Args:
        shape: of the result; an int is the size of its only axis.
        mean: the mean.
        stddev: the deviation before the cut; that of the numbers is 0.8796 times as large.
        dtype: see `uniform`.
        seed: see `uniform`.
    """
    name = _float(dtype)
    return _scaled(_truncated_normal(key_of(seed), shape_tuple(shape), name), stddev, mean, name)


def randint(
    shape: Sequence[int] | int,
    minval: ArrayLike,
    maxval: ArrayLike,
    dtype: DTypeLike = "int32",
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return integers drawn evenly from `[minval, maxval)`: the same ones on all backends.

    Args:
        shape: of the result; an int is the size of its only axis.
        minval: the lowest, an int32 number or array.
        maxval: the end, not included, above `minval`.
        dtype: an integer dtype.
        seed: see `uniform`.

    Raises:
        ValueError: the range is empty, or more than 32 bits are asked for.
    """
    name = dtypes.standardize_dtype(dtype)
    if not dtypes.is_int(name):
        raise ValueError(f"randint: `dtype` must be an integer dtype; received {dtype!r}.")
    if is_int(minval) and is_int(maxval):
        if not (-(2**31) <= minval < maxval <= 2**31 and maxval - minval < 2**32):
            raise ValueError(
                "randint: expected -2**31 <= minval < maxval <= 2**31, less than all of it; received "
                f"{minval} and {maxval}."
            )
        minval, maxval = signed(int(minval)), signed(int(maxval))
    return ops.cast(_integers(key_of(seed), shape_tuple(shape), minval, maxval), name)


def categorical(
    logits: ArrayLike, num_samples: int, dtype: str = "int32", seed: int | SeedGenerator | None = None
) -> Array:
    """Return classes drawn with the probabilities `softmax(logits)`.

    Args:
        logits: shape `(batch, classes)`.
        num_samples: how many to draw from each row.
        dtype: an integer dtype.
        seed: see `uniform`.

    Returns:
        Shape `(batch, num_samples)`.
    """
    return ops.cast(_categorical(logits, key_of(seed), num_samples), dtype)


def gamma(
    shape: Sequence[int] | int, alpha: ArrayLike, dtype: DTypeLike = None, seed: int | SeedGenerator | None = None
) -> Array:
    """Return numbers of a gamma distribution of scale 1.

    Args:
        shape: of the result; an int is the size of its only axis.
        alpha: the shape parameter, positive; broadcasts to `shape`.
        dtype: see `uniform`.
        seed: see `uniform`.
    """
    return _gamma(ops.convert_to_tensor(alpha, _float(dtype)), key_of(seed), shape_tuple(shape))


def beta(
    shape: Sequence[int] | int,
    alpha: ArrayLike,
    beta: ArrayLike,
    dtype: DTypeLike = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return numbers of a beta distribution.

    Args:
        shape: of the result; an int is the size of its only axis.
        alpha: the first parameter, positive; broadcasts to `shape`.
        beta: the second.
        dtype: see `uniform`.
        seed: see `uniform`.
    """
    first, second = (ops.convert_to_tensor(x, _float(dtype)) for x in (alpha, beta))
    return _beta(first, second, key_of(seed), shape_tuple(shape))


def binomial(
    shape: Sequence[int] | int,
    counts: ArrayLike,
    probabilities: ArrayLike,
    dtype: DTypeLike = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return numbers of successes in `counts` independent trials, as floats.

    Args:
        shape: of the result; an int is the size of its only axis.
        counts: whole numbers; broadcast to `shape`.
        probabilities: of success; broadcast to `shape`.
        dtype: see `uniform`.
        seed: see `uniform`.
    """
    trials, chances = (ops.convert_to_tensor(x, _float(dtype)) for x in (counts, probabilities))
    return _binomial(trials, chances, key_of(seed), shape_tuple(shape))


def shuffle(x: ArrayLike, axis: int = 0, seed: int | SeedGenerator | None = None) -> Array:
    """Return `x` with its slices along `axis` in random order.

    Args:
        x: an array.
        axis: the axis to shuffle along.
        seed: see `uniform`.
    """
    return _shuffle(x, key_of(seed), axis)


def dropout(
    inputs: ArrayLike,
    rate: float,
    noise_shape: Sequence[int | None] | None = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return `inputs` with a part `rate` of its elements set to 0, and the others divided by `1 - rate`.

    The mask is the same on all backends.

    Args:
        inputs: an array.
        rate: a number in [0, 1].
        noise_shape: the shape of the mask, which broadcasts to that of `inputs`; None in it stands for their size.
        seed: see `uniform`.
    """
    return _dropout(inputs, key_of(seed), rate, noise_shape)
