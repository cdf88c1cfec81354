"""Random numbers: one stream for all backends.

`set_random_seed(0)` then means one experiment and not one a framework: weights and shuffles come from NumPy on the
host, and what is drawn inside a computation comes from the portable bits of `polykeras.backend.random`.
"""

from __future__ import annotations

import random as python_random
import secrets
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from polykeras import dtypes, ops
from polykeras.backend import Backend, registry
from polykeras.backend.door import bind
from polykeras.backend.random import signed
from polykeras.backend.spec import Array
from polykeras.naming import unique_name
from polykeras.variables import Variable

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

_COUNT_ONE = np.array([0, 0, 1], "int32")
_lock = threading.RLock()


# ---- seeds ---------------------------------------------------------------------------------------------------------


class SeedGenerator:
    """A stream of keys for random functions, whose state is a variable: compiled code may draw from it.

    Args:
        seed: an int; None draws one from the process-wide stream.
        name: for messages.

    Attributes:
        state: int32 `(3,)`: two words made of the seed, and how many keys were drawn.

    Example:
        >>> generator = SeedGenerator(0)
        >>> first, second = uniform((2,), seed=generator), uniform((2,), seed=generator)
        >>> bool((first == second).all())
        False
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is not None and not _is_int(seed):
            raise ValueError(f"SeedGenerator: `seed` must be an int or None; received {seed!r}.")
        self.name = name or unique_name("seed_generator")
        self.seed = seed
        start = _start(draw_seed() if seed is None else int(seed))
        self.state = Variable(start, trainable=False, name="seed_generator_state")

    def next(self) -> Array:
        """Return the next key, int32 `(2,)`."""
        with _lock:
            backend = registry.current()
            state = self.state.value
            self.state.assign(state + backend.asarray(_COUNT_ONE))
            return backend.random_fold(state[0:2], state[2])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make such a generator."""
        return {"seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """Return a generator of the arguments that `get_config` gave."""
        return cls(**config)


def _is_int(seed: Any) -> bool:
    return isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)


def _sequence(seed: int, *more: int) -> np.random.SeedSequence:
    """Return NumPy's mixer of seeds, for any int; its results are fixed by NumPy's compatibility policy."""
    return np.random.SeedSequence([seed % 2**64, *more])


def _start(seed: int) -> np.ndarray:
    """Return the first state of a generator."""
    return np.append(_sequence(seed).generate_state(2).view("int32"), np.int32(0))


@lru_cache(maxsize=1024)
def _key_of_int(seed: int) -> np.ndarray:
    """Return the first key of `SeedGenerator(seed)`."""
    backend = registry.load("numpy")
    return backend.to_numpy(backend.random_fold(_start(seed)[:2], 0))


class _ProcessSeed:
    """The process-wide stream of seeds, and the generator of calls without a seed."""

    def __init__(self) -> None:
        self.base = secrets.randbits(64)
        self.count = 0
        self.generator: SeedGenerator | None = None

    def reset(self, seed: int) -> None:
        with _lock:
            self.base, self.count = seed % 2**64, 0
            if self.generator is not None:  # the same object: compiled functions hold its state
                self.generator.state.assign(_start(draw_seed()))
            else:
                self.generator = SeedGenerator(draw_seed(), name="global_seed_generator")

    def draw(self) -> int:
        with _lock:
            self.count += 1
            return int(_sequence(self.base, self.count).generate_state(1, np.uint64)[0] >> np.uint64(1))

    def next(self) -> Array:
        with _lock:
            if self.generator is None:
                self.generator = SeedGenerator(name="global_seed_generator")
            return self.generator.next()


_process = _ProcessSeed()


def draw_seed() -> int:
    """Return the next seed of the process-wide stream, a non-negative int: for whatever was given none.

    After `set_random_seed` the stream is the same in every process; before, it differs.
    """
    return _process.draw()


def set_random_seed(seed: int) -> None:
    """Seed all random numbers: polykeras', Python's, NumPy's, and those of each framework, now or when it is loaded.

    Args:
        seed: an int.

    Example:
        >>> set_random_seed(0)
        >>> a = uniform((3,))
        >>> set_random_seed(0)
        >>> bool((a == uniform((3,))).all())
        True
    """
    if not _is_int(seed):
        raise ValueError(f"set_random_seed: `seed` must be an int; received {seed!r}.")
    seed = int(seed)
    python_random.seed(seed)
    np.random.seed(seed % 2**32)  # users' code may draw from it
    registry.seed_frameworks(seed)
    _process.reset(seed)


def host_generator(seed: int | SeedGenerator | None = None) -> np.random.Generator:
    """Return a NumPy generator for numbers that are made on the host, such as initial weights and shuffles.

    Args:
        seed: an int, a `SeedGenerator`, which goes on by one key, or None, which draws a seed.
    """
    if isinstance(seed, SeedGenerator):
        with registry.use_backend("numpy") as backend:
            words = backend.to_numpy(seed.next()).view("uint32")
        sequence = np.random.SeedSequence([int(word) for word in words])
    else:
        sequence = _sequence(draw_seed() if seed is None else int(seed))
    return np.random.Generator(np.random.Philox(sequence))


def _key(seed: int | SeedGenerator | None) -> Array:
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        return _process.next()
    if _is_int(seed):
        return registry.current().asarray(_key_of_int(int(seed)))
    raise ValueError(f"`seed` must be an int, a `SeedGenerator` or None; received {seed!r}.")


def _float(dtype: Any) -> str:
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


# ---- numbers -------------------------------------------------------------------------------------------------------


def uniform(
    shape: Sequence[int],
    minval: Any = 0.0,
    maxval: Any = 1.0,
    dtype: Any = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return floats drawn evenly from `[minval, maxval)`.

    Args:
        shape: of the result.
        minval: the lower bound.
        maxval: the upper bound. Where the range is far from 0, rounding may reach it.
        dtype: a float dtype; by default the default one.
        seed: an int gives the same numbers every time, a `SeedGenerator` others every time. None: those of the
            process-wide generator.
    """
    name = _float(dtype)
    numbers = _uniform(_key(seed), tuple(shape), name)
    width = ops.subtract(maxval, minval) if _is_array(minval, maxval) else maxval - minval
    return _scaled(numbers, width, minval, name)


def normal(
    shape: Sequence[int],
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return numbers of a normal distribution.

    Args:
        shape: of the result.
        mean: the mean.
        stddev: the standard deviation.
        dtype: see `uniform`.
        seed: see `uniform`.
    """
    name = _float(dtype)
    return _scaled(_normal(_key(seed), tuple(shape), name), stddev, mean, name)


def truncated_normal(
    shape: Sequence[int],
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return numbers of a normal distribution of which only what lies within two deviations is kept.

    Args:
        shape: of the result.
        mean: the mean.
        stddev: the deviation before the cut; that of the numbers is 0.8796 times as large.
        dtype: see `uniform`.
        seed: see `uniform`.
    """
    name = _float(dtype)
    return _scaled(_truncated_normal(_key(seed), tuple(shape), name), stddev, mean, name)


def randint(
    shape: Sequence[int], minval: Any, maxval: Any, dtype: Any = "int32", seed: int | SeedGenerator | None = None
) -> Array:
    """Return integers drawn evenly from `[minval, maxval)`: the same ones on all backends.

    Args:
        shape: of the result.
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
    if _is_int(minval) and _is_int(maxval):
        if not (-(2**31) <= minval < maxval <= 2**31 and maxval - minval < 2**32):
            raise ValueError(
                "randint: expected -2**31 <= minval < maxval <= 2**31, less than all of it; received "
                f"{minval} and {maxval}."
            )
        minval, maxval = signed(int(minval)), signed(int(maxval))
    return ops.cast(_integers(_key(seed), tuple(shape), minval, maxval), name)


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: int | SeedGenerator | None = None) -> Array:
    """Return classes drawn with the probabilities `softmax(logits)`.

    Args:
        logits: shape `(batch, classes)`.
        num_samples: how many to draw from each row.
        dtype: an integer dtype.
        seed: see `uniform`.

    Returns:
        Shape `(batch, num_samples)`.
    """
    return ops.cast(_categorical(logits, _key(seed), num_samples), dtype)


def gamma(shape: Sequence[int], alpha: Any, dtype: Any = None, seed: int | SeedGenerator | None = None) -> Array:
    """Return numbers of a gamma distribution of scale 1.

    Args:
        shape: of the result.
        alpha: the shape parameter, positive; broadcasts to `shape`.
        dtype: see `uniform`.
        seed: see `uniform`.
    """
    return _gamma(ops.convert_to_tensor(alpha, _float(dtype)), _key(seed), tuple(shape))


def beta(
    shape: Sequence[int], alpha: Any, beta: Any, dtype: Any = None, seed: int | SeedGenerator | None = None
) -> Array:
    """Return numbers of a beta distribution.

    Args:
        shape: of the result.
        alpha: the first parameter, positive; broadcasts to `shape`.
        beta: the second.
        dtype: see `uniform`.
        seed: see `uniform`.
    """
    first, second = (ops.convert_to_tensor(x, _float(dtype)) for x in (alpha, beta))
    return _beta(first, second, _key(seed), tuple(shape))


def binomial(
    shape: Sequence[int],
    counts: Any,
    probabilities: Any,
    dtype: Any = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return numbers of successes in `counts` independent trials, as floats.

    Args:
        shape: of the result.
        counts: whole numbers; broadcast to `shape`.
        probabilities: of success; broadcast to `shape`.
        dtype: see `uniform`.
        seed: see `uniform`.
    """
    trials, chances = (ops.convert_to_tensor(x, _float(dtype)) for x in (counts, probabilities))
    return _binomial(trials, chances, _key(seed), tuple(shape))


def shuffle(x: Any, axis: int = 0, seed: int | SeedGenerator | None = None) -> Array:
    """Return `x` with its slices along `axis` in random order.

    Args:
        x: an array.
        axis: the axis to shuffle along.
        seed: see `uniform`.
    """
    return _shuffle(x, _key(seed), axis)


def dropout(
    inputs: Any, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | SeedGenerator | None = None
) -> Array:
    """Return `inputs` with a part `rate` of its elements set to 0, and the others divided by `1 - rate`.

    The mask is the same on all backends.

    Args:
        inputs: an array.
        rate: a number in [0, 1].
        noise_shape: the shape of the mask, which broadcasts to that of `inputs`; None in it stands for their size.
        seed: see `uniform`.
    """
    return _dropout(inputs, _key(seed), rate, noise_shape)
