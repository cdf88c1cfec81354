"""A cache keeps what was used last."""

from __future__ import annotations

import pickle
import threading

from polykeras.common.lru_cache import PROGRAMS, LRUCache


def test_what_was_used_least_lately_goes() -> None:
    kept: LRUCache[str] = LRUCache(2)
    assert kept.get("a") is None
    assert kept.put("a", "A") == "A"
    kept.put("b", "B")
    assert kept.get("a") == "A"
    kept.put("c", "C")
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == ("A", None, "C")
    assert kept.values() == ["A", "C"] and len(kept) == 2  # noqa: PT018


def test_a_thing_in_place_of_another_takes_no_room() -> None:
    kept: LRUCache[int] = LRUCache(2)
    for number in range(5):
        kept.put("a", number)
    kept.put("b", 9)
    assert sorted(kept.values()) == [4, 9]


def test_there_is_a_bound_by_itself() -> None:
    kept: LRUCache[int] = LRUCache()
    for number in range(3 * PROGRAMS):
        kept.put(number, number)
    assert kept.values() == list(range(2 * PROGRAMS, 3 * PROGRAMS))


def test_it_can_be_pickled() -> None:
    kept: LRUCache[int] = LRUCache(2)
    kept.put("a", 1)
    assert pickle.loads(pickle.dumps(kept)).get("a") == 1


def test_threads_may_share_one() -> None:
    kept: LRUCache[int] = LRUCache(4)
    failures: list[Exception] = []

    def work(seed: int) -> None:
        try:
            for number in range(3000):
                key = (number * seed) % 11
                assert kept.get(key) in (None, key)
                kept.put(key, key)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 7, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(kept) <= 8  # each thread that puts a thing lets one go
