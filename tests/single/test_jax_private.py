"""Without any one private name of its framework the jax backend computes the same."""

from __future__ import annotations

from typing import Any

import pytest

from helpers import without_names

pytest.importorskip("jax")
pytestmark = [pytest.mark.needs("jax"), pytest.mark.slow]


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return without_names.outcome("jax")


def test_numbers_stay(results: dict[str, Any]) -> None:
    assert len(results) > 8
    without_names.check(results)


def test_there_are_no_primitives_of_ours_without_one_of_them(results: dict[str, Any]) -> None:
    for name, result in results.items():
        assert result["private"]["CAN_DEFINE_PRIMITIVES"] == str(name in ("", "jax._src.distributed:global_state"))
        assert result["warnings"] == []
