"""What is no op, loss, metric or optimizer, and differs from Keras on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras
from differential.opponent import keras
from known_differences.from_keras import OBJECTS

pytestmark = pytest.mark.keras


def zeros_of_a_graph(library: Any) -> Any:
    x = library.Input((3,))
    zero = x == 0.0
    if isinstance(zero, bool):
        return zero
    return np.asarray(library.Model(x, zero)(np.array([[0.0, 1.0, 0.0]], "float32"))).tolist()


SHOWN: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "tensor == number": (zeros_of_a_graph, [[True, False, True]], False),
}
"""What shows each difference: a function of the library, what it gives here, and there."""


@pytest.mark.parametrize("case", SHOWN)
def test_they_differ_as_is_said(case: str) -> None:
    show, ours, theirs = SHOWN[case]
    assert show(polykeras) == ours
    assert show(keras()) == theirs


def test_each_is_shown() -> None:
    assert {entry.case for entry in OBJECTS} == set(SHOWN)
