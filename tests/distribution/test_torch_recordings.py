"""Recordings of PyTorch that add arrays up over workers: each repetition adds up what the first run did."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.workers import results_of

SCRIPT = Path(__file__).parent / "scripts" / "torch_recordings.py"


@pytest.mark.needs("torch")
@pytest.mark.slow
def test_recordings() -> None:
    results = results_of(SCRIPT, "torch", 2)
    for rank, found in enumerate(results):
        # x + the zeros of the other worker, doubled: on worker 0 no argument takes part.
        assert found["constants"] == [[2.0, 4.0], [6.0, 8.0], [10.0, 12.0]]
        own = 2.0 + rank
        assert found["memory"] == [10.0, 2 * own, 12.0, 5.0, own]
        assert found["donated"] == [12.0, 12.0]
        # The log of the last step, and the sums of each step: of the log, though three steps need none, and of the state.
        assert found["steps"] == {"state": [28.0, 36.0], "log": 28.0, "sizes": [1, 2] * 4}
        assert found["order"] == [1, 3, 5] * 3
        own = [1.0 + rank, 2.0]
        assert found["control"]["looped"] == [7.0, 15.0]
        assert found["control"]["branched"] == [[-3.0, -4.0], [14.0, 16.0]]
        assert found["control"]["mapped"] == [[6.0 + own[0], 10.0], [14.0 + 3 + rank, 20.0]]
        # The sum of all squares, squared, on each of two workers.
        assert found["control"]["slope"][0] == [2 * 2 * 13.0 * 2 * x for x in own]
        for dtype, digit in found["dtypes"].items():
            # The sum of 1 and the next float above it rounds to the even one of its neighbours; integers are exact.
            assert dtype in ("exact", "empty", "columns") or digit == (0.0 if "float" in dtype else 1.0), dtype
        assert found["dtypes"]["exact"] == [2**54 + 1, -(2**63), 2**32]
        assert found["dtypes"]["empty"] == []
        assert found["dtypes"]["columns"] == [[1.0, 7.0], [3.0, 9.0], [5.0, 11.0]]


@pytest.mark.needs("torch")
@pytest.mark.slow
def test_three_workers_have_the_same_bits() -> None:
    first, *others = [found["bits"] for found in results_of(SCRIPT, "torch", 3)]
    assert all(bits == first for bits in others)
