"""A framework that a program uses beside its backend, for its data sets, is seeded too."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from polykeras.backend import Provider, registry
from polykeras.random import set_random_seed


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the seeds that a framework gets; its backend cannot be loaded."""
    found: list[int] = []
    late = Provider("late_framework", lambda: pytest.fail("it was loaded"), seed=found.append)
    known = {**registry.providers(), "late": late}
    monkeypatch.setattr(registry, "providers", lambda: known)
    return found


def test_what_is_imported_is_seeded_without_its_backend(seeds: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    set_random_seed(21)
    assert seeds == []
    monkeypatch.setitem(sys.modules, "late_framework", ModuleType("late_framework"))
    registry.seed_again("late")
    assert seeds == [21]
    set_random_seed(22)
    assert seeds == [21, 22]
