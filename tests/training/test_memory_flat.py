"""Memory stays flat: over fits of one model, and over models that are made, trained and dropped."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers.memory import grown_megabytes, more_objects, survivors
from polykeras import Sequential, layers
from polykeras.backend import Backend

pytestmark = [pytest.mark.slow, pytest.mark.cpu_only("the C library's heap")]

REPEATS = 50
WIDTH = 256
X = np.random.default_rng(0).normal(size=(1024, WIDTH)).astype("float32")  # 1 MB
Y = (X[:, :1] > 0).astype("float32")
# A megabyte for each repetition is what a leaked data set, or the weights and slots of a leaked model, come to.
ALLOWED_MEGABYTES = 0.6 * REPEATS

reads_statm = pytest.mark.skipif(sys.platform != "linux", reason="the resident set is read from /proc")


def compiled(width: int = 8) -> Any:
    """Return a model with everything that holds state: weights, slots, a seed, metrics."""
    model = Sequential(
        [layers.Input((WIDTH,)), layers.Dense(width), layers.Dropout(0.1), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(polykeras.optimizers.Adam(), "binary_crossentropy", metrics=["accuracy"])
    return model


def stream() -> Iterator[Any]:
    """Return small batches, which train in packs."""
    return ((X[start : start + 32], Y[start : start + 32]) for start in range(0, len(X), 32))


def used(model: Any) -> list[Any]:
    """Use a model in every way; return what must die with it."""
    model.fit(X[:64], Y[:64], validation_data=(X[:32], Y[:32]), batch_size=20, verbose=0)
    model.fit(((X[:16], Y[:16]) for _ in range(2)), verbose=0)
    model.predict(X[:32], verbose=0)
    model.train_on_batch(X[:8], Y[:8])
    model(X[:2])
    steps = list(model._steps.values())
    assert len(steps) == 4  # train, train on a batch with new metrics, test, predict
    return [model, *model.layers, *model._all_variables(), model.optimizer, *steps]


def test_a_dropped_model_takes_everything_with_it(backend: Backend) -> None:
    assert survivors(lambda: used(compiled())) == []


def test_a_model_whose_fit_failed_can_be_dropped(backend: Backend) -> None:
    def failing() -> Iterable[Any]:
        model = compiled()
        with pytest.raises(ValueError, match="expected"):
            model.fit(X[:8, :5], Y[:8], verbose=0)
        return [model, *model.layers]

    assert survivors(failing) == []


def test_fits_leave_no_objects(backend: Backend) -> None:
    model = compiled()
    more = more_objects(lambda: model.fit(X[:64], Y[:64], batch_size=32, verbose=0), REPEATS // 2)
    assert not more, f"{REPEATS // 2} fits left {dict(more)}"


def test_fits_of_streams_leave_no_objects(backend: Backend) -> None:
    model = compiled()
    more = more_objects(lambda: model.fit(stream(), verbose=0), REPEATS // 2)
    assert not more, f"{REPEATS // 2} fits left {dict(more)}"


def test_models_leave_no_objects(backend: Backend) -> None:
    more = more_objects(lambda: compiled().fit(X[:8], Y[:8], batch_size=4, verbose=0), 6, warm_up=3)
    assert not more, f"6 models left {dict(more)}"


@reads_statm
def test_fits_leave_memory_flat(backend: Backend) -> None:
    model = compiled()
    assert grown_megabytes(lambda: model.fit(X, Y, batch_size=512, verbose=0), REPEATS) < ALLOWED_MEGABYTES


@reads_statm
def test_fits_of_streams_leave_memory_flat(backend: Backend) -> None:
    model = compiled()
    assert grown_megabytes(lambda: model.fit(stream(), verbose=0), REPEATS) < ALLOWED_MEGABYTES


@reads_statm
def test_models_leave_memory_flat(backend: Backend) -> None:
    # Weights and slots: 3 * 256 * 400 floats, 1.2 MB.
    grown = grown_megabytes(lambda: compiled(400).fit(X[:8], Y[:8], batch_size=4, verbose=0), REPEATS)
    assert grown < ALLOWED_MEGABYTES


# ---- the tests above would notice --------------------------------------------------------------------------------


@pytest.mark.counts_runs
def test_what_is_kept_is_noticed(backend: Backend) -> None:
    kept: list[Any] = []

    def leaking() -> Iterable[Any]:
        model = compiled()
        found = used(model)
        kept.append(found[-1])  # a compiled step, and with it the variables and the model
        return found

    assert {"CompiledStep", "Sequential", "Variable"} <= set(survivors(leaking))


def test_a_source_that_is_kept_is_noticed(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    make_source = polykeras.training.loops.make_source

    def keeping(*args: Any, **kwargs: Any) -> Any:
        kept.append(make_source(*args, **kwargs))
        return kept[-1]

    monkeypatch.setattr(polykeras.training.loops, "make_source", keeping)
    model = compiled()
    assert more_objects(lambda: model.fit(X[:8], Y[:8], verbose=0), 5)["ArraySource"] >= 5


@reads_statm
def test_a_megabyte_that_is_kept_is_noticed() -> None:
    kept: list[Any] = []
    assert grown_megabytes(lambda: kept.append(X.copy()), REPEATS) > ALLOWED_MEGABYTES
