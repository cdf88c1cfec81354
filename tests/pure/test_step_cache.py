"""Steps are found again while nothing changed, and few of those that are out of date are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

from polykeras.common import version_counter
from polykeras.training.steps.cache import MOST, StepCache


def cached(cache: StepCache, fingerprint: Any, made: list[Any], kind: str = "train") -> Any:
    def make() -> Any:
        made.append((kind, fingerprint))
        return f"{kind} {fingerprint}"

    version_counter.bump()
    return cache.get(kind, "numpy", lambda: (fingerprint,), make)  # type: ignore[arg-type, type-var]


def test_a_step_is_made_once_for_a_fingerprint() -> None:
    cache, made = StepCache(), []
    assert [cached(cache, n, made) for n in (1, 2, 1)] == ["train 1", "train 2", "train 1"]
    assert made == [("train", 1), ("train", 2)]


def test_the_oldest_steps_of_a_kind_are_given_up() -> None:
    """A new schedule each epoch would otherwise hold all programs, and what they were made for, for good."""
    cache, made = StepCache(), []
    cached(cache, 0, made, kind="predict")
    for n in range(MOST + 3):
        cached(cache, n, made)
        cached(cache, 0, made)  # is in use
    assert len(cache.values()) == MOST + 1
    assert cached(cache, 0, made, kind="predict") == "predict 0"
    assert made.count(("predict", 0)) == made.count(("train", 0)) == 1
    cached(cache, 1, made)
    assert made.count(("train", 1)) == 2


class SlowlyHashed:
    """As a variable in a fingerprint: its hash is Python code, in which another thread may take over."""

    def __hash__(self) -> int:
        sleep(1e-4)
        return 1


def test_threads_find_the_one_step_that_there_is() -> None:
    """While one looks it up, others neither miss it nor make it anew."""
    cache, made, fingerprint = StepCache(), [], SlowlyHashed()
    first = cached(cache, fingerprint, made, kind="predict")
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: cached(cache, fingerprint, made, kind="predict"), range(200)))
    assert set(found) == {first}
    assert len(made) == 1


def test_what_changes_after_the_look_is_seen_by_the_next_one() -> None:
    """A step is known to be good as of the time before its fingerprint was looked at."""
    cache, looks, state = StepCache(), [], ["old"]

    def fingerprint() -> tuple[str]:
        looks.append(state[0])
        if len(looks) == 2:  # another thread, just after the look that follows the making
            state[0] = "new"
            version_counter.bump()
        return (looks[-1],)

    def get() -> Any:
        return cache.get("predict", "numpy", fingerprint, lambda: f"for {state[0]}")  # type: ignore[arg-type, type-var]

    version_counter.bump()
    assert [get(), get()] == ["for old", "for new"]
