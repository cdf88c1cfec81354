"""Data of many sizes are few programs, and are trained on as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import Sequential, layers, utils
from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.training.shape_buckets import ShapeBuckets, in_bucket, rounded
from polykeras.training.steps import CompiledStep

X = np.random.default_rng(0).normal(size=(400, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def test_the_first_data_get_what_they_need() -> None:
    assert ShapeBuckets().fitting(1001, 33) == (1001, 33)


def test_data_that_fit_get_the_least_bucket_that_was_given() -> None:
    buckets = ShapeBuckets()
    for needed in ((1001, 33), (640, 20), (639, 20), (600, 3)):
        given = buckets.fitting(*needed)
        assert given == (1001, 33)
    assert buckets.fitting(1100, 34) == (1280, 40)
    assert buckets.fitting(1002, 33) == (1280, 40)
    assert buckets.fitting(1001, 33) == (1001, 33)


def test_little_data_do_not_get_the_bucket_of_much() -> None:
    buckets = ShapeBuckets()
    buckets.fitting(1000, 32)
    assert buckets.fitting(100, 4) == (112, 4)


def test_growing_sizes_are_few_buckets() -> None:
    buckets = ShapeBuckets()
    assert len({buckets.fitting(rows, -(-rows // 32)) for rows in range(32, 20_000, 32)}) < 15
    buckets = ShapeBuckets()
    assert len({buckets.fitting(rows, -(-rows // 32)) for rows in range(100, 700, 10)}) < 9


@pytest.mark.parametrize("coarser", [1, 2, 3])
def test_coarse_sizes_are_never_refused_for_what_they_were_made(coarser: int) -> None:
    for size in (*range(1, 5000), 123_456_789):
        found = rounded(size, coarser)
        assert size <= found <= size * (1 + 2.0 ** (coarser - 3))
        assert rounded(found, coarser) == found


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "complex64", "U5"])
def test_rows_that_are_too_many_repeat_the_first(dtype: str) -> None:
    x = np.arange(6).reshape(3, 2).astype(dtype)
    np.testing.assert_array_equal(in_bucket(x, 5), x[[0, 1, 2, 0, 0]])
    assert in_bucket(x, 3) is x


SIZES = (300, 299, 290, 301, 310, 320, 150, 40, 41, 39)


def trained_on_sizes(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> tuple[list[np.ndarray], set[Any]]:
    """Return what training and evaluating on data of many sizes gives, and the shapes that steps ran over."""
    shapes: set[Any] = set()
    run_rows = CompiledStep.run_rows

    def noted(self: CompiledStep, data: Any, indices: Any, start: int, stop: int) -> Any:
        shapes.add((backend.shape(indices), backend.shape(nested.flatten(data)[0]), self.code))
        return run_rows(self, data, indices, start, stop)

    utils.set_random_seed(0)
    model = Sequential([layers.Input((3,)), layers.Dense(4, activation="relu"), layers.Dropout(0.2), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    results = []
    with monkeypatch.context() as patch:
        patch.setattr(CompiledStep, "run_rows", noted)
        for rows in SIZES:
            losses = model.fit(X[:rows], Y[:rows], validation_data=(X[rows:], Y[rows:]), verbose=0).history
            results += [np.array(values) for values in losses.values()]
    return [*results, *model.get_weights()], shapes


def test_data_of_many_sizes_train_as_without_buckets(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    with_buckets, shapes = trained_on_sizes(monkeypatch, backend)
    if backend.execution.compiles_each_size:
        assert len(shapes) <= 9
    monkeypatch.setattr(ShapeBuckets, "fitting", lambda self, rows, steps: (rows, steps))
    without, many = trained_on_sizes(monkeypatch, backend)
    assert len(many) == 2 * len(SIZES)
    for one, other in zip(with_buckets, without, strict=True):
        np.testing.assert_array_equal(one, other)
