"""Readers and threads that wait for each other at random: every batch comes once, in its turn, and nothing hangs."""

from __future__ import annotations

import faulthandler
import random
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from polykeras.training.data import packs
from polykeras.training.data.packs import Pack
from polykeras.training.data.streams import StreamSource

SECONDS = 60.0  # a run takes some milliseconds


@pytest.fixture(autouse=True)
def small_packs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(packs, "PACK_BATCHES", 16)
    faulthandler.dump_traceback_later(SECONDS, exit=True)  # a reader that hangs cannot be told to stop
    yield
    faulthandler.cancel_dump_traceback_later()


def numbers(item: Any) -> list[int]:
    """Return which batches these are, each of which is one number throughout."""
    batches = [item.batch(i) for i in range(item.count)] if isinstance(item, Pack) else [item]
    for x, y in batches:
        assert (x == x[0, 0]).all()
        assert (y == -x[0, 0]).all()
    return [int(x[0, 0]) for x, _ in batches]


def test_the_thread_has_a_batch_in_hand_where_packing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader packs what waits, slowly, while the thread would put the next batch down: it waits for its turn."""
    reader, packs_now = threading.get_ident(), threading.Event()
    write = Pack.write

    def slowly(self: Pack, place: int, leaves: Any) -> None:
        if threading.get_ident() == reader:
            packs_now.set()
            time.sleep(0.02)
        write(self, place, leaves)

    def batches() -> Iterator[Any]:
        for i in range(20):
            if i == 2:
                assert packs_now.wait(SECONDS)
            yield np.full((3, 2), i, "float32"), np.full((3, 1), -i, "float32")

    monkeypatch.setattr(Pack, "write", slowly)
    source, found = StreamSource(batches, None), list[int]()
    source.first_batch()
    time.sleep(0.02)  # the second one waits by now, most likely
    for item in source.packs():
        found += numbers(item)
        item.release()
    source.close()
    assert found == list(range(20))


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
    together = choose.choice([None, 3, 7])
    for _ in range(choose.randrange(1, 5)):
        stop = choose.choice([None, None, None, choose.randrange(1, 20)])  # cut short, with a pack in hand
        found: list[int] = []
        epoch = source.packs(together)
        for item in epoch:
            maybe_wait()
            found += numbers(item)
            if stop is not None and len(found) >= stop:
                break
            if isinstance(item, Pack):
                item.release()
        epoch.close()
        if stop is None:
            assert len(found) == (count if limit is None else limit)
        if limit is None:
            assert found == list(range(len(found)))
        assert all((later - earlier) % count == 1 % count for earlier, later in pairwise(found))
    source.close()
