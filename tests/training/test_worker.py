"""The thread that reads a stream: one for all epochs of a source."""

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
from polykeras.training.data.reader import THREAD_NAME, Worker
from polykeras.training.data.sources import make_source

setting: ContextVar[int] = ContextVar("setting", default=0)


@pytest.fixture(autouse=True)
def no_thread_before_or_after() -> Iterator[None]:
    assert threads() == []
    yield
    assert threads() == []


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def test_functions_run_one_after_the_other_in_one_thread_and_one_context() -> None:
    """So a generator may set something in one call of `next` and set it back in another one."""
    worker = Worker()
    assert threads() == []
    token = setting.set(3)

    def add() -> tuple[int, int]:
        setting.set(setting.get() + 1)
        return setting.get(), threading.get_ident()

    futures = [worker.submit(add) for _ in range(3)]
    found = [future.result(60.0) for future in futures]
    assert [value for value, _ in found] == [4, 5, 6]
    assert setting.get() == 3
    setting.reset(token)
    assert {ident for _, ident in found} == {thread.ident for thread in threads()}
    worker.close(60.0)


def test_a_function_that_blocks_is_not_waited_for() -> None:
    worker, goes_on = Worker(), threading.Event()
    future = worker.submit(goes_on.wait)
    with pytest.raises(TimeoutError):
        future.result(0.01)
    worker.close(0.01)
    (thread,) = threads()
    goes_on.set()
    assert future.result(60.0)
    thread.join(60.0)


def test_a_dropped_worker_ends_after_its_function() -> None:
    worker, goes_on = Worker(), threading.Event()
    future = worker.submit(goes_on.wait)
    (thread,) = threads()
    del worker
    gc.collect()
    assert not future.done()
    goes_on.set()
    thread.join(60.0)


def test_a_function_that_ran_is_not_held() -> None:
    class Large:
        def __call__(self) -> None:
            pass

    gone = threading.Event()
    worker, large = Worker(), Large()
    weakref.finalize(large, gone.set)
    worker.submit(large).result(60.0)
    del large
    assert gone.wait(60.0)
    worker.close(60.0)


def test_what_a_function_raises_is_raised_where_its_result_is_asked_for() -> None:
    def fails() -> None:
        raise KeyboardInterrupt("of the function")

    worker = Worker()
    with pytest.raises(KeyboardInterrupt, match="of the function"):
        worker.submit(fails).result(60.0)
    worker.close(60.0)


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
        epoch = source.read_epoch()
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
