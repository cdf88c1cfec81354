"""How often a step is traced: once for each shape of batches, and not for what changes no shape.

Counted are the calls of a layer's Python code while a step is traced by the backend of the test. Not counted are those
on shapes alone (the symbolic backend), by which a model is built and found to take filled batches: they compile
nothing. Where a backend does not trace, a call is a step, and there is nothing to test.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from polykeras import Input, Sequential, layers
from polykeras.backend import Backend, use_backend
from polykeras.optimizers import SGD
from training.own_models import Counter

X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Unknown(Counter):
    """The same, of which it is not known whether it treats each sample by itself."""


@pytest.fixture
def tracing(backend: Backend) -> Backend:
    """Each backend under test that traces."""
    if not backend.execution.compiles:
        pytest.skip(f"{backend.name} runs the step's Python code each time")
    return backend


def counting(cls: type[Counter] = Counter) -> tuple[Any, Callable[[], int]]:
    """Return a model, and a function that returns the number of traces since it was called last."""
    counter = cls()
    model = Sequential([Input((3,)), counter, layers.Dropout(0.1), layers.Dense(1)])
    model.compile(SGD(0.01), "mse", metrics=["mae"])

    def new() -> int:
        traces = counter.traces
        counter.runs.clear()
        return traces

    return model, new


@pytest.mark.counts_runs
def test_fit(tracing: Backend) -> None:
    model, new = counting()
    model.fit(X, Y, batch_size=10, epochs=3, verbose=0)
    assert new() == 1
    model.fit(X, Y, batch_size=10, epochs=3, verbose=0)
    assert new() == 0
    model.fit(X, Y, batch_size=20, verbose=0)  # another shape of batches
    assert new() == 1
    model.fit(X, Y, batch_size=10, verbose=0)  # both are kept
    model.fit(X, Y, batch_size=20, verbose=0)
    assert new() == 0


@pytest.mark.counts_runs
def test_a_last_partial_batch(tracing: Backend) -> None:
    model, new = counting()
    model.fit(X, Y, batch_size=16, epochs=3, verbose=0)  # batches of 16, 16, 16 and 12
    assert new() == 1
    model.fit(X[:50], Y[:50], batch_size=16, epochs=2, verbose=0)  # of 16, 16, 16 and 2
    assert new() == 0
    model.evaluate(X, Y, batch_size=16, verbose=0)
    assert new() == 1
    model.evaluate(X[:50], Y[:50], batch_size=16, verbose=0)
    model.fit(X, Y, batch_size=16, validation_data=(X, Y), epochs=2, verbose=0)
    assert new() == 0


@pytest.mark.counts_runs
def test_a_stream(tracing: Backend) -> None:
    def batches(*sizes: int) -> Iterator[Any]:
        return ((X[:size], Y[:size]) for size in sizes)

    model, new = counting()
    model.fit(batches(*[10] * 30), verbose=0)
    assert new() == 1
    model.fit(batches(*[10] * 70), verbose=0)
    assert new() == 0
    model.fit(batches(*[10] * 30, 7), verbose=0)  # nobody knew that it comes: another shape
    assert new() == 1
    model.fit(batches(*[10] * 5, 7), verbose=0)
    assert new() == 0


@pytest.mark.counts_runs
def test_a_last_partial_batch_that_no_mask_can_cover(tracing: Backend) -> None:
    model, new = counting(Unknown)
    model.fit(X, Y, batch_size=16, epochs=3, verbose=0)
    assert new() == 2  # the batch of 12 is another shape
    model.fit(X, Y, batch_size=16, verbose=0)
    assert new() == 0
    model.fit(X[:50], Y[:50], batch_size=16, verbose=0)  # the batch of 2 is a third one
    assert new() == 1


@pytest.mark.counts_runs
def test_full_batches_alone_are_not_masked(tracing: Backend) -> None:
    """They have a step of their own, without a mask."""
    model, new = counting()
    model.fit(X[:48], Y[:48], batch_size=16, verbose=0)
    assert new() == 1
    model.fit(X, Y, batch_size=16, verbose=0)
    assert new() == 1
    model.fit(X[:32], Y[:32], batch_size=16, verbose=0)
    model.fit(X[:40], Y[:40], batch_size=16, verbose=0)
    assert new() == 0


@pytest.mark.counts_runs
def test_other_data_of_the_same_shape_of_batches(tracing: Backend) -> None:
    model, new = counting()
    model.fit(X, Y, batch_size=10, verbose=0)
    model.evaluate(X, Y, batch_size=10, verbose=0)
    new()
    model.fit(X[:30], Y[:30], batch_size=10, epochs=2, verbose=0)
    model.fit(np.concatenate([X, X]), np.concatenate([Y, Y]), batch_size=10, verbose=0)
    model.evaluate(X[:30], Y[:30], batch_size=10, verbose=0)
    assert new() == 0


@pytest.mark.counts_runs
def test_a_new_learning_rate(tracing: Backend) -> None:
    model, new = counting()
    before = model.get_weights()[0]
    model.fit(X, Y, batch_size=16, verbose=0)
    after = model.get_weights()[0]
    assert new() == 1
    model.optimizer.learning_rate = 0.0
    model.fit(X, Y, batch_size=16, verbose=0)
    assert new() == 0
    assert not np.array_equal(after, before)
    np.testing.assert_array_equal(model.get_weights()[0], after)  # the new rate counts all the same


@pytest.mark.counts_runs
def test_one_batch(tracing: Backend) -> None:
    model, new = counting()
    for _ in range(3):
        model.train_on_batch(X[:10], Y[:10])
    assert new() == 1
    model.train_on_batch(X[:7], Y[:7])
    assert new() == 1
    model.optimizer.learning_rate = 0.5
    for rows in (10, 7, 10):
        model.train_on_batch(X[:rows], Y[:rows])
    assert new() == 0
    for rows in (10, 7, 10):
        model.test_on_batch(X[:rows], Y[:rows])
    assert new() == 2


@pytest.mark.counts_runs
def test_predict(tracing: Backend) -> None:
    model, new = counting()
    for _ in range(2):
        predicted = model.predict(X, batch_size=16, verbose=0)  # 12 rows are left, which are filled up
    assert predicted.shape == (60, 1)
    assert new() == 1


@pytest.mark.needs("jax")
def test_what_xla_compiles(caplog: pytest.LogCaptureFixture) -> None:
    """One program for all steps of an epoch, the last one included, and nothing in the next epochs."""
    import jax

    def compiled() -> list[str]:
        names = [record.getMessage() for record in caplog.records if "Finished XLA compilation" in record.getMessage()]
        caplog.clear()
        return names

    with use_backend("jax"), jax.log_compiles(), caplog.at_level(logging.DEBUG, "jax"):
        model, new = counting()
        model.fit(X, Y, batch_size=16, verbose=0)
        assert len([name for name in compiled() if "loop" in name]) == 1
        model.fit(X, Y, batch_size=16, epochs=3, verbose=0)
        model.optimizer.learning_rate = 0.5
        model.fit(X, Y, batch_size=16, verbose=0)
        assert compiled() == []
        for rows in (50, 49, 51, 59, 40):  # that fit into the room of the first
            model.fit(X[:rows], Y[:rows], batch_size=16, verbose=0)
        assert compiled() == []
        for rows in (62, 61, 63):  # the first of them is given room for the next ones
            more = [np.resize(array, (rows, *array.shape[1:])) for array in (X, Y)]
            model.fit(*more, batch_size=16, verbose=0)
        assert len([name for name in compiled() if "loop" in name]) == 1
        assert new() == 1


def test_what_a_stream_draws_is_not_taken_for_a_draw_of_the_trace(backend: Backend) -> None:
    def batches() -> Iterator[Any]:
        while True:
            yield np.random.normal(size=(4, 3)).astype("float32"), np.random.normal(size=(4, 1)).astype("float32")

    for _ in range(3):  # each is traced while a thread reads ahead; a warning would be an error
        model = Sequential([layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(batches(), steps_per_epoch=4, epochs=1, verbose=0)
