"""Host data lent to a backend: the same values, in place where the memory allows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import fast
from polykeras.backend import Backend
from polykeras.backend.host_memory import LARGE, aligned_empty, can_be_lent

pytestmark = pytest.mark.cpu_only("memory that a framework on the CPU uses in place")


def aligned_zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return zeros that can be lent."""
    room = aligned_empty(shape, dtype)
    room[...] = 0
    return room


def unaligned(x: np.ndarray) -> np.ndarray:
    """Return a copy that begins one element behind an aligned place."""
    room = aligned_zeros((x.size + 1,), x.dtype)
    room[1:] = x.reshape(-1)
    return room[1:].reshape(x.shape)


def read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


FORMS: dict[str, Any] = {
    "aligned": lambda x: np.add(aligned_zeros(x.shape, x.dtype), x, dtype=x.dtype) if x.dtype != bool else x,
    "unaligned": unaligned,
    "read-only": read_only,
    "columns": np.asfortranarray,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int64", "int8", "uint8", "bool"])
def test_the_values_are_those_of_asarray(backend: Backend, dtype: str, form: str) -> None:
    x = FORMS[form](np.arange(-3, 9).astype(dtype).reshape(3, 4))
    expected, found = backend.asarray(x), backend.borrow(x)
    assert backend.dtype(found) == backend.dtype(expected)
    np.testing.assert_array_equal(backend.to_numpy(found), backend.to_numpy(expected))


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_aligned_memory_is_used_in_place(backend: Backend, dtype: str) -> None:
    x = aligned_zeros((5, 7), dtype)
    if not fast.enabled() and not backend.borrows_in_place(x):
        pytest.skip(f"a fast path on {backend.name}")
    assert can_be_lent(x)
    assert not can_be_lent(unaligned(x))
    borrowed = backend.borrow(x)
    x[2, 3] = 9
    assert backend.to_numpy(borrowed)[2, 3] == 9


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
def test_what_is_lent_follows_the_host(backend: Backend, dtype: str, form: str) -> None:
    x = FORMS[form](np.ones((5, 7), dtype))
    if backend.borrows_in_place(x):
        borrowed = backend.borrow(x)
        x[2, 3] = 0
        assert backend.to_numpy(borrowed)[2, 3] == 0


def test_borrowed_memory_outlives_its_owner(backend: Backend) -> None:
    x = aligned_zeros((1000, 100), "float32")
    x += 3
    borrowed = backend.borrow(x)
    del x
    others = [np.zeros((1000, 100), "float32") for _ in range(20)]
    assert len(others) == 20
    assert backend.to_numpy(borrowed).min() == 3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [3, LARGE // 16], ids=["small", "large"])
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "bool"])
def test_placed_values_do_not_follow_the_host(backend: Backend, dtype: str, rows: int, form: str) -> None:
    x = FORMS[form]((np.arange(rows * 16) % 100).astype(dtype).reshape(rows, 16))
    placed, converted, before = backend.place(x), backend.asarray(x), x.copy()
    np.testing.assert_array_equal(backend.to_numpy(converted), before)
    if x.flags.writeable:
        x[...] = 0
    np.testing.assert_array_equal(backend.to_numpy(placed), before)
