"""Steps are found again while nothing changed, and few of those that are out of date are kept."""

from __future__ import annotations

from typing import Any

from polykeras import changes
from polykeras.training.step_cache import KEPT, StepCache


def cached(cache: StepCache, fingerprint: Any, made: list[Any], kind: str = "train") -> Any:
    def make() -> Any:
        made.append((kind, fingerprint))
        return f"{kind} {fingerprint}"

    changes.note()
    return cache.get(kind, "numpy", lambda: (fingerprint,), make)  # type: ignore[arg-type, type-var]


def test_a_step_is_made_once_for_a_fingerprint() -> None:
    cache, made = StepCache(), []
    assert [cached(cache, n, made) for n in (1, 2, 1)] == ["train 1", "train 2", "train 1"]
    assert made == [("train", 1), ("train", 2)]


def test_the_oldest_steps_of_a_kind_are_given_up() -> None:
    """A new schedule each epoch would otherwise hold all programs, and what they were made for, for good."""
    cache, made = StepCache(), []
    cached(cache, 0, made, kind="predict")
    for n in range(KEPT + 3):
        cached(cache, n, made)
        cached(cache, 0, made)  # is in use
    assert len(cache.values()) == KEPT + 1
    assert cached(cache, 0, made, kind="predict") == "predict 0"
    assert made.count(("predict", 0)) == made.count(("train", 0)) == 1
    cached(cache, 1, made)
    assert made.count(("train", 1)) == 2
