"""The collectives of each engine between two processes, against what they are defined as."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.workers import results_of
from polykeras.backend import Backend

SCRIPT = Path(__file__).parent / "scripts" / "collectives.py"


@pytest.mark.slow
def test_collectives(backend: Backend) -> None:
    for rank, found in enumerate(results_of(SCRIPT, backend.name, 2)):
        assert found["workers"] == 2
        assert found["index"] == [rank]
        assert found["sum"] == [[3.0, 4.0]]
        assert found["mean"] == [[1.5, 2.0], 0.5, [[1.5]]]
        assert found["sums"] == [1, [3.0, 4.0], [[9]]]
        assert found["gather"] == [[[1.0, 2.0], [2.0, 2.0]], [[False], [True]]]
        assert found["broadcast"] == [[2.0, 2.0], [8]]
        # (3 w1)**2 + (4 w2)**2, by the x of this worker, on each of two workers.
        gradient = [2 * 2 * 3.0 * (1.0 + rank), 2 * 2 * 4.0 * 2.0]
        assert found["compiled"] == [25.0, gradient]
        assert found["gradient"] == [25.0, gradient]
        assert found["steps"] == [1.5 + 5.5 + 9.5, 9.5, 7.0]


@pytest.mark.slow
def test_all_workers_get_the_same_bits(backend: Backend) -> None:
    first, *others = [found["bits"] for found in results_of(SCRIPT, backend.name, 4)]
    assert all(other == first for other in others)
