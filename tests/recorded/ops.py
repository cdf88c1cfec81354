"""Recorded ops: calls of the tables of the contract and of `tests/differential`, and of the edges, each with its arrays."""

from __future__ import annotations

import inspect
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from contract.cases import CASES as CONTRACT
from contract.image_cases import CALLS, IDS
from contract.table import NEEDS_VALUES, NUMBERS, Case
from differential.ops_cases import CASES, applied, given
from helpers.runner import all_arrays
from polykeras import ops
from recorded import ops_core, ops_image, ops_linalg, ops_nn, ops_numpy, store

DTYPES = ("float32", "float16", "bfloat16", "int32")
"""In which the last case of each op is recorded; the others are in the first."""

OF_KERAS = store.of_keras("ops")

WITHOUT_RECORD = {"image.elastic_transform": "drawn"}
"""Public ops of Keras's that are not recorded, each with the reason."""


def public_names(library: Any) -> list[str]:
    """Return the names of a module's ops, those of images after `image.`: no modules, classes or tools of the module."""
    modules = {"": library, "image.": library.image}
    return sorted(
        prefix + name for prefix, module in modules.items() for name in dir(module) if _is_public(module, name)
    )


def _is_public(module: Any, name: str) -> bool:
    value = getattr(module, name)
    tool = name.startswith("_") or name == "lazy_names" or inspect.isclass(value) or inspect.ismodule(value)
    return callable(value) and not tool


@dataclass(frozen=True)
class Run:
    """One call of one op.

    Attributes:
        op: its name, as `resize` of images is `image.resize`.
        function: takes a library's ops and arrays, returns the result.
        arrays: in the dtypes in which they are given.
        case: what says how near results must be, and what of them is unique.
        held: whether tests of the contract hold each backend to NumPy's result for these arrays.
    """

    op: str
    function: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    case: Case = field(default_factory=lambda: Case("", ()))
    held: bool = False

    @property
    def given(self) -> int:
        """A checksum of the arrays, which is recorded: a case that was changed is recorded anew."""
        return zlib.crc32(b"".join(f"{x.dtype}{x.shape}".encode() + x.tobytes() for x in self.arrays))

    @property
    def whole(self) -> bool:
        """Whether it can be a part of a compiled program: its results are arrays, of shapes that no value decides."""
        return self.op == "segment_sum" or not any(
            self.op in names for names in (NEEDS_VALUES, NUMBERS, ops_core.ALONE)
        )


def named(library: Any, name: str) -> Callable[..., Any]:
    """Return an op of a module of ops."""
    for part in name.split("."):
        library = getattr(library, part)
    return library


def of_case(case: Case, dtype: str, held: bool = False) -> Run:
    """Return the run of a case in which working floats are of a dtype."""
    arrays = tuple(given(x, dtype) for x in all_arrays(case))
    return Run(case.op, lambda library, *a: applied(named(library, case.op), case, a), arrays, case, held)


def _dtypes(case: Case, last: bool) -> tuple[str, ...]:
    kinds = {x.dtype.kind for x in all_arrays(case) if x.dtype in (np.float64, np.complex128)}
    several = DTYPES[:3] if case.through else DTYPES  # decompositions: matrices of whole numbers may be singular
    return several if last and kinds == {"f"} else DTYPES[:1]


def _runs() -> Iterator[tuple[str, Run]]:
    by_op: dict[str, list[Case]] = defaultdict(list)
    for case in CASES:
        if hasattr(ops, case.op) and case.op in OF_KERAS:
            by_op[case.op].append(case)
    primitives = set(map(id, CONTRACT))
    for cases in by_op.values():
        for case in cases:
            for dtype in _dtypes(case, case is cases[-1]):
                yield f"{case.id} {dtype}", of_case(case, dtype, id(case) in primitives and case is not cases[-1])
    for edges in (ops_numpy.EDGES, ops_nn.EDGES, ops_linalg.EDGES, ops_image.EDGES, ops_core.EDGES):
        for case in edges:
            yield f"{case.id} float32", of_case(case, "float32")
    for name, (op, args, kwargs) in zip(IDS, CALLS, strict=True):
        case = Case(f"image.{op}", args, kwargs, atol=ops_image.ATOL)
        yield f"image.{name.partition('-')[2]}", of_case(case, "float32", held=True)
    for op, programs in ops_core.PROGRAMS.items():
        for i, (function, *arrays) in enumerate(programs):
            yield f"{op} {i}", Run(op, function, tuple(given(x, "float32") for x in arrays))


def _table() -> dict[str, Run]:
    table: dict[str, Run] = {}
    for name, run in _runs():
        while name in table:
            name += "'"
        table[name] = run
    return table


TABLE = _table()
