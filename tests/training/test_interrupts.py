"""Ctrl-C while a chunk of steps runs: the state is that after the chunk, and training can go on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import fast, layers
from polykeras.backend import Backend
from polykeras.training.interrupts import Uninterrupted

X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A shell lets jobs in the background ignore Ctrl-C, and their children do too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.counts_runs
def test_an_interrupt_waits_for_the_chunk(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(X, Y, batch_size=2, verbose=0)
    (step,) = model._steps.values()
    run = step._programs.chunk

    def interrupted(*args: Any) -> Any:
        result = run(*args)  # the old state is given away now, and the new one is in no variable yet
        signal.raise_signal(signal.SIGINT)
        return result

    before = model.get_weights()
    done = int(model.optimizer.iterations)
    with monkeypatch.context() as patch:
        patch.setattr(step._programs, "chunk", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y, batch_size=2, verbose=0)
    assert int(model.optimizer.iterations) > done
    assert (model.get_weights()[0] != before[0]).any()
    model.fit(X, Y, batch_size=2, verbose=0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("paths", [nullcontext, fast.off])
def test_a_second_interrupt_does_not_wait(paths: Callable[[], AbstractContextManager[None]]) -> None:
    reached = []
    with paths(), pytest.raises(KeyboardInterrupt), Uninterrupted():
        signal.raise_signal(signal.SIGINT)
        reached.append(1)
        signal.raise_signal(signal.SIGINT)
        reached.append(2)
    assert reached == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_comes_before_an_interrupt() -> None:
    with pytest.raises(ValueError, match="mine"), Uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("mine")


FORKED = """
import multiprocessing, signal, time
from polykeras.training.interrupts import Termination, Uninterrupted

signal.signal(signal.SIGINT, signal.default_int_handler)  # which jobs in the background ignore
signal.signal(signal.SIGTERM, signal.SIG_DFL)
fork = multiprocessing.get_context("fork")
termination = Termination()
termination.begin()
begun = fork.Semaphore(0)  # a signal before it would be lost: Python forgets those of a fork's first moments

def work():
    begun.release()
    time.sleep(60)

with Uninterrupted():
    workers = [fork.Process(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
        begun.acquire()
    workers[0].terminate()
    __import__("os").kill(workers[1].pid, signal.SIGINT)
    for worker in workers:
        worker.join(20)
termination.end()
print([worker.exitcode for worker in workers])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_workers_that_were_forked_meanwhile_end_at_once() -> None:
    run = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60)
    assert run.stdout.split() == [f"[-{int(signal.SIGTERM)},", "1]"], run.stderr


def test_other_threads_and_handlers_are_left_alone() -> None:
    seen = []
    previous = signal.signal(signal.SIGINT, lambda *args: seen.append(1))
    try:
        with Uninterrupted():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert seen == [1]
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with Uninterrupted():
                pass
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not errors
