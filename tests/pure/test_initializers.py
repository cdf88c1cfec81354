"""Initializers: their distributions, and the same numbers on every backend and in every process."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from polykeras import initializers, random
from polykeras.backend import Backend, use_backend
from polykeras.variables import Variable

RANDOM = [
    name
    for name in initializers.registry.names()
    if issubclass(getattr(initializers, name), initializers.RandomInitializer)
]
KERNEL = (3, 5, 20, 40)  # fan_in 300, fan_out 600
FAN_IN, FAN_OUT = 300, 600


def host(initializer: Any, shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
    with use_backend("numpy"):
        return np.asarray(initializer(shape, dtype=dtype))


def fingerprint(names: list[str]) -> str:
    """A hash of the bits of each initializer's values, with seed 7."""
    parts = [host(getattr(initializers, name)(seed=7), (6, 5, 4)).tobytes() for name in names]
    return hashlib.sha256(b"".join(parts)).hexdigest()


# ---- values ----------------------------------------------------------------------------------------------------


def test_constant_values() -> None:
    assert host(initializers.Zeros(), (2, 1)).tolist() == [[0.0], [0.0]]
    assert host(initializers.Ones(), (2,), "int32").tolist() == [1, 1]
    assert host(initializers.Constant(2.5), (2,)).tolist() == [2.5, 2.5]
    assert host(initializers.Constant(True), (1,), "bool").tolist() == [True]
    assert host(initializers.Constant([1.0, 2.0]), (2, 2)).tolist() == [[1.0, 2.0]] * 2
    assert host(initializers.Identity(2.0), (2, 3)).tolist() == [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    assert host(initializers.Zeros(), ()).shape == ()


@pytest.mark.parametrize(
    ("initializer", "mean", "stddev", "bound"),
    [
        (initializers.RandomNormal(1.0, 0.5, seed=1), 1.0, 0.5, None),
        (initializers.RandomUniform(-1.0, 2.0, seed=1), 0.5, 3 / math.sqrt(12), 1.5),
        (initializers.TruncatedNormal(1.0, 0.5, seed=1), 1.0, 0.5 * 0.87962566, 1.0),
        (initializers.GlorotUniform(seed=1), 0.0, math.sqrt(2 / (FAN_IN + FAN_OUT)), math.sqrt(6 / (FAN_IN + FAN_OUT))),
        (initializers.GlorotNormal(seed=1), 0.0, math.sqrt(2 / (FAN_IN + FAN_OUT)), None),
        (initializers.HeUniform(seed=1), 0.0, math.sqrt(2 / FAN_IN), math.sqrt(6 / FAN_IN)),
        (initializers.HeNormal(seed=1), 0.0, math.sqrt(2 / FAN_IN), 2 * math.sqrt(2 / FAN_IN) / 0.87962566),
        (initializers.LecunUniform(seed=1), 0.0, math.sqrt(1 / FAN_IN), math.sqrt(3 / FAN_IN)),
        (initializers.LecunNormal(seed=1), 0.0, math.sqrt(1 / FAN_IN), 2 * math.sqrt(1 / FAN_IN) / 0.87962566),
        (initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal", 1), 0.0, math.sqrt(3 / FAN_OUT), None),
        (initializers.VarianceScaling(3.0, "fan_avg", "uniform", 1), 0.0, math.sqrt(3 / 450), 3 / math.sqrt(450)),
        (
            initializers.VarianceScaling(seed=1, input_axes=[0, 1], output_axes=[3]),
            0.0,
            math.sqrt(1 / 15),
            2 * math.sqrt(1 / 15) / 0.87962566,
        ),
    ],
)
def test_moments(initializer: Any, mean: float, stddev: float, bound: float | None) -> None:
    values = host(initializer, KERNEL, "float64")
    count = values.size
    assert values.mean() == pytest.approx(mean, abs=5 * stddev / math.sqrt(count))
    assert values.std() == pytest.approx(stddev, rel=5 / math.sqrt(2 * count))
    if bound is not None:
        assert bound * 0.99 < np.abs(values - mean).max() <= bound


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((), (1, 1)), ((7,), (7, 7)), ((3, 4), (3, 4)), ((5, 3, 4), (15, 20)), ((2, 5, 3, 4), (30, 40))],
)
def test_fans(shape: tuple[int, ...], fans: tuple[int, int]) -> None:
    assert initializers.compute_fans(shape) == fans


@pytest.mark.parametrize("shape", [(6, 6), (8, 3), (3, 8), (2, 3, 4), (4, 2, 3, 5)])
def test_orthogonal_matrices(shape: tuple[int, ...]) -> None:
    values = host(initializers.Orthogonal(2.0, seed=3), shape, "float64").reshape(-1, shape[-1])
    if values.shape[0] < values.shape[1]:
        values = values.T
    np.testing.assert_allclose(values.T @ values, 4 * np.eye(values.shape[1]), atol=1e-12)


def test_orthogonal_matrices_are_uniform() -> None:
    """Each element of a uniform orthogonal matrix has mean 0 and variance 1/n; QR's own signs show in the mean."""
    values = np.stack([host(initializers.Orthogonal(seed=s), (3, 3), "float64") for s in range(600)])
    np.testing.assert_allclose(values.mean(0), 0.0, atol=5 * math.sqrt(1 / 3 / 600))
    np.testing.assert_allclose((values**2).mean(0), 1 / 3, atol=0.07)


@pytest.mark.parametrize("side", ["real", "imag"])
def test_stft_kernels(side: str) -> None:
    rng = np.random.default_rng(0)
    signal, window = rng.normal(size=16), rng.uniform(0.5, 1.0, 16)
    kernel = host(initializers.STFT(side, window, scaling="spectrum"), (16, 1, 9), "float64")
    spectrum = np.fft.rfft(signal * window / window.sum())
    np.testing.assert_allclose(signal @ kernel[:, 0], getattr(spectrum, side), atol=1e-12)


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "boxcar"])
@pytest.mark.parametrize("periodic", [False, True])
def test_stft_windows(window: str, periodic: bool) -> None:
    signal = pytest.importorskip("scipy.signal")
    expected = signal.get_window(window, 10, fftbins=periodic)
    kernel = host(initializers.STFT(window=window, scaling="density", periodic=periodic), (10, 1, 1), "float64")
    np.testing.assert_allclose(kernel.ravel(), expected / np.linalg.norm(expected), atol=1e-12)


# ---- the same numbers everywhere -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", RANDOM)
def test_the_bits_are_those_of_the_numpy_backend(backend: Backend, name: str, dtype: str) -> None:
    initializer = getattr(initializers, name)(seed=7)
    values = initializer((6, 5), dtype=dtype)
    assert backend.is_tensor(values)
    assert backend.dtype(values) == dtype
    assert backend.to_numpy(values).tobytes() == host(initializer, (6, 5), dtype).tobytes()
    variable = Variable(initializer, (6, 5), dtype)
    assert backend.to_numpy(variable.value).tobytes() == backend.to_numpy(values).tobytes()


def test_the_bits_are_those_of_another_process() -> None:
    code = "from pure.test_initializers import *; print(fingerprint(RANDOM))"
    environment = {"PYTHONPATH": str(__import__("pathlib").Path(__file__).parents[1]), "PATH": ""}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert other.stdout.strip() == fingerprint(RANDOM)


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name: str) -> None:
    make = getattr(initializers, name)
    fixed = make(seed=7)
    first = host(fixed, (6, 5))
    assert (first == host(fixed, (6, 5))).all()
    assert (first == host(make(seed=np.int64(7)), (6, 5))).all()
    assert (first != host(make(seed=8), (6, 5))).any()
    free = make()
    assert (host(free, (6, 5)) == host(free, (6, 5))).all()
    assert (host(free, (6, 5)) != host(make(), (6, 5))).any()
    assert (host(free, (6, 5)) != host(free.clone(), (6, 5))).any()
    assert free.get_config()["seed"] is None
    assert fixed.get_config()["seed"] == 7


def test_a_seed_generator_gives_other_values_at_each_call() -> None:
    initializer = initializers.RandomNormal(seed=random.SeedGenerator(3))
    first, second = host(initializer, (4,)), host(initializer, (4,))
    assert (first != second).any()
    assert (first == host(initializers.RandomNormal(seed=random.SeedGenerator(3)), (4,))).all()


# ---- when they run ---------------------------------------------------------------------------------------------


class Counting(initializers.Initializer):
    """Gives another number at each call."""

    calls = 0

    def host_values(self, shape: tuple[int, ...]) -> np.ndarray:
        self.calls += 1
        return np.full(shape, self.calls)


class Doubled(initializers.GlorotUniform):
    """Changes what the base gives, so what that says of itself does not hold of it."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return 2 * super().__call__(shape, dtype)


class Patient(Counting):
    """Says itself that it can wait."""

    deferrable = True

    def host_values(self, shape: tuple[int, ...]) -> np.ndarray:
        return super().host_values(shape)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32"])
@pytest.mark.parametrize("name", initializers.registry.names())
def test_a_variable_holds_the_bits_that_its_initializer_gave_when_it_was_made(name: str, dtype: str) -> None:
    random.set_random_seed(5)
    initializer = initializers.get(name)
    shape = (6, 1, 5) if name == "STFT" else (6, 5)
    variable = Variable(initializer, shape, dtype)
    expected = host(initializer, shape, dtype)
    random.set_random_seed(6)  # between the making and the first look
    assert (variable.shape, variable.dtype) == (shape, dtype)
    assert variable.numpy().dtype == expected.dtype
    assert variable.numpy().tobytes() == variable.numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("initializer", "before", "after"), [(Patient(), 0, 1), (Counting(), 1, 1), (Doubled(seed=1), False, False)]
)
def test_only_what_gives_the_same_later_waits(initializer: Any, before: int, after: int) -> None:
    variable = Variable(initializer, (2,), "float32", name="w")
    if isinstance(initializer, Counting):
        assert initializer.calls == before
        assert variable.numpy().tolist() == variable.numpy().tolist() == [1.0, 1.0]
        assert initializer.calls == after
    else:
        assert initializer.deferrable is before
        assert (variable.numpy() == 2 * host(initializers.GlorotUniform(seed=1), (2,))).all()


def test_values_that_are_assigned_over_are_never_made(backend: Backend) -> None:
    initializer = Patient()
    variable = Variable(initializer, (2,), "float32")
    variable.assign([3.0, 4.0])
    assert variable.numpy().tolist() == [3.0, 4.0]
    assert initializer.calls == 0


def test_seed_generators_go_on_in_the_order_in_which_variables_are_made() -> None:
    generator, other = random.SeedGenerator(3), random.SeedGenerator(3)
    initializer = initializers.RandomNormal(seed=generator)
    variables = [Variable(initializer, (4,), "float32") for _ in range(2)]
    first, second = (host(initializers.RandomNormal(seed=other), (4,)) for _ in range(2))
    assert (variables[1].numpy() == second).all()
    assert (variables[0].numpy() == first).all()


@pytest.mark.parametrize(
    ("initializer", "shape", "message"),
    [
        (initializers.Orthogonal(seed=1), (4,), "two axes or more"),
        (initializers.Identity(), (2, 2, 2), "Identity initializes matrices"),
        (initializers.Constant([1.0, 2.0]), (3,), "does not broadcast"),
        (initializers.Zeros(), (-1,), "whole numbers"),
    ],
)
def test_a_shape_that_does_not_suit_is_told_at_once(initializer: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Variable(initializer, shape, "float32")


# ---- names, configs, errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", initializers.registry.names())
def test_names_and_configs(name: str) -> None:
    initializer = initializers.get(name)
    config = json.loads(json.dumps(initializers.serialize(initializer)))
    assert config["module"] == "keras.initializers"
    again = initializers.deserialize(config)
    assert type(again) is type(initializer) is getattr(initializers, name)
    assert again.get_config() == initializer.get_config() == config["config"]
    assert initializers.get(type(initializer)).get_config() == initializer.get_config()
    assert initializers.get(initializer) is initializer


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("glorot_uniform", "GlorotUniform"),
        ("he_normal", "HeNormal"),
        ("lecun_normal", "LecunNormal"),
        ("zeros", "Zeros"),
        ("zero", "Zeros"),
        ("one", "Ones"),
        ("uniform", "RandomUniform"),
        ("normal", "RandomNormal"),
        ("random_uniform", "RandomUniform"),
        ("truncated_normal", "TruncatedNormal"),
        ("variance_scaling", "VarianceScaling"),
        ("orthogonal", "Orthogonal"),
        ("OrthogonalInitializer", "Orthogonal"),
        ("IdentityInitializer", "Identity"),
        ("identity", "Identity"),
        ("constant", "Constant"),
        ("stft", "STFT"),
    ],
)
def test_aliases(alias: str, name: str) -> None:
    assert type(initializers.get(alias)).__name__ == name
    assert getattr(initializers, alias).__name__ == name


def test_arrays_and_functions_are_initializers(backend: Backend) -> None:
    array = np.array([[1.0, 2.0]], "float32")
    for identifier in (array, backend.asarray(array), Variable(array)):
        initializer = initializers.get(identifier)
        assert host(initializer, (1, 2)).tolist() == [[1.0, 2.0]]
        again = initializers.deserialize(json.loads(json.dumps(initializers.serialize(initializer))))
        assert host(again, (1, 2)).tolist() == [[1.0, 2.0]]
    function = lambda shape, dtype=None: array  # noqa: E731
    assert initializers.get(function) is function
    assert initializers.get(None) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: initializers.get("glorot_unifrom"), "Did you mean 'glorot_uniform'"),
        (lambda: initializers.get(3), "Could not interpret 3"),
        (lambda: initializers.Zeros()((None, 2)), r"Zeros needs a shape of whole numbers; received \(None, 2\)"),
        (lambda: initializers.Zeros()((-1,)), "whole numbers"),
        (lambda: initializers.Identity()((2, 2, 2)), "Identity initializes matrices"),
        (lambda: initializers.Orthogonal(seed=1)((4,)), "two axes or more"),
        (lambda: initializers.Constant([1.0, 2.0])((3,)), "does not broadcast"),
        (lambda: initializers.VarianceScaling(scale=0.0), "`scale` must be positive"),
        (lambda: initializers.VarianceScaling(mode="fan"), "`mode` must be"),
        (lambda: initializers.VarianceScaling(distribution="cauchy"), "`distribution` must be"),
        (lambda: initializers.RandomNormal(stddev=-1.0), "`stddev` must not be negative"),
        (lambda: initializers.RandomUniform(1.0, -1.0), "expected minval <= maxval; received 1.0 and -1.0"),
        (lambda: initializers.RandomNormal(seed="a"), "`seed` must be an int"),
        (lambda: initializers.RandomNormal(seed=True), "`seed` must be an int"),
        (lambda: initializers.STFT(window="kaiser"), "unknown window 'kaiser'"),
        (lambda: initializers.STFT(side="left"), "`side` must be"),
        (lambda: initializers.STFT(scaling="l2"), "`scaling` must be"),
        (lambda: initializers.STFT()((4, 2, 3)), r"\(frame_length, 1, bands\)"),
        (lambda: initializers.STFT(window=[1.0, 1.0])((4, 1, 3)), "the window has shape"),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with use_backend("numpy"), pytest.raises(ValueError, match=message):
        call()
