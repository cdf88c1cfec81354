"""Memory that a step frees is there for the next one while a model is trained, and only then."""

from __future__ import annotations

from threading import Thread
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import fast
from polykeras.backend.host_memory import LARGEST_KEPT, is_untuned_glibc, keep_all_freed_memory

resource = pytest.importorskip("resource")  # not on Windows
pytestmark = [
    pytest.mark.cpu_only("the C library's heap"),
    pytest.mark.skipif(
        not (is_untuned_glibc() and fast.enabled()), reason="the C library is not glibc, or tuned, or POLYKERAS_FAST=0"
    ),
]
BYTES = LARGEST_KEPT * 3 // 2  # which glibc by itself gives back as soon as they are free
PAGES = BYTES // resource.getpagesize()


def faults() -> int:
    """Return how many pages of a large block come from the system, where another one has just been freed."""
    bytearray(BYTES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(BYTES)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def faults_afterwards() -> int:
    """Return `faults()` once something small was freed, with which what lies above it goes back."""
    bytearray(1 << 20)
    return faults()


def test_a_large_block_is_kept_inside_and_not_after() -> None:
    assert faults() > PAGES / 2
    with keep_all_freed_memory():
        assert faults() < PAGES / 10
        with keep_all_freed_memory():
            assert faults() < PAGES / 10
        assert faults() < PAGES / 10, "the outer one still asks for it"
    assert faults_afterwards() > PAGES / 2


def test_an_error_ends_it() -> None:
    with pytest.raises(KeyError), keep_all_freed_memory():
        raise KeyError
    assert faults_afterwards() > PAGES / 2


def test_a_block_of_another_thread_is_kept_too() -> None:
    found = []
    with keep_all_freed_memory():
        thread = Thread(target=lambda: found.extend([faults(), faults()]))
        thread.start()
        thread.join()
    assert max(found) < PAGES / 10


class Watch(polykeras.callbacks.Callback):
    """Notes the faults while a model is trained or evaluated."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.found.append(faults())

    def on_test_end(self, logs: Any = None) -> None:
        self.found.append(faults())


def test_it_is_kept_while_a_model_is_trained_or_evaluated() -> None:
    with polykeras.backend.use_backend("numpy"):
        model = polykeras.Sequential([polykeras.Input((2,)), polykeras.layers.Dense(1)])
        model.compile("sgd", "mse")
        watch, data = Watch(), (np.ones((4, 2)), np.ones((4, 1)))
        model.fit(*data, epochs=2, callbacks=[watch], verbose=0)
        model.evaluate(*data, callbacks=[watch], verbose=0)
    assert len(watch.found) == 3
    assert max(watch.found) < PAGES / 10
    assert faults_afterwards() > PAGES / 2
