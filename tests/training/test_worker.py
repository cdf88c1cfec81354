"""The thread that reads streams: one for all epochs of a source."""

from __future__ import annotations

import gc
import signal
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import pytest

from polykeras import Sequential, layers
from polykeras.backend import Backend
from polykeras.training.data.prefetch import THREAD_NAME
from polykeras.training.data.sources import make_source
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


def test_a_call_is_waited_for_and_raises_what_it_raised() -> None:
    worker, seen = Worker(NAME), []
    worker.call(lambda: seen.append(threading.current_thread().name))
    assert seen == [NAME]

    def fails() -> None:
        raise KeyboardInterrupt("of the job")

    with pytest.raises(KeyboardInterrupt, match="of the job"):
        worker.call(fails)
    assert worker.close(60.0)


def from_sqlite(rows: int = 4) -> Iterator[Any]:
    """Batches out of a connection to SQLite, which can only be used in the thread that opened it."""
    database = sqlite3.connect(":memory:")
    database.execute("create table numbers (value real)")
    database.executemany("insert into numbers values (?)", [(i / rows,) for i in range(rows)])
    while True:
        values = np.array(database.execute("select value from numbers").fetchall(), "float32")
        yield values, 2 * values


def test_a_generator_may_own_what_belongs_to_a_thread_in_all_epochs(backend: Backend) -> None:
    model = Sequential([layers.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.fit(from_sqlite(), steps_per_epoch=300, epochs=4, verbose=0).history["loss"]) == 4


def test_what_a_run_that_goes_on_passes_over_is_read_by_the_same_thread() -> None:
    """In epochs that go on in the data, and in those that begin with them."""
    for endless in (True, False):
        threads: list[str] = []

        def batches(threads: list[str] = threads, endless: bool = endless) -> Iterator[Any]:
            for batch in from_sqlite():
                threads.append(threading.current_thread().name)
                yield batch
                if not endless and len(threads) % 6 == 0:
                    return

        class Anew:
            def __iter__(self) -> Iterator[Any]:
                return batches()

        source: Any = make_source(batches(), steps=5) if endless else make_source(Anew())
        source.seek(2, 3)
        epoch = source.epoch()
        next(epoch)
        assert set(threads) == {THREAD_NAME}
        epoch.close()
        source.close()


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals to a thread are of POSIX")
def test_an_interrupt_ends_what_is_passed_over() -> None:
    read: list[int] = []
    main = threading.main_thread().ident
    assert main is not None

    def batches() -> Iterator[Any]:
        for i in range(50_000):
            read.append(i)
            if i == 5:
                signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.001)  # all of them take a minute
            yield np.zeros((1, 1), "float32"), np.zeros((1, 1), "float32")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    source: Any = make_source(batches(), steps=40_000)
    try:
        with pytest.raises(KeyboardInterrupt):
            source.seek(1, 0)
    finally:
        signal.signal(signal.SIGINT, before)
    source.close()
    assert [thread for thread in threading.enumerate() if thread.name == THREAD_NAME] == []
    assert len(read) < 40_000
