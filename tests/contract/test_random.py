"""Random numbers: the quality of the bits, the distributions, the seeds, and that all backends draw the same."""

from __future__ import annotations

import copy
import random as python_random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.stats

import polykeras
from helpers import assert_parity
from polykeras import ops, random
from polykeras.backend import Backend, Provider, registry, use_backend

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


# ---- the bits ------------------------------------------------------------------------------------------------------


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


# ---- all backends draw the same ------------------------------------------------------------------------------------

EXACT = {
    "bits": lambda b, key: b.random_bits(key, (3, 1000)),
    "fold": lambda b, key: b.random_fold(key, 12345),
    "fold-array": lambda b, key: b.random_fold(key, b.asarray(-7, "int32")),
    "keep": lambda b, key: b.random_keep(key, (1000,), 0.3),
    "uniform": lambda b, key: b.random_uniform(key, (1000,), "float32"),
    "uniform-16": lambda b, key: b.random_uniform(key, (1000,), "float16"),
    "integers": lambda b, key: b.random_integers(key, (1000,), b.asarray(-5, "int32"), b.asarray(2**31 - 6, "int32")),
    "permutation": lambda b, key: b.random_permutation(key, 1000),
    "shuffle": lambda b, key: b.random_shuffle(b.arange(50), key),
    "dropout": lambda b, key: b.random_dropout(b.ones((1000,), "float32"), key, 0.25),
}
CLOSE = {
    "normal": lambda b, key: b.random_normal(key, (1000,), "float32"),
    "truncated": lambda b, key: b.random_truncated_normal(key, (1000,), "float32"),
    "gamma": lambda b, key: b.random_gamma(b.asarray(np.linspace(0.2, 9, 1000, dtype="float32")), key, (1000,)),
    "beta": lambda b, key: b.random_beta(b.asarray(0.7, "float32"), b.asarray(2.0, "float32"), key, (1000,)),
    "binomial": lambda b, key: b.random_binomial(b.asarray(40.0, "float32"), b.asarray(0.4, "float32"), key, (1000,)),
    "few": lambda b, key: b.random_binomial(b.asarray(9.0, "float32"), b.asarray(0.8, "float32"), key, (1000,)),
    "categorical": lambda b, key: b.random_categorical(b.asarray([[0.0, 1.0, 2.0]], "float32"), key, 1000),
}


@pytest.mark.parametrize("name", EXACT)
def test_integers_make_all_backends_equal(name: str, all_backends: list[Backend]) -> None:
    key = np.array([2024, -31], "int32")
    results = [b.to_numpy(EXACT[name](b, b.asarray(key))) for b in all_backends]
    for result in results[1:]:
        assert result.dtype == results[0].dtype
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("name", CLOSE)
def test_floats_differ_by_rounding_only(name: str, all_backends: list[Backend]) -> None:
    key = np.array([2024, -31], "int32")
    results = [b.to_numpy(CLOSE[name](b, b.asarray(key))) for b in all_backends]
    for result in results[1:]:
        # A rounding may turn a decision of the rejection methods, once in a great while.
        off = np.abs(result - results[0]) > 1e-5 + 2e-4 * np.abs(results[0])
        assert off.mean() <= 0.001
        assert result.dtype == results[0].dtype


def test_a_generator_draws_the_same_keys_everywhere(backend: Backend) -> None:
    generator = random.SeedGenerator(42)
    drawn = [backend.to_numpy(generator.next()) for _ in range(3)]
    np.testing.assert_array_equal(drawn, keys(42, 3))
    np.testing.assert_array_equal(generator.state.numpy()[2], 3)


def test_a_generator_moves_between_backends(all_backends: list[Backend]) -> None:
    generator = random.SeedGenerator(42)
    drawn = []
    for backend in all_backends:
        with use_backend(backend):
            drawn.append(backend.to_numpy(generator.next()))
    np.testing.assert_array_equal(drawn, keys(42, len(all_backends)))


def test_a_compiled_function_draws_what_the_plain_one_draws(backend: Backend) -> None:
    eager, compiled = random.SeedGenerator(3), random.SeedGenerator(3)

    def draw(generator: random.SeedGenerator) -> Any:
        return random.uniform((4,), seed=generator), random.dropout(ops.ones((4,)), 0.5, seed=generator)

    run = polykeras.autodiff.function(lambda: draw(compiled))
    for _ in range(3):
        for plain, fast in zip(draw(eager), run(), strict=True):
            np.testing.assert_array_equal(backend.to_numpy(plain), backend.to_numpy(fast))


# ---- distributions -------------------------------------------------------------------------------------------------

N = 200_000
CONTINUOUS = {
    "uniform": (lambda: random.uniform((N,), -2.0, 3.0, seed=1), scipy.stats.uniform(-2, 5)),
    "normal": (lambda: random.normal((N,), 1.0, 2.0, seed=2), scipy.stats.norm(1, 2)),
    "truncated": (lambda: random.truncated_normal((N,), seed=3), scipy.stats.truncnorm(-2, 2)),
    "gamma-small": (lambda: random.gamma((N,), 0.3, seed=4), scipy.stats.gamma(0.3)),
    "gamma-1": (lambda: random.gamma((N,), 1.0, seed=5), scipy.stats.gamma(1)),
    "gamma-large": (lambda: random.gamma((N,), 30.0, seed=6), scipy.stats.gamma(30)),
    "beta": (lambda: random.beta((N,), 0.5, 2.0, seed=7), scipy.stats.beta(0.5, 2)),
    "beta-large": (lambda: random.beta((N,), 20.0, 7.0, seed=8), scipy.stats.beta(20, 7)),
}
BINOMIALS = [(5, 0.3), (20, 0.4), (40, 0.25), (30, 0.5), (100, 0.9), (1000, 0.05), (1_000_000, 0.4), (7, 0.0), (7, 1.0)]


@pytest.fixture
def on_numpy() -> Iterator[Backend]:
    with use_backend("numpy") as backend:
        yield backend


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_distributions(name: str, on_numpy: Backend) -> None:
    draw, distribution = CONTINUOUS[name]
    x = on_numpy.to_numpy(draw())
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    assert scipy.stats.kstest(x.astype("float64"), distribution.cdf).pvalue > 1e-3
    assert abs(x.mean(dtype="float64") - distribution.mean()) < SIGMAS * distribution.std() / np.sqrt(N)
    kurtosis = float(distribution.stats("k")) + 2
    assert abs(x.var(dtype="float64") / distribution.var() - 1) < SIGMAS * np.sqrt(max(kurtosis, 0.1) / N)


@pytest.mark.parametrize(("n", "p"), BINOMIALS)
def test_binomial(n: int, p: float, on_numpy: Backend) -> None:
    x = on_numpy.to_numpy(random.binomial((N,), n, p, seed=9)).astype("float64")
    distribution = scipy.stats.binom(n, p)
    assert (x == np.round(x)).all()
    assert ((x >= 0) & (x <= n)).all()
    assert abs(x.mean() - distribution.mean()) <= SIGMAS * distribution.std() / np.sqrt(N)
    values = np.unique(x)
    reached = np.searchsorted(np.sort(x), values, side="right") / N
    assert np.abs(reached - distribution.cdf(values)).max() * np.sqrt(N) < 2.2


def test_normal_numbers_are_never_infinite(on_numpy: Backend) -> None:
    x = on_numpy.to_numpy(on_numpy.random_normal(np.array([1, 1], "int32"), (1 << 21,), "float32"))
    assert 4.5 < np.abs(x).max() < 5.3
    ends = on_numpy.erfinv(on_numpy.asarray([1 - 2.0**-23, 2.0**-23 - 1], "float32"))
    assert np.isfinite(ends).all()


def test_uniform_numbers_of_each_width(on_numpy: Backend) -> None:
    for dtype, step in (("float16", 2.0**-11), ("float32", 2.0**-24), ("float64", 2.0**-24)):
        x = on_numpy.to_numpy(random.uniform((1 << 16,), dtype=dtype, seed=1)).astype("float64")
        assert (x / step == np.floor(x / step)).all()
        assert 0 <= x.min() < 0.01 < 0.99 < x.max() < 1


def test_categorical(on_numpy: Backend) -> None:
    chances = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    with np.errstate(divide="ignore"):
        x = on_numpy.to_numpy(random.categorical(np.log(chances), N, seed=1))
    assert x.shape == (2, N)
    assert x.dtype == np.int32
    for row, chance in zip(x, chances, strict=True):
        assert np.abs(np.bincount(row, minlength=3) / N - chance).max() < SIGMAS * 0.5 / np.sqrt(N)
    assert (x[1] != 2).all()


@pytest.mark.parametrize(("low", "high"), [(0, 6), (-3, 3), (0, 1), (-(2**31), 2**31 - 1), (0, 2**31), (5, 70_000)])
def test_randint(low: int, high: int, on_numpy: Backend) -> None:
    x = on_numpy.to_numpy(random.randint((N,), low, high, seed=1)).astype("int64")
    assert x.min() >= low
    assert x.max() < high
    counts, _ = np.histogram(x, bins=min(high - low, 64), range=(low, high))
    expected = N / len(counts)
    assert np.abs(counts - expected).max() <= SIGMAS * np.sqrt(expected) + (high - low) % len(counts)


def test_randint_is_the_upper_word_of_a_product(on_numpy: Backend) -> None:
    key, low, span = np.array([4, 5], "int32"), -1000, 2_000_000_000
    bits = on_numpy.to_numpy(on_numpy.random_bits(key, (1000,))).view("uint32").astype("uint64")
    x = on_numpy.to_numpy(random._integers(key, (1000,), low, low + span))
    np.testing.assert_array_equal(x, low + (bits * np.uint64(span) >> np.uint64(32)).astype("int64"))


def test_what_the_functions_refuse(on_numpy: Backend) -> None:
    with pytest.raises(ValueError, match="randint: expected"):
        random.randint((2,), 3, 3)
    with pytest.raises(ValueError, match="must be an integer dtype"):
        random.randint((2,), 0, 3, "float32")
    with pytest.raises(ValueError, match="Expected a float dtype"):
        random.normal((2,), dtype="int32")
    with pytest.raises(ValueError, match="`seed` must be an int, a `SeedGenerator` or None"):
        random.normal((2,), seed="a")
    with pytest.raises(ValueError, match=r"`rate` must lie in \[0, 1\]"):
        random.dropout([1.0], 1.5)
    with pytest.raises(ValueError, match="`seed` must be an int"):
        random.SeedGenerator(0.5)
    with pytest.raises(ValueError, match="`seed` must be an int"):
        polykeras.random.set_random_seed("0")


def test_shuffle_moves_whole_rows(backend: Backend) -> None:
    x = np.arange(60).reshape(20, 3)
    rows = backend.to_numpy(random.shuffle(x, seed=1))
    assert not np.array_equal(rows, x)
    np.testing.assert_array_equal(rows[np.argsort(rows[:, 0])], x)
    columns = backend.to_numpy(random.shuffle(x, axis=1, seed=3))
    np.testing.assert_array_equal(np.sort(columns, 1), x)


def test_dropout(backend: Backend) -> None:
    x = np.full((4, 6), 3.0, "float32")
    dropped = backend.to_numpy(random.dropout(x, 0.25, seed=1))
    assert set(np.unique(dropped)) == {0.0, 4.0}
    rows = backend.to_numpy(random.dropout(x, 0.5, (None, 1), seed=1))
    assert (rows == rows[:, :1]).all()
    assert_parity(backend.to_numpy(random.dropout(x, 0.0, seed=1)), x)
    assert_parity(backend.to_numpy(random.dropout(x, 1.0, seed=1)), 0 * x)
    gradient = polykeras.autodiff.grad(lambda a: ops.sum(random.dropout(a, 0.25, seed=1)))(ops.convert_to_tensor(x))
    assert_parity(backend.to_numpy(gradient), dropped / 3)


# ---- seeds ---------------------------------------------------------------------------------------------------------


def test_kinds_of_seeds(backend: Backend) -> None:
    generator = random.SeedGenerator(7)
    first, second, fixed, again = (
        backend.to_numpy(random.normal((8,), seed=seed)) for seed in (generator, generator, 7, 7)
    )
    assert_parity(fixed, again)
    assert_parity(first, fixed, what="an int is the generator's first key")
    assert not np.array_equal(first, second)
    assert not np.array_equal(backend.to_numpy(random.normal((8,))), backend.to_numpy(random.normal((8,))))
    negative, wrapped = (backend.to_numpy(random.normal((8,), seed=seed)) for seed in (-1, 2**64 - 1))
    assert_parity(negative, wrapped)


def test_a_generator_is_rebuilt_and_copied(on_numpy: Backend) -> None:
    generator = random.SeedGenerator(5, name="mine")
    assert random.SeedGenerator.from_config(generator.get_config()).get_config() == {"seed": 5, "name": "mine"}
    generator.next()
    twin = copy.deepcopy(generator)
    np.testing.assert_array_equal(twin.next(), generator.next())
    assert not np.array_equal(random.SeedGenerator().state.numpy(), random.SeedGenerator().state.numpy())


def everything() -> list[Any]:
    backend = registry.current()
    return [
        backend.to_numpy(random.uniform((3,))).tolist(),
        random.draw_seed(),
        random.host_generator().random(),
        random.SeedGenerator().state.numpy().tolist(),
        python_random.random(),
        float(np.random.random()),
    ]


def test_set_random_seed_begins_everything_again(backend: Backend) -> None:
    polykeras.random.set_random_seed(11)
    first = everything()
    assert everything() != first
    polykeras.random.set_random_seed(11)
    assert everything() == first
    polykeras.random.set_random_seed(12)
    assert all(a != b for a, b in zip(everything(), first, strict=True))


def test_a_seed_means_the_same_in_every_process(on_numpy: Backend) -> None:
    polykeras.random.set_random_seed(5)
    x = ops.convert_to_numpy(random.uniform((2,))).tolist()
    here = [random.draw_seed(), x, random.host_generator().random()]
    code = (
        "from polykeras import ops, random; from polykeras.backend import set_backend; set_backend('numpy'); "
        "random.set_random_seed(5); x = ops.convert_to_numpy(random.uniform((2,))).tolist(); "
        "print([random.draw_seed(), x, random.host_generator().random()])"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert there.stdout.strip() == repr(here)


def test_host_generators(on_numpy: Backend) -> None:
    assert random.host_generator(3).random() == random.host_generator(3).random()
    generator = random.SeedGenerator(3)
    assert random.host_generator(generator).random() != random.host_generator(generator).random()
    assert generator.state.numpy()[2] == 2
    assert random.host_generator(3).integers(1 << 30, size=2).tolist() == PINNED_HOST


PINNED_HOST = [705734705, 48633135]


def test_a_framework_that_is_loaded_later_is_seeded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    class Late:
        name = "late"

        def seed_framework(self, seed: int) -> None:
            seeds.append(seed)

    known = {**registry.providers(), "late": Provider(None, Late)}  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "providers", lambda: known)
    monkeypatch.setattr(registry, "_loaded", dict(registry._loaded))
    polykeras.random.set_random_seed(21)
    assert seeds == []
    registry.load("late")
    assert seeds == [21]
    registry.load("late")
    assert seeds == [21]
    polykeras.random.set_random_seed(22)
    assert seeds == [21, 22]
