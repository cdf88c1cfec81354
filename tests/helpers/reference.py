"""What a case must give, by the numpy backend in float64, and the comparison with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from helpers.parity import assert_parity
from polykeras import dtypes
from polykeras.backend import Backend, registry

REFERENCE = "numpy"
KINDS = ("value", "gradient", "second")


class Comparable(Protocol):
    """What the case of an op and that of a layer have in common."""

    id: str
    rtol: float
    atol: float

    @property
    def row(self) -> str:
        """The name of its row in the parity matrix."""
        ...

    @property
    def kinds(self) -> list[str]:
        """What is compared: some of `KINDS`."""
        ...

    def values(self, backend: Backend, width: int = 32) -> list[np.ndarray]:
        """Return the results."""
        ...

    def gradients(self, backend: Backend, width: int = 32, order: int = 1) -> list[np.ndarray]:
        """Return the gradients of weighted results, or (order 2) of weighted gradients."""
        ...


@dataclass(frozen=True)
class Reference:
    """What a case must give: values, first and (where asked for) second gradients, in the dtypes of a float32 run."""

    values: list[np.ndarray]
    gradients: list[np.ndarray]
    second: list[np.ndarray]


_references: dict[str, Reference] = {}


def reference(case: Comparable) -> Reference:
    """Return what the numpy backend gives in float64, in the dtypes that it gives in float32."""
    if case.id not in _references:
        numpy = registry.load(REFERENCE)
        wide, narrow = case.values(numpy, 64), case.values(numpy, 32)
        first = case.gradients(numpy, 64) if "gradient" in case.kinds else []
        second = case.gradients(numpy, 64, 2) if "second" in case.kinds else []
        with np.errstate(all="ignore"):
            _references[case.id] = Reference(
                [w.astype(n.dtype) for w, n in zip(wide, narrow, strict=True)],
                [g.astype(np.float32) for g in first],
                [g.astype(np.float32) for g in second],
            )
    return _references[case.id]


def pairs(case: Comparable, backend: Backend, kind: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return `(actual, expected)` for each result, gradient or second gradient of a case."""
    expected = reference(case)
    if kind == "value":
        got, want = case.values(backend), expected.values
    elif kind == "gradient":
        got, want = case.gradients(backend), expected.gradients
    else:
        got, want = case.gradients(backend, order=2), expected.second
    held = {wide: narrow for wide, narrow in dtypes.NARROWER.items() if wide in backend.unsupported_dtypes}
    assert len(got) == len(want), f"{case.id}: {len(got)} results, expected {len(want)}."
    # int64 is int32 in JAX by default, but for Python's numbers.
    return [
        (g, w.astype(g.dtype) if held.get(w.dtype.name) == g.dtype.name else w) for g, w in zip(got, want, strict=True)
    ]


def check(case: Comparable, backend: Backend, kind: str) -> None:
    """Raise AssertionError unless `backend` agrees with the reference on one kind of thing of a case."""
    for index, (got, want) in enumerate(pairs(case, backend, kind)):
        assert_parity(got, want, case.rtol, case.atol, f"{kind} {index} of {case.id} on {backend.name}")
