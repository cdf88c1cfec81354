"""Random numbers where workers share a batch: each draws its samples' part of those of the whole batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from polykeras.backend import Backend
from polykeras.backend.job import SharedStep, shared_step
from polykeras.backend.shared_draws import Draws

ROWS, WORKERS = 4, 2
KEY = np.array([3, 7], np.int32)

SHAPES: dict[str, tuple[Callable[[int], tuple[int, ...]], int]] = {
    "first": (lambda rows: (rows, 3), 0),
    "alone": (lambda rows: (rows,), 0),
    "second": (lambda rows: (1, rows, 5), 1),
    "after others": (lambda rows: (4, 3, rows), 2),
    "folded": (lambda rows: (3 * rows, 2), 0),
    "folded second": (lambda rows: (4, 2 * rows, 4), 1),
}
"""Shapes by the number of samples, and the axis of these."""


def drawn(
    backend: Backend, shape: tuple[int, ...], draws: Draws, rank: int, monkeypatch: pytest.MonkeyPatch
) -> np.ndarray:
    """Return the random words of one worker."""
    monkeypatch.setattr(type(backend), "worker_index", lambda self: self.asarray(np.int32(rank)))
    token = shared_step.set(SharedStep(WORKERS, ROWS, draws))
    try:
        return backend.to_numpy(backend.random_bits(backend.asarray(KEY), shape))
    finally:
        shared_step.reset(token)


@pytest.mark.parametrize("name", SHAPES)
def test_samples_have_the_numbers_of_the_whole_batch(
    backend: Backend, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, axis = SHAPES[name]
    draws = Draws.compared([shape(ROWS), (2, 2)], [shape(2 * ROWS), (2, 2)], (ROWS, 2 * ROWS))
    whole = backend.to_numpy(backend.random_bits(backend.asarray(KEY), shape(ROWS * WORKERS)))
    before, *rest = np.split(np.array(whole.shape), [axis])
    whole = whole.reshape(*before, ROWS, WORKERS, -1, *rest[0][1:])
    for rank in range(WORKERS):
        expected = whole.take(rank, axis + 1).reshape(shape(ROWS))
        np.testing.assert_array_equal(drawn(backend, shape(ROWS), draws, rank, monkeypatch), expected)


def test_what_is_drawn_for_all_samples_is_the_same_everywhere(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = Draws.compared([(ROWS, 3)], [(ROWS, 3)], (ROWS, 2 * ROWS))
    first, second = (drawn(backend, (ROWS, 3), draws, rank, monkeypatch) for rank in range(WORKERS))
    np.testing.assert_array_equal(first, second)


def test_keys_are_the_same_everywhere(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(backend), "worker_index", lambda self: self.asarray(np.int32(1)))
    expected = backend.to_numpy(backend.random_fold(backend.asarray(KEY), 5))
    token = shared_step.set(SharedStep(WORKERS, 2))
    try:
        np.testing.assert_array_equal(backend.to_numpy(backend.random_fold(backend.asarray(KEY), 5)), expected)
    finally:
        shared_step.reset(token)


def test_what_cannot_be_told_is_an_error() -> None:
    draws = Draws.compared([(4, 4), (4, 4)], [(8, 4), (4, 4)], (4, 8))
    with pytest.raises(ValueError, match=r"\(4, 4\).* cannot be told apart.*batch_size"):
        draws.sample_axis((4, 4), 4)
    assert draws.sample_axis((6, 4), 6) == 0
    assert draws.sample_axis((4, 4), 6) is None


@pytest.mark.parametrize("many", [(8, 8), (7, 4), (5, 4)])
def test_numbers_that_are_not_for_each_sample_are_an_error(many: tuple[int, ...]) -> None:
    draws = Draws.compared([(4, 4)], [many], (4, 8))
    with pytest.raises(ValueError, match="for each sample"):
        draws.sample_axis((4, 4), 4)
