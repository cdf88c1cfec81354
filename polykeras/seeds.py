"""Where random numbers begin: generators of keys, the process-wide stream of seeds, and generators on the host."""

from __future__ import annotations

import os
import random as python_random
import threading
from functools import lru_cache
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backend import registry
from polykeras.backend.families.random import key_of_seed
from polykeras.backend.spec import Array
from polykeras.common.checkpointable import Checkpointable
from polykeras.common.naming import unique_name
from polykeras.variables import Variable

_COUNT_ONE = np.array([0, 0, 1], "int32")
_lock = threading.RLock()


class SeedGenerator(Checkpointable):
    """A stream of keys for random functions, whose state is a variable: compiled code may draw from it.

    Args:
        seed: an int; None draws one from the process-wide stream.
        name: for messages.

    Attributes:
        state: int32 `(3,)`: two words made of the seed, and how many keys were drawn.

    Raises:
        ValueError: `seed` is no int.

    Example:
        >>> from polykeras import random
        >>> generator = SeedGenerator(0)
        >>> first, second = (random.uniform((2,), seed=generator) for _ in range(2))
        >>> bool((first == second).all())
        False
    """

    _in_files = False

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is not None and not is_int(seed):
            raise ValueError(f"SeedGenerator: `seed` must be an int or None; received {seed!r}.")
        self.name = name or unique_name("seed_generator")
        self.seed = seed
        start = _start(draw_seed() if seed is None else int(seed))
        self.state = Variable(start, trainable=False, name="seed_generator_state")
        self.state.path = f"{self.name}/{self.state.name}"

    def _saved_variables(self) -> list[Variable]:
        return [self.state]

    def next(self, ordered: bool = True) -> Array:
        """Return the next key, int32 `(2,)`.

        Args:
            ordered: kept for Keras code, where False asks for keys in no order: these are in none.
        """
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


def is_int(seed: Any) -> bool:
    """Return whether `seed` is an integer, and no bool."""
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
        self.base: int | None = None  # until `set_random_seed`, or a seed in the config file
        self.asked = False  # whether the config file was read, which is done at the first use
        self.count = 0
        self.generator: SeedGenerator | None = None

    def reset(self, seed: int) -> None:
        with _lock:
            self.base, self.count = seed % 2**64, 0
            if self.generator is not None:  # the same object: compiled functions hold its state
                self.generator.state.assign(_start(draw_seed()))
            else:
                self.generator = SeedGenerator(draw_seed(), name="global_seed_generator")

    def _begin(self) -> int | None:
        if self.base is None and not self.asked:
            self.asked = True
            seed = config.settings().seed
            if seed is not None:
                self.reset(seed)
        return self.base

    def state(self) -> tuple[int, int]:
        """Return the base and the count; a run that is to be gone on with has a stream of its own from now on."""
        if self._begin() is None:
            self.base = int.from_bytes(os.urandom(8))
        assert self.base is not None
        return self.base, self.count

    def draw(self) -> int:
        with _lock:
            base = self._begin()
            if base is None:  # as in Keras: a script that calls `random.seed` alone gets the same weights again
                return python_random.getrandbits(63)
            self.count += 1
            return int(_sequence(base, self.count).generate_state(1, np.uint64)[0] >> np.uint64(1))

    def next(self) -> Array:
        with _lock:
            self._begin()
            if self.generator is None:
                self.generator = SeedGenerator(name="global_seed_generator")
            return self.generator.next()


_process = _ProcessSeed()


def draw_seed() -> int:
    """Return the next seed of the process-wide stream, a non-negative int: for whatever was given none.

    After `set_random_seed` the stream is the same in every process, and so with a `seed` in the config file. Before,
    Python's global generator draws it, as in Keras.
    """
    return _process.draw()


def set_random_seed(seed: int) -> None:
    """Seed all random numbers: polykeras', Python's, NumPy's, and those of each framework, now or when it is loaded.

    Args:
        seed: an int.

    Raises:
        ValueError: `seed` is no int.

    Example:
        >>> from polykeras import random
        >>> set_random_seed(0)
        >>> a = random.uniform((3,))
        >>> set_random_seed(0)
        >>> bool((a == random.uniform((3,))).all())
        True
    """
    if not is_int(seed):
        raise ValueError(f"set_random_seed: `seed` must be an int; received {seed!r}.")
    seed = int(seed)
    python_random.seed(seed)
    np.random.seed(seed % 2**32)  # users' code may draw from it
    registry.seed_frameworks(seed)
    _process.reset(seed)


def process_seed() -> int | None:
    """Return the seed of `set_random_seed` or the config file; None if there was none, and random numbers differ."""
    with _lock:
        return _process._begin()


def set_process_seed(seed: int) -> None:
    """Seed the process-wide stream alone: Python's, NumPy's and the frameworks' generators stay as they are."""
    _process.reset(seed)


def process_state() -> dict[str, Any]:
    """Return where the process-wide stream of seeds and the generator of calls without a seed are, as plain data."""
    with _lock:
        base, count = _process.state()
        generator = _process.generator
        return {"base": base, "count": count, "generator": generator and generator.state.numpy()}


def set_process_state(state: dict[str, Any]) -> None:
    """Go on where `process_state` was called, in this or another process."""
    with _lock:
        if state["generator"] is not None:
            if _process.generator is None:  # with a seed, so that it draws none from the stream
                _process.generator = SeedGenerator(0, name="global_seed_generator")
            with registry.use_backend("numpy"):
                _process.generator.state.assign(state["generator"])
        _process.base, _process.count = state["base"], state["count"]


def process_variables() -> list[Variable]:
    """Return the variable of the generator of calls without a seed, where there is one."""
    return [] if _process.generator is None else [_process.generator.state]


def global_state() -> dict[str, Any]:
    """Return the states of Python's and NumPy's global generators, from which users' code may draw."""
    version, words, gauss = python_random.getstate()
    python = {"version": version, "words": np.array(words, "uint32"), "gauss": gauss}
    return {"python": python, "numpy": np.random.get_state(legacy=False)}


def set_global_state(state: dict[str, Any]) -> None:
    """Give Python's and NumPy's global generators the states that `global_state` returned."""
    python = state["python"]
    python_random.setstate((python["version"], tuple(python["words"].tolist()), python["gauss"]))
    np.random.set_state(state["numpy"])


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


@key_of_seed.supply
def key_of(seed: int | SeedGenerator | None) -> Array:
    """Return the key, int32 `(2,)`, that a function of `polykeras.random` draws from.

    Raises:
        ValueError: `seed` is no seed.
    """
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        return _process.next()
    if is_int(seed):
        return registry.current().asarray(_key_of_int(int(seed)))
    raise ValueError(f"`seed` must be an int, a `SeedGenerator` or None; received {seed!r}.")
