"""What a step of `compile_steps` gives back: its state in the shapes and dtypes in which it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polykeras.backend import Backend

DATA = np.zeros((4, 2), "float32")
INDICES = np.arange(4, dtype="int32").reshape(2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b, x: b.cast(x, "float16"), r"state\[1\] went from float32\[2\] to float16\[2\]"),
        (lambda b, x: b.reshape(x, (1, 2)), r"state\[1\] went from float32\[2\] to float32\[1,? ?2\]"),
        (lambda b, x: b.cast(x, "int32"), r"state\[1\] went from float32\[2\] to int32\[2\]"),
    ],
)
def test_a_step_that_changes_its_state_is_told_where(
    backend: Backend, change: Callable[[Backend, Any], Any], message: str
) -> None:
    run = backend.compile_steps(lambda state, batch: ([state[0], change(backend, state[1])], {}))
    with pytest.raises(ValueError, match=message):
        run([backend.ones((2,)), backend.ones((2,))], backend.asarray(DATA), backend.asarray(INDICES), 0, 2)


def test_a_step_returns_all_of_its_state(backend: Backend) -> None:
    run = backend.compile_steps(lambda state, batch: (state[:1], {}))
    with pytest.raises(ValueError, match="2 state arrays and returned 1"):
        run([backend.ones((2,)), backend.ones((2,))], backend.asarray(DATA), backend.asarray(INDICES), 0, 2)
