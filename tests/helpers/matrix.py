"""Measure every case on every backend: what `parity_matrix.py` prints and `matrix_page.py` writes as a page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from helpers.parity import ATOL, assert_parity, largest, relative_error
from helpers.reference import Comparable, pairs
from polykeras.backend import Backend

Known = Callable[[str, str, str], Any]


@dataclass
class Cell:
    """One row on one backend.

    Attributes:
        worst: the largest relative error of each kind of comparison that was made; inf where something failed.
        failures: what exceeds its tolerance or raised, in words.
        known: how many comparisons are in the list of known differences.
        count: how many comparisons were made.
    """

    worst: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    known: int = 0
    count: int = 0

    def text(self, kind: str) -> str:
        """Return the number as it is shown; "" where nothing was compared."""
        if kind not in self.worst:
            return ""
        error = self.worst[kind]
        return "=" if error == 0 else "fails" if error == float("inf") else f"{error:.0e}"


@dataclass
class Matrix:
    """All rows on all backends.

    Attributes:
        backends: names and versions of the columns.
        rows: by name of the op or layer, then by name of the backend.
        seconds: how long it took.
    """

    backends: dict[str, str]
    rows: dict[str, dict[str, Cell]]
    seconds: float = 0.0

    @property
    def failures(self) -> list[str]:
        """All failures in words."""
        return [text for row in self.rows.values() for cell in row.values() for text in cell.failures]

    def summary(self) -> str:
        """Return one line on the whole."""
        cells = [cell for row in self.rows.values() for cell in row.values()]
        total, known = sum(cell.count for cell in cells), sum(cell.known for cell in cells)
        verdict = f"{len(self.failures)} exceed their tolerance" if self.failures else "all within tolerance"
        return (
            f"{len(self.rows)} ops and layers x {len(self.backends)} backends, {total} comparisons: {verdict}, "
            f"{known} known differences, {self.seconds:.0f} s"
        )


def _compare(cell: Cell, case: Comparable, backend: Backend, kind: str, known: Known) -> None:
    cell.count += 1
    error = 0.0
    problem = ""
    try:
        compared = pairs(case, backend, kind)
        scale = largest(expected for _, expected in compared) if case.atol > ATOL else ATOL
        for index, (actual, expected) in enumerate(compared):
            assert_parity(actual, expected, case.rtol, case.atol, f"{kind} {index}")
            error = max(error, relative_error(actual, expected, scale))
    except Exception as exception:
        problem = f"{type(exception).__name__}: {str(exception).strip().splitlines()[0] if str(exception) else ''}"
    if known(backend.name, case.id, kind):
        cell.known += 1
        if not problem:
            cell.failures.append(f"{case.id} on {backend.name}: its known difference ({kind}) has vanished")
        return
    if problem:
        cell.failures.append(f"{case.id} on {backend.name}, {kind}: {problem}")
        error = float("inf")
    cell.worst[kind] = max(cell.worst.get(kind, 0.0), error)


def measure(cases: Iterable[Comparable], backends: Sequence[Backend], known: Known) -> Matrix:
    """Run all cases on all backends.

    Args:
        cases: of ops and layers.
        backends: the columns.
        known: tells whether a comparison is in the list of known differences.
    """
    start = time.perf_counter()
    matrix = Matrix({b.name: b.version for b in backends}, {})
    for case in cases:
        row = matrix.rows.setdefault(case.row, {b.name: Cell() for b in backends})
        for backend in backends:
            for kind in case.kinds:
                _compare(row[backend.name], case, backend, kind, known)
    matrix.seconds = time.perf_counter() - start
    return matrix
