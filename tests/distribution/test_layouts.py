"""Arrays that lie on the devices of two processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.workers import results_of
from polykeras.backend import Backend
from polykeras.backend.base import Layouts

SCRIPT = Path(__file__).parent / "scripts" / "layouts.py"


@pytest.mark.slow
def test_arrays_are_laid_out(backend: Backend) -> None:
    first, second = results_of(SCRIPT, backend.name, 2)
    if type(backend).lay_out is Layouts.lay_out:
        assert first == second
        assert "lies on one device; received 2: cpu:0, cpu:1. Arrays of JAX and PyTorch" in first[0]
        return
    rows, columns, whole, added = zip(first, second, strict=True)
    assert rows == ([[4, 2], [[0.0, 1.0], [2.0, 3.0]]], [[4, 2], [[4.0, 5.0], [6.0, 7.0]]])
    assert columns == ([[4, 2], [[0.0], [2.0], [4.0], [6.0]]], [[4, 2], [[1.0], [3.0], [5.0], [7.0]]])
    assert whole[0] == whole[1] == [[4, 2], [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]]
    assert added[0] == added[1] == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]
