"""The random words, in Python's integers, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special


def triple32(x: int, low: int, high: int) -> int:
    """Return the hash of one counter, in Python's integers: the published rounds, with the key as documented."""
    mask = 0xFFFFFFFF
    x = (x ^ low) & mask
    x = ((x ^ (x >> 17)) * 0xED5AD4BB + high) & mask
    x = ((x ^ (x >> 11)) * 0xAC4C1B51) & mask
    x = ((x ^ (x >> 15)) * 0x31848BAB) & mask
    return x ^ (x >> 14)


def random_bits(key: Any, shape: Any) -> Any:
    low, high = (int(word) & 0xFFFFFFFF for word in key)
    words = [triple32(i, low, high) for i in range(int(np.prod(shape)))]
    return np.array(words, np.uint32).view(np.int32).reshape(shape)


def random_fold(key: Any, data: Any) -> Any:
    with np.errstate(over="ignore"):
        word = np.asarray(data).astype(np.int32).reshape(1) * np.uint32(0x9E3779B9).view(np.int32)
        return random_bits(np.concatenate([key[:1] ^ word, key[1:] + word]), (2,))


def random_uniform(key: Any, shape: Any, dtype: str) -> Any:
    digits = {"bfloat16": 8, "float16": 11}.get(dtype, 24)
    return (random_bits(key, shape).view(np.uint32) >> np.uint32(32 - digits)) * 2.0**-digits


def random_keep(key: Any, shape: Any, rate: float) -> Any:
    return random_bits(key, shape).astype(np.int64) >= round(rate * 2**32) - 2**31


def random_integers(key: Any, shape: Any, minval: int, maxval: int) -> Any:
    words = random_bits(key, shape).view(np.uint32).ravel()
    return np.array([minval + ((int(w) * (maxval - minval)) >> 32) for w in words], np.int32).reshape(shape)


def random_permutation(key: Any, n: int) -> Any:
    return np.argsort(random_bits(key, (n,)), kind="stable")


def inside(key: Any, shape: Any) -> Any:
    """Return uniform numbers in (-1, 1): odd multiples of 2**-23, which no end and no 0 is."""
    return (2 * (random_bits(key, shape).view(np.uint32) >> np.uint32(9)).astype(float) + 1) / 2**23 - 1


WORDS: dict[str, Callable[..., Any]] = {
    "random_bits": random_bits,
    "random_fold": random_fold,
    "random_keep": random_keep,
    "random_uniform": random_uniform,
    "random_integers": random_integers,
    "random_permutation": random_permutation,
    "random_shuffle": lambda x, key, axis=0: np.take(x, random_permutation(key, x.shape[axis]), axis),
    "random_normal": lambda key, shape, dtype: np.sqrt(2) * scipy.special.erfinv(inside(key, shape)),
    "random_truncated_normal": lambda key, shape, dtype: (
        np.sqrt(2) * scipy.special.erfinv(inside(key, shape) * scipy.special.erf(np.sqrt(2)))
    ),
}
