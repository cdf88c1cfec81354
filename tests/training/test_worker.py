"""The thread that reads streams: one for all epochs of a source."""

from __future__ import annotations

import gc
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from polykeras import Sequential, layers
from polykeras.backend import Backend
from polykeras.training.data.worker import Worker

NAME = "a worker of a test"
setting: ContextVar[int] = ContextVar("setting", default=0)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def test_jobs_are_done_in_turn_by_one_thread_in_the_callers_context() -> None:
    worker, seen = Worker(NAME), []
    assert threads() == []
    for number in range(3):
        token = setting.set(number)
        task = worker.start(lambda: seen.append((setting.get(), threading.get_ident())))
        setting.reset(token)
    assert task.wait(60.0)
    assert [number for number, _ in seen] == [0, 1, 2]
    assert {thread.ident for thread in threads()} == {ident for _, ident in seen}
    assert worker.close(60.0)
    assert threads() == []


def test_a_job_that_is_held_up_is_not_waited_for() -> None:
    worker, goes_on = Worker(NAME), threading.Event()
    task = worker.start(goes_on.wait)  # type: ignore[arg-type]
    assert not task.wait(0.01)
    assert not worker.close(0.01)
    goes_on.set()
    assert task.wait(60.0)
    for thread in threads():
        thread.join(60.0)
    assert threads() == []


def test_a_closed_worker_begins_anew() -> None:
    worker = Worker(NAME)
    for _ in range(2):
        assert worker.start(lambda: None).wait(60.0)
        assert len(threads()) == 1
        assert worker.close(60.0)
    assert worker.close(60.0)
    assert threads() == []


def test_a_dropped_worker_ends_after_its_job() -> None:
    worker, goes_on = Worker(NAME), threading.Event()
    task = worker.start(goes_on.wait)  # type: ignore[arg-type]
    (thread,) = threads()
    del worker
    gc.collect()
    assert not task.wait(0.01)
    goes_on.set()
    thread.join(60.0)
    assert not thread.is_alive()


def test_a_done_job_is_not_held() -> None:
    class Large:
        def __call__(self) -> None:
            held.append(self)

    held: list[Any] = []
    gone = threading.Event()
    worker, large = Worker(NAME), Large()
    weakref.finalize(large, gone.set)
    assert worker.start(large).wait(60.0)
    del large
    held.clear()
    assert gone.wait(60.0)
    assert worker.close(60.0)


def test_a_generator_may_own_what_belongs_to_a_thread(backend: Backend) -> None:
    """A connection to SQLite can only be used in the thread that opened it, in each epoch of a fit."""
    rows = 3000  # which take so long to come that a thread reads them in all epochs

    def batches() -> Iterator[Any]:
        database = sqlite3.connect(":memory:")
        database.execute("create table numbers (value real)")
        database.executemany("insert into numbers values (?)", [(i / rows,) for i in range(rows)])
        while True:
            values = np.array(database.execute("select value from numbers").fetchall(), "float32")
            yield values, 2 * values

    model = Sequential([layers.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(batches(), steps_per_epoch=4, epochs=3, verbose=0).history
    assert len(history["loss"]) == 3
