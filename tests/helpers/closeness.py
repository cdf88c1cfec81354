"""Comparing histories, which are trees of numbers."""

from __future__ import annotations

from typing import Any


def assert_close(found: Any, expected: Any, tolerance: float = 1e-5, where: str = "") -> None:
    """Compare two trees of numbers.

    Args:
        found: dicts, lists, numbers and None.
        expected: the same structure.
        tolerance: the largest difference, relative to numbers above 1.
        where: the place in the tree, for messages.
    """
    if isinstance(expected, dict):
        assert list(found) == list(expected), where
        for name in expected:
            assert_close(found[name], expected[name], tolerance, f"{where}/{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for place, (a, b) in enumerate(zip(found, expected, strict=True)):
            assert_close(a, b, tolerance, f"{where}[{place}]")
    elif isinstance(expected, float):
        assert abs(found - expected) <= tolerance * max(1.0, abs(expected)), f"{where}: {found} and {expected}"
    else:
        assert found == expected, where
