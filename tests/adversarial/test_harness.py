"""The judge of adversarial programs lets nothing wrong pass."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from adversarial.harness import Entry, Outcome, Program, Programs, judge, plain

PROGRAMS = Programs("no framework", refusal="runs plainly")


@PROGRAMS.add("kind", "counts", "read once")
def counting(compiled: Entry) -> Iterator[Any]:
    numbers = itertools.count()
    count = compiled(lambda x: x + next(numbers))
    for _ in range(3):
        yield count(np.zeros(2))


def program(outcome: Outcome, reason: str = "") -> Program:
    return Program("kind", "text", outcome, counting, "runs plainly", reason, 0.0)


def refusing(fn: Callable[..., Any]) -> Callable[..., Any]:
    warnings.warn("it runs plainly: it counts", RuntimeWarning, stacklevel=2)
    return fn


def constant(fn: Callable[..., Any]) -> Callable[..., Any]:
    known: list[Any] = []

    def call(x: Any) -> Any:
        known.append(known[0] if known else fn(x))
        return known[0]

    return call


def test_outcomes() -> None:
    assert judge(program("equal"), plain) == "equal"
    assert judge(program("refused", "it counts"), refusing) == "refused"
    assert judge(program("read once"), constant) == "read once"


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x + 1,
        lambda x: x.astype("float32"),
        lambda x: x[:1],
        lambda x: [x],
        lambda x: x * np.nan,
        lambda x: None,
        lambda x: x * (x != 1),  # right in the first and the last call
    ],
)
@pytest.mark.parametrize("refuses", [False, True])
def test_what_differs_is_wrong_whatever_is_said(change: Callable[[Any], Any], refuses: bool) -> None:
    def entry(fn: Callable[..., Any]) -> Callable[..., Any]:
        fn = refusing(fn) if refuses else fn
        return lambda x: change(fn(x))

    for outcome in ("equal", "refused", "read once"):
        with pytest.raises(AssertionError, match="wrong"):
            judge(program(outcome, "it counts"), entry)


def test_a_refusal_for_another_reason_is_wrong() -> None:
    with pytest.raises(AssertionError, match="refused, but for"):
        judge(program("refused", "it prints"), refusing)


def test_what_is_read_once_and_said_to_be_refused_is_wrong() -> None:
    with pytest.raises(AssertionError, match="wrong, though it was refused"):
        judge(program("refused", "it counts"), lambda fn: constant(refusing(fn)))
