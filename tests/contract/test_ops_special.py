"""The error function, segments, ranks and distances against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.special

from contract.agreement import agree, gradient
from polykeras import ops
from polykeras.backend import Backend

RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


def test_erfc_keeps_its_digits(backend: Backend) -> None:
    x = np.concatenate([np.linspace(-6, 9, 301), [0.0, 1e-7, -1e-7]]).astype("float32")
    agree(ops.erfc(x), scipy.special.erfc(x.astype("float64")), 2e-6, 0)
    agree(ops.erfc([np.inf, -np.inf, 30.0]), [0.0, 2.0, 0.0])
    assert np.isnan(ops.convert_to_numpy(ops.erfc([np.nan]))).all()
    agree(gradient(ops.erfc, np.array([0.0, 5.0, -5.0, 100.0], "float32")),
          -2 / np.sqrt(np.pi) * np.exp(-np.array([0.0, 25.0, 25.0, 1e4])), 2e-6, 0)  # fmt: skip


@pytest.mark.needs("numpy")
def test_erfc_in_float64() -> None:
    from polykeras.backend import use_backend

    with use_backend("numpy"):
        x = np.linspace(-6, 26, 2001)
        agree(ops.erfc(x), scipy.special.erfc(x), 2e-13, 0)  # SciPy's own error at 26 is of this size


SEGMENTS = {"sum": (np.sum, 0.0), "max": (np.max, -np.inf), "min": (np.min, np.inf), "prod": (np.prod, 1.0)}


@pytest.mark.parametrize("name", SEGMENTS)
def test_segments(name: str, backend: Backend) -> None:
    reduce, empty = SEGMENTS[name]
    data, ids = normal(6, 2), np.array([0, 2, 0, -1, 9, 2])
    expected = np.stack([reduce(data[ids == i], axis=0) if (ids == i).any() else np.full(2, empty) for i in range(4)])
    function = getattr(ops, f"segment_{name}")
    agree(function(data, ids, 4), expected)
    agree(function(data[:3], ids[:3]), function(data[:3], ids[:3], 3))
    whole = np.arange(1, 7, dtype="int32")
    lowest = {"max": -(2**31), "min": 2**31 - 1}.get(name, int(empty) if np.isfinite(empty) else 0)
    agree(function(whole, [0, 0, 1, 1, 1, 3], 4), [reduce([1, 2]), reduce([3, 4, 5]), lowest, 6])


def test_gradients_of_segments(backend: Backend) -> None:
    ids = np.array([0, 0, 0, 1, 1, 5])
    x = np.array([2.0, 2.0, 1.0, 0.0, 3.0, 7.0], "float32")
    agree(gradient(lambda a: ops.segment_max(a, ids, 2), x), [0.5, 0.5, 0, 0, 1, 0])
    agree(gradient(lambda a: ops.segment_min(a, ids, 2), x), [0, 0, 1, 1, 0, 0])
    agree(gradient(lambda a: ops.segment_prod(a, ids, 2), x), [2, 2, 4, 3, 0, 0])
    agree(gradient(lambda a: ops.segment_prod(a, ids, 2), x * [1, 1, 1, 1, 0, 1]), [2, 2, 4, 0, 0, 0])
    agree(gradient(lambda a: ops.segment_sum(a, ids, 2), x), [1, 1, 1, 1, 1, 0])


def test_ranks_and_distances(backend: Backend) -> None:
    scores = np.array([[0.5, 0.2, 0.3], [0.1, np.nan, 0.3], [0.3, 0.3, 0.3]], "float32")
    agree(ops.in_top_k([0, 1, 2], scores, 1), [True, False, True])
    agree(ops.in_top_k([-1, 3, -9], scores, 3), [False, False, False])  # there are no such classes
    x, y = normal(2, 3, 4), normal(2, 5, 4)
    agree(ops.cdist(x, y), np.linalg.norm(x[:, :, None] - y[:, None], axis=-1))
