"""Without any one private name of its framework the torch backend computes the same."""

from __future__ import annotations

from typing import Any

import pytest

from helpers import without_names

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.needs("torch"), pytest.mark.slow]


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return without_names.outcome("torch")


def test_numbers_stay(results: dict[str, Any]) -> None:
    assert len(results) > 8
    without_names.check(results)


def test_nothing_is_recorded_without_what_the_recorder_needs(results: dict[str, Any]) -> None:
    from polykeras_torch import private

    for name, result in results.items():
        needed = name in private.NEEDED
        assert len(result["warnings"]) == needed, name
        assert all(name in text and "run as plain Python" in text for text in result["warnings"])


def test_torch_tells_that_a_gradient_is_missing_in_the_words_that_are_looked_for() -> None:
    from polykeras_torch import private

    with pytest.raises(RuntimeError, match=private.MISSING_GRADIENT):
        torch.ones(()).backward()
    with pytest.raises(RuntimeError, match=private.MISSING_GRADIENT):
        torch.autograd.grad(torch.ones(()), torch.ones((), requires_grad=True))
