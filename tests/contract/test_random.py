"""Random numbers: the same on all backends, and distributed as they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.stats

import polykeras
from helpers import assert_parity
from polykeras import ops, random
from polykeras.backend import Backend, use_backend

SIGMAS = 5.0
"""A statistic may lie this many deviations off: all streams are fixed, so that a test passes always or never."""


def keys(seed: int, count: int) -> np.ndarray:
    generator = random.SeedGenerator(seed)
    with use_backend("numpy") as backend:
        return np.stack([backend.to_numpy(generator.next()) for _ in range(count)])


# ---- all backends draw the same --------------------------------------------------------------------------------------


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


# ---- distributions ---------------------------------------------------------------------------------------------------


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


def test_an_int_is_the_shape_of_a_vector(backend: Backend) -> None:
    for draw in (random.normal, random.uniform, random.truncated_normal):
        one, other = (backend.to_numpy(draw(shape, seed=1)) for shape in (3, (3,)))
        np.testing.assert_array_equal(one, other)
    assert ops.shape(random.randint(3, 0, 9)) == ops.shape(random.gamma(3, 2.0)) == ops.shape(ops.empty(3)) == (3,)


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
