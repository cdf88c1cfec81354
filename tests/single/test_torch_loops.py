"""The torch backend: bodies of long eager loops are recorded, and tensors are indexed by what is computed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import fast, ops

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.needs("torch"), pytest.mark.usefixtures("on_torch")]

TURNS = 50
COUNTS: dict[Any, int] = {}


@pytest.fixture
def on_torch() -> Any:
    with keras.backend.use_backend("torch") as backend:
        yield backend


def _turns(change: Callable[[Any, Any], Any], limit: int | None = TURNS) -> tuple[int, Any]:
    """Return how often the body of a loop runs, and what the loop returns."""

    def body(i: Any, x: Any) -> Any:
        COUNTS[change] += 1  # a global is looked at if it is a number, or short
        return i + 1, change(i, x)

    COUNTS.update(dict.fromkeys(range(100), 0))
    COUNTS[change] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = ops.while_loop(lambda i, _: i < TURNS, body, (torch.tensor(0), torch.zeros(3)), limit)
    return COUNTS[change], result[1]


def test_a_long_body_runs_three_times() -> None:
    assert _turns(lambda i, x: x + i)[0] == 3
    assert _turns(lambda i, x: x + i, None)[0] == 18
    assert _turns(lambda i, x: x + i, 20)[0] == 20
    with fast.off():
        assert _turns(lambda i, x: x + i)[0] == TURNS


def test_decisions_by_values_run_as_plain_python_in_silence() -> None:
    calls, found = _turns(lambda i, x: x + 1 if i % 2 else x)
    assert calls == TURNS
    np.testing.assert_array_equal(found, [TURNS // 2] * 3)


class _Anneals:
    """An object of a user's that counts turns."""

    def __init__(self) -> None:
        self.turns, self.kept, self.inner = 0, [], {"numbers": iter(range(1000))}

    def count(self, x: Any) -> Any:
        self.turns += 1
        return x + self.turns

    def keep(self, x: Any) -> Any:
        self.kept.append(x)
        return x + len(self.kept)

    def take(self, x: Any) -> Any:
        return x + next(self.inner["numbers"]) + 1


@pytest.mark.parametrize("name", ["count", "keep", "take"])
def test_state_of_a_users_object_goes_on(name: str) -> None:
    change = getattr(_Anneals(), name)
    calls, found = _turns(lambda i, x: change(x))
    assert calls == TURNS
    np.testing.assert_array_equal(found, [TURNS * (TURNS + 1) / 2] * 3)


def test_errors_of_late_turns_are_the_users() -> None:
    def fail(i: Any, x: Any) -> Any:
        if i > 45:
            raise ZeroDivisionError("late")
        return x

    with pytest.raises(ZeroDivisionError, match="late"):
        _turns(fail)


def test_gradients_flow_through_a_long_loop() -> None:
    x = torch.full((3,), 1.01, requires_grad=True)
    _, y = ops.while_loop(lambda i, _: i < TURNS, lambda i, y: (i + 1, y * x), (torch.tensor(0), x), TURNS)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, [(TURNS + 1) * 1.01**TURNS] * 3, rtol=1e-5)


INDICES = {
    "last": lambda x, i: x[:, i],
    "first": lambda x, i: x[i],
    "one of two": lambda x, i: x[1, :, i],
    "behind an ellipsis": lambda x, i: x[..., i],
    "before one": lambda x, i: x[i, ...],
    "new axes": lambda x, i: x[None, :, i, None],
    "slices": lambda x, i: x[1:, i, ::2],
    "negative": lambda x, i: x[:, i - 4],
}


@pytest.mark.parametrize("name", INDICES)
def test_computed_indices_are_recorded(name: str) -> None:
    x = torch.arange(64.0).reshape(4, 4, 4)
    taken = keras.function(lambda x, i: INDICES[name](x, i) * 2)
    for i in range(4):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = taken(x, torch.tensor(i))
        np.testing.assert_array_equal(found, INDICES[name](x, torch.tensor(i)) * 2)


def test_what_was_taken_cannot_be_changed_in_place() -> None:
    def change(x: Any, i: Any) -> Any:
        x = x + 1
        row = x[i]
        row.add_(1)
        return x

    with pytest.raises(RuntimeError, match="changes in place what it took"):
        keras.function(change)(torch.zeros(3, 2), torch.tensor(1))


def test_an_index_out_of_range_is_an_error() -> None:
    taken = keras.function(lambda x, i: x[i])
    taken(torch.zeros(3, 2), torch.tensor(1))
    for _ in range(2):
        with pytest.raises((IndexError, RuntimeError), match=r"out of (range|bounds)|DATA bounds"):
            taken(torch.zeros(3, 2), torch.tensor(3))
