"""Readers and threads that wait for each other at random: every batch comes once, in its turn, and nothing hangs."""

from __future__ import annotations

import faulthandler
import random
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from polykeras.training.data import batches as module
from polykeras.training.data.streams import StreamSource
from training.numbered_batches import batches_in

SECONDS = 60.0  # a run takes some milliseconds


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "BATCHES", 16)
    faulthandler.dump_traceback_later(SECONDS, exit=True)  # a reader that hangs cannot be told to stop
    yield
    faulthandler.cancel_dump_traceback_later()


def numbers(item: Any) -> list[int]:
    """Return which batches these are, each of which is one number throughout."""
    for x, y in batches_in(item):
        assert (x == x[0, 0]).all()
        assert (y == -x[0, 0]).all()
    return [int(x[0, 0]) for x, _ in batches_in(item)]


@pytest.mark.parametrize("seed", range(60))
def test_batches_come_once_and_in_turn(seed: int) -> None:
    choose, pause = random.Random(seed), random.Random(seed + 1000)
    count, odd = choose.randrange(1, 120), choose.choice([0, 0, 0.05, 0.5])

    def maybe_wait() -> None:
        if pause.random() < 0.1:
            time.sleep(0.003 * pause.random())

    def batches() -> Iterator[Any]:
        for i in range(count):
            maybe_wait()
            rows = 5 if pause.random() < odd else 3
            yield np.full((rows, 2), i, "float32"), np.full((rows, 1), -i, "float32")

    limit = choose.choice([None, choose.randrange(1, 40)])
    source = StreamSource(batches, limit, depth=choose.choice([None, 1, 8]))
    at_once = choose.choice([0, 1, 1, 3, 7])
    for _ in range(choose.randrange(1, 5)):
        stop = choose.choice([None, None, None, choose.randrange(1, 20)])  # cut short, with a slice in hand
        found: list[int] = []
        epoch = source.read_epoch(at_once)
        for item in epoch:
            before = numbers(item)
            maybe_wait()
            assert numbers(item) == before
            found += before
            if stop is not None and len(found) >= stop:
                break
        epoch.close()
        if stop is None and limit is None:
            assert len(found) == count
        if stop is None and limit is not None:
            assert len(found) == limit or (len(found) < limit and found[-1] == count - 1)
        if limit is None:
            assert found == list(range(len(found)))
        assert all(later - earlier == 1 for earlier, later in pairwise(found))
    source.close()
