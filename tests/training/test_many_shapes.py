"""What is kept for shapes is bounded: memory stays flat over hundreds of them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers.memory import grown_megabytes
from polykeras import Sequential, layers
from polykeras.backend import Backend
from polykeras.common import lru_cache

SHAPES = 200
KEPT = 3
X = np.random.default_rng(0).normal(size=(2 * SHAPES, 2)).astype("float32")
PROGRAMS = {
    "Recording",
    "Unrecorded",
    "Program",
    "_Repeated",
    "MeshExecutable",
}  # what torch, TensorFlow and JAX keep for a set of shapes

reads_statm = pytest.mark.skipif(sys.platform != "linux", reason="the resident set is read from /proc")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep few programs, so that few shapes are enough to see that others go."""
    monkeypatch.setattr(lru_cache, "PROGRAMS", KEPT)


class NewPrograms:
    """How many programs came to this process since then. It holds those of before, which the framework may drop."""

    def __init__(self) -> None:
        self._before = self._now()

    def count(self) -> int:
        known = set(map(id, self._before))
        return sum(id(thing) not in known for thing in self._now())

    @staticmethod
    def _now() -> list[Any]:
        gc.collect()
        return [thing for thing in gc.get_objects() if type(thing).__name__ in PROGRAMS]


def model() -> Any:
    made = Sequential([layers.Input((2,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def ways(backend: Backend) -> dict[str, Callable[[int], Any]]:
    """Return what is done for a number of rows."""
    used = model()
    function = polykeras.function(lambda x: x + 1.0)
    return {
        "predict_on_batch": lambda rows: used.predict_on_batch(X[:rows]),
        "train_on_batch": lambda rows: used.train_on_batch(X[:rows], X[:rows, :1]),
        # JAX brings each shape of data to the device by a program of its own: so the data are of one, or placed before.
        "fit": lambda rows: used.fit(X[:40], X[:40, :1], batch_size=rows, verbose=0),
        "function": lambda rows: function(backend.place(X[:rows])),
    }


@pytest.mark.parametrize("way", ["predict_on_batch", "train_on_batch", "fit", "function"])
def test_few_programs_are_kept(backend: Backend, way: str) -> None:
    run = ways(backend)[way]
    run(1)
    new = NewPrograms()
    counts = []
    for rows in range(2, 5 * KEPT):
        run(rows)
        if rows in (3 * KEPT, 4 * KEPT, 5 * KEPT - 1):
            counts.append(new.count())
    assert max(counts) <= 4 * KEPT  # a program may be more than one object
    if backend.execution.compiles:
        assert max(counts) >= KEPT - 1


def test_what_is_used_stays(backend: Backend) -> None:
    """A shape that comes again and again is not compiled anew each time: once, or where JAX drops all of them."""
    traces: list[tuple[int, ...]] = []

    @polykeras.function
    def noting(x: Any) -> Any:
        traces.append(x.shape)
        return x * 2.0

    for rows in range(2, 3 * KEPT):
        noting(X[:1])
        noting(X[:rows])
    if backend.execution.compiles:
        assert traces.count((1, 2)) <= 4
        noting(X[:2])
        assert traces.count((2, 2)) == 2, "this one was gone"


@reads_statm
def test_memory_is_flat_over_hundreds_of_shapes(backend: Backend) -> None:
    """Arrays of 2 KB, and programs of 100 KB on TensorFlow, of 1 MB on JAX; torch's take less than either would show."""
    program = backend.compile(lambda x: x + 1.0)
    numbers = count(1)
    assert grown_megabytes(lambda: program(X[: next(numbers)]), SHAPES, warm_up=20) < 10


@reads_statm
def test_what_is_kept_is_noticed(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    if not backend.execution.compiles:
        pytest.skip("nothing is compiled")
    monkeypatch.setattr(lru_cache, "PROGRAMS", 10 * SHAPES)
    run = ways(backend)["predict_on_batch"]
    run(1)
    new = NewPrograms()
    for rows in range(2, 22):
        run(rows)
    assert new.count() >= 20
