"""Without any one private name of its framework the tensorflow backend computes the same."""

from __future__ import annotations

from typing import Any

import pytest

from helpers import without_names

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.needs("tensorflow")


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return without_names.outcome("tensorflow")


def test_numbers_stay(results: dict[str, Any]) -> None:
    assert len(results) > 8
    without_names.check(results)


def test_graphs_are_called_plainly_without_what_their_options_need(results: dict[str, Any]) -> None:
    for name, result in results.items():
        plainly = any(
            part in name
            for part in ("context:context", "FunctionCallOptions", "RewriterConfig", "ConfigProto", "_call_flat")
        )
        assert result["room"]["call"] == f"<function {'_call_plainly' if plainly else '_call'}>"
        assert result["warnings"] == []
