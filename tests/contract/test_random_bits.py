"""The portable random bits: pinned, uniform, independent."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from polykeras import random
from polykeras.backend import Backend, registry, use_backend

WORDS = 1 << 20
SIGMAS = 5.0
"""A statistic may lie this many deviations off: all streams are fixed, so that a test passes always or never."""


def words(key: tuple[int, int], count: int = WORDS) -> np.ndarray:
    backend = registry.load("numpy")
    return backend.to_numpy(backend.random_bits(np.array(key, "int32"), (count,))).view("uint32")


def keys(seed: int, count: int) -> np.ndarray:
    generator = random.SeedGenerator(seed)
    with use_backend("numpy") as backend:
        return np.stack([backend.to_numpy(generator.next()) for _ in range(count)])


def bit_means(x: np.ndarray) -> np.ndarray:
    return ((x[:, None] >> np.arange(32, dtype="uint32")) & 1).mean(0)


def deviations_of_bits(x: np.ndarray) -> float:
    """Return how far the worst of 32 bits lies from a half, in standard deviations."""
    return float(np.abs(bit_means(x) - 0.5).max() * 2 * np.sqrt(len(x)))


def test_bits_are_pinned(backend: Backend) -> None:
    """Numbers that must never change: with them, saved seeds would mean something else."""
    bits = backend.to_numpy(backend.random_bits(backend.asarray(np.array([1, 2], "int32")), (2, 3)))
    assert bits.dtype == np.int32
    assert bits.tolist() == PINNED_BITS
    key = random.SeedGenerator(0).next()
    assert backend.to_numpy(key).tolist() == PINNED_KEY


PINNED_BITS = [[1967125546, -658131043, -1976823845], [1165235782, -137094449, 1407939903]]
PINNED_KEY = [16178826, 1423273146]


@pytest.mark.parametrize("key", [(0, 0), (1, 0), (0, 1), (-1, 2**31 - 1), (123, 456)])
def test_bytes_are_uniform(key: tuple[int, int]) -> None:
    x = words(key)
    for byte in range(4):
        counts = np.bincount((x >> np.uint32(8 * byte)) & np.uint32(255), minlength=256)
        assert 1e-5 < scipy.stats.chisquare(counts).pvalue < 1 - 1e-5, f"byte {byte}"
    assert deviations_of_bits(x) < SIGMAS
    assert len(np.unique(x)) == WORDS, "the hash is a bijection of the index"


def test_pairs_of_neighbours_are_uniform() -> None:
    x = words((3, 4))
    pairs = (x[:-1] >> np.uint32(28)) * np.uint32(16) + (x[1:] >> np.uint32(28))
    assert 1e-5 < scipy.stats.chisquare(np.bincount(pairs, minlength=256)).pvalue < 1 - 1e-5


@pytest.mark.parametrize("lag", [1, 2, 3, 64, 784, 1024])
def test_neighbouring_indices_are_independent(lag: int) -> None:
    x = words((5, 6))
    assert deviations_of_bits(x[:-lag] ^ x[lag:]) < SIGMAS
    u = x.astype("float64")
    assert abs(np.corrcoef(u[:-lag], u[lag:])[0, 1]) * np.sqrt(WORDS) < SIGMAS


@pytest.mark.parametrize("word", [0, 1])
@pytest.mark.parametrize("bit", range(32))
def test_a_bit_of_the_key_changes_half_of_all_bits(word: int, bit: int) -> None:
    """The worst of all 2 x 32 x 32 pairs of bits is off by 0.012: two rounds, not three, mix the second word."""
    key = [77, -88]
    other = list(key)
    other[word] = int(np.int32(np.uint32(other[word] % 2**32) ^ np.uint32(1 << bit)))
    changed = words((key[0], key[1]), 1 << 16) ^ words((other[0], other[1]), 1 << 16)
    assert np.abs(bit_means(changed) - 0.5).max() < 0.02


def test_neighbouring_seeds_and_counters_are_independent() -> None:
    for pairs in (
        zip(keys(0, 400), keys(0, 401)[1:], strict=True),  # one after the other
        ((keys(s, 1)[0], keys(s + 1, 1)[0]) for s in range(400)),
    ):
        columns = [words((int(a[0]), int(a[1])), 256) ^ words((int(b[0]), int(b[1])), 256) for a, b in pairs]
        assert deviations_of_bits(np.concatenate(columns)) < SIGMAS
    drawn = keys(0, 4000).view("uint32")
    for column in (drawn[:, 0], drawn[:, 1], drawn[:-1, 0] ^ drawn[1:, 0], drawn[:-1, 1] ^ drawn[1:, 1],
                   drawn[:, 0] ^ drawn[:, 1], drawn[:-1, 1] ^ drawn[1:, 0]):  # fmt: skip
        assert deviations_of_bits(column) < SIGMAS
    assert len(np.unique(drawn[:, 0].astype("uint64") << np.uint64(32) | drawn[:, 1])) == 4000


def test_masks_of_neighbouring_counters_do_not_repeat() -> None:
    backend = registry.load("numpy")
    masks = np.stack([backend.to_numpy(backend.random_keep(key, (512,), 0.5)) for key in keys(1, 600)])
    assert len(np.unique(np.packbits(masks, axis=1), axis=0)) == 600
    signs = np.where(masks, 1.0, -1.0)
    overlaps = (signs @ signs.T)[np.triu_indices(600, 1)] / np.sqrt(512)  # standard normal, if independent
    assert np.abs(overlaps).max() < 5.5
    assert abs(overlaps.var() - 1) < 0.02
    along = np.fft.rfft(signs - signs.mean(1, keepdims=True), axis=1)
    assert (np.abs(along) ** 2).mean(0)[1:].max() / 512 < 1.3, "no period"


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_the_kept_part_is_right(rate: float) -> None:
    backend = registry.load("numpy")
    kept = backend.to_numpy(backend.random_keep(np.array([9, 9], "int32"), (WORDS,), rate)).mean()
    assert abs(kept - (1 - rate)) <= SIGMAS * np.sqrt(rate * (1 - rate) / WORDS)
