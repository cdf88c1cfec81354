"""Run the case of an op on a backend, in float32 or (for the reference) in float64."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from polykeras import config, function
from polykeras.backend import Backend, dispatch, use_backend
from polykeras.common import nested

if TYPE_CHECKING:
    from contract.table import Case

Leaves: TypeAlias = Callable[[list[Any]], list[Any]]
"""Takes arrays, returns the leaves of a result."""
Objective: TypeAlias = Callable[[list[Any]], tuple[Any, Any]]
"""Takes float arrays, returns a scalar and None."""


@functools.cache
def public(op: str) -> Callable[..., Any]:
    """Return the public function of a contract method, as `polykeras.ops` binds it."""
    return dispatch.bind(getattr(Backend, op))


@contextmanager
def running(backend: Backend, width: int) -> Iterator[None]:
    """Make `backend` current, with floats of `width` bits as the default."""
    before = config.floatx()
    config.set_floatx(f"float{width}")
    try:
        with use_backend(backend), np.errstate(all="ignore"):
            yield
    finally:
        config.set_floatx(before)


def narrowed(x: np.ndarray, width: int) -> np.ndarray:
    """Return a case's array in the dtype in which it runs: working floats have `width` bits."""
    if x.dtype == np.float64:
        return x.astype(f"float{width}")
    if x.dtype == np.complex128:
        return x.astype(f"complex{2 * width}")
    return x


def _replace(value: Any, change: Callable[[np.ndarray], Any]) -> Any:
    if isinstance(value, np.ndarray):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_replace(part, change) for part in value)
    return value


def float_arrays(case: Case) -> list[np.ndarray]:
    """Return the arrays of a case in which its gradient is taken."""
    places = range(len(case.args)) if case.grad is True else case.grad or ()
    found: list[np.ndarray] = []
    for place in places:
        _replace(case.args[place], lambda x: found.append(x) if x.dtype == np.float64 else None)
    return found


def all_arrays(case: Case) -> list[np.ndarray]:
    """Return all arrays among the arguments of a case."""
    found: list[np.ndarray] = []
    _replace([*case.args, *case.kwargs.values()], found.append)
    return found


Given: TypeAlias = dict[int, Any]
"""Arrays of a backend that stand in for arrays of a case, by their `id`."""


def stand_ins(arrays: Sequence[np.ndarray], values: Sequence[Any]) -> Given:
    """Return `values` in place of the case's `arrays`."""
    return {id(x): value for x, value in zip(arrays, values, strict=True)}


def call(case: Case, backend: Backend, width: int, given: Given | None = None) -> list[Any]:
    """Return the leaves of the result."""
    known = given or {}

    def change(x: np.ndarray) -> Any:
        return known[id(x)] if id(x) in known else backend.asarray(narrowed(x, width))

    result = public(case.op)(*_replace(case.args, change), **{k: _replace(v, change) for k, v in case.kwargs.items()})
    if case.through is not None:
        result = case.through(backend, result)
    return nested.flatten(result)


def host(backend: Backend, leaf: Any) -> np.ndarray:
    """Return one leaf of a result as a NumPy array."""
    return backend.to_numpy(leaf) if backend.is_tensor(leaf) else np.asarray(leaf)


ONE_FUNCTION = frozenset({"jax"})
"""Backends that compile each op of eager code by itself: a case runs there as one compiled function, which takes a
quarter of the time and a tenth of the memory. `test_the_other_way` runs cases eagerly there, and compiled elsewhere."""


def in_one_function(case: Case, backend: Backend) -> bool:
    """Return whether a case runs as one compiled function."""
    return backend.name in ONE_FUNCTION and case.compiles


def run(backend: Backend, fn: Leaves, arrays: Sequence[np.ndarray], width: int, compiled: bool) -> list[np.ndarray]:
    """Return the results of a function of lists of arrays, as NumPy arrays."""
    function = backend.compile(fn) if compiled else fn
    return [host(backend, leaf) for leaf in function([backend.asarray(narrowed(x, width)) for x in arrays])]


def in_one_program(backend: Backend, fn: Callable[..., Any], *given: Any) -> Any:
    """Return what a function gives, as NumPy arrays. It may use variables, and layers, losses or metrics that are built.

    It runs as one compiled program where each op would be compiled by itself.

    Args:
        backend: the current one.
        fn: returns arrays, or nests of them.
        given: its arguments: NumPy arrays, or nests of them.
    """
    call = function(fn) if backend.name in ONE_FUNCTION else fn
    return nested.map_structure(lambda leaf: host(backend, leaf), call(*given))


latest: dict[Any, dict[str, list[np.ndarray]]] = {}


def all_kinds(
    key: Any, backend: Backend, functions: dict[str, Leaves], arrays: Sequence[Any]
) -> dict[str, list[np.ndarray]]:
    """Return what several functions of the same arrays give, computed by one compiled program.

    A case's values and gradients are compared by tests that follow each other: the last case is kept for them.

    Args:
        key: of the case and how it runs.
        backend: the current one.
        functions: by kind.
        arrays: of the backend.
    """
    if key not in latest:
        program = backend.compile(lambda given: {kind: fn(given) for kind, fn in functions.items()})
        found = program(list(arrays))
        latest.clear()
        latest[key] = {kind: [host(backend, leaf) for leaf in leaves] for kind, leaves in found.items()}
    return latest[key]


def values(case: Case, backend: Backend, width: int = 32, compiled: bool | None = None) -> list[np.ndarray]:
    """Return the results of a case as NumPy arrays."""
    return _run_kind(case, backend, width, "value", compiled)


def _run_kind(case: Case, backend: Backend, width: int, kind: str, compiled: bool | None) -> list[np.ndarray]:
    arrays = all_arrays(case)
    with running(backend, width):
        if compiled is None and in_one_function(case, backend):
            functions = {kind: _function(case, backend, width, kind) for kind in case.kinds}
            given = [backend.asarray(narrowed(x, width)) for x in arrays]
            return all_kinds((case.id, backend.name, width), backend, functions, given)[kind]
        return run(backend, _function(case, backend, width, kind), arrays, width, bool(compiled))


def _function(case: Case, backend: Backend, width: int, kind: str) -> Leaves:
    """Return what gives the values, gradients or second gradients of a case for its arrays."""
    arrays, varied = all_arrays(case), float_arrays(case)
    if kind == "value":
        return lambda given: call(case, backend, width, stand_ins(arrays, given))
    assert varied, f"{case.id} has no float arrays: its case must say grad=False."

    def gradient(values: list[Any]) -> list[Any]:
        given = stand_ins(arrays, values)
        total = objective(case, backend, width, given)
        if kind == "second":
            first = total

            def total(variables: list[Any]) -> tuple[Any, Any]:
                _, _, grads = backend.value_and_grad(first, variables)
                return weighted(case.id, backend, width, grads, 50), None

        return backend.value_and_grad(total, [given[id(x)] for x in varied])[2]

    return gradient


def weights(name: str, index: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return fixed random weights, of either sign and none near 0, for one result or gradient of the case `name`."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), index])
    return (rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)).astype(np.float32).astype(np.float64)


def weighted(name: str, backend: Backend, width: int, leaves: list[Any], first: int) -> Any:
    """Return the sum over all float results of the result times its weights."""
    total = None
    for index, leaf in enumerate(leaves, first):
        dtype = backend.dtype(leaf) if backend.is_tensor(leaf) else ""
        parts = [backend.real(leaf), backend.imag(leaf)] if dtype.startswith("complex") else [leaf]
        if not dtype.startswith(("float", "bfloat", "complex")):
            continue
        for offset, part in enumerate(parts):
            w = weights(name, index + 100 * offset, backend.shape(part)).astype(f"float{width}")
            part = backend.cast(part, f"float{width}")
            term = backend.sum(backend.multiply(part, backend.asarray(w)))
            total = term if total is None else backend.add(total, term)
    if total is None:
        raise TypeError(f"{name} has no float result: its case must say grad=False.")
    return total


def objective(case: Case, backend: Backend, width: int, given: Given | None = None) -> Objective:
    """Return the function of the float arrays whose gradient stands for the op's."""

    def total(variables: list[Any]) -> tuple[Any, Any]:
        leaves = call(case, backend, width, {**(given or {}), **stand_ins(float_arrays(case), variables)})
        return weighted(case.id, backend, width, leaves, 0), None

    return total


def gradients(
    case: Case, backend: Backend, width: int = 32, order: int = 1, compiled: bool | None = None
) -> list[np.ndarray]:
    """Return the gradients of the weighted sum of a case's results, or (order 2) of those gradients' weighted sum."""
    return _run_kind(case, backend, width, "gradient" if order == 1 else "second", compiled)
