"""Keras 3 on JAX in this process, and what came out of a call here and there.

`settle` holds the differences of one subject against the known ones: one that is not known fails, and so does an entry
of the list that covers none.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from known_differences import of
from polykeras import dtypes
from polykeras.backend import use_backend
from polykeras.common import nested

EVERYTHING = os.environ.get("POLYKERAS_COMPARE") == "all"
"""Whether each case runs in each dtype and with each weight, which takes some minutes; else one of a kind does."""

ROUNDED = {"float32": 2e-5, "complex64": 2e-5, "float16": 4e-3, "bfloat16": 3e-2}
"""How far two libraries may be apart, as part of a number and as a number."""


@functools.cache
def keras() -> Any:
    """Return Keras, on JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    # Small programs are compiled and run once; and float16 stays float16 between the operations of one.
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags} --xla_allow_excess_precision=false".strip()
    import keras

    return keras


@contextmanager
def quiet() -> Iterator[None]:
    """Run on our numpy backend, without warnings: numbers beside the point (log(-1), 1 / 0) are compared too."""
    with use_backend("numpy"), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class Outcome:
    """What a call gave: arrays, or an error."""

    leaves: tuple[np.ndarray, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Mismatch:
    """One difference: in which case, of what kind, and the two results."""

    case: str
    kind: str
    text: str


def outcome(fn: Callable[[], Any]) -> Outcome:
    """Return what a call gives, as NumPy arrays; or its error."""
    try:
        result = fn()
        return Outcome(tuple(host(leaf) for leaf in nested.flatten(result)))
    except Exception as error:
        return failed(error)


def failed(error: Exception) -> Outcome:
    """Return the outcome of a call that raised."""
    return Outcome(error=f"{type(error).__name__}: {error}"[:300])


def host(leaf: Any) -> np.ndarray:
    """Return an array of either library, or a number, as a NumPy array of at most 32 bits, as Keras has on JAX."""
    array = np.asarray(getattr(leaf, "value", leaf))
    narrow = dtypes.NARROWER.get(array.dtype.name)
    return array.astype(narrow) if narrow else array


@dataclass(frozen=True)
class Call:
    """One call of Keras: a function of arrays, and those."""

    function: Callable[..., Any]
    arrays: tuple[np.ndarray, ...] = ()


def together(calls: dict[str, Call]) -> dict[str, Outcome]:
    """Return what calls of Keras give. They run as one compiled program, in a tenth of the time of one by one."""
    import jax

    errors: dict[str, Outcome] = {}

    def program(arrays: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
        results = {}
        for name, made in calls.items():
            try:
                result = [getattr(leaf, "value", leaf) for leaf in nested.flatten(made.function(*arrays[name]))]
                jax.eval_shape(lambda r=result: r)  # what is no array of JAX cannot leave the program
                results[name] = result
            except Exception as error:
                errors[name] = failed(error)
        return results

    try:
        results = jax.jit(program)({name: made.arrays for name, made in calls.items()})
    except Exception:  # a kernel that XLA lacks is only known when it is compiled
        return one_by_one(calls)
    return errors | {name: Outcome(tuple(host(leaf) for leaf in result)) for name, result in results.items()}


def one_by_one(calls: dict[str, Call]) -> dict[str, Outcome]:
    """Return what calls of Keras give, each by itself: where the shape of a result depends on values."""
    convert = keras().ops.convert_to_tensor
    return {name: outcome(lambda c=made: c.function(*[convert(x) for x in c.arrays])) for name, made in calls.items()}


def wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def compare(case: str, ours: Outcome, theirs: Outcome, rtol: float | None = None) -> list[Mismatch]:
    """Return how two outcomes differ. What Keras refuses is nobody's difference: we may take more than it."""
    if theirs.error:
        return []
    if ours.error:
        return [Mismatch(case, "error", f"ours {ours.error}; Keras gives {theirs.leaves}")]
    if len(ours.leaves) != len(theirs.leaves):
        return [Mismatch(case, "shape", f"ours {len(ours.leaves)} arrays, Keras {len(theirs.leaves)}")]
    found = []
    for place, (a, b) in enumerate(zip(ours.leaves, theirs.leaves, strict=True)):
        at = f"result {place}: " if len(ours.leaves) > 1 else ""
        if a.dtype != b.dtype:
            found.append(Mismatch(case, "dtype", f"{at}ours {a.dtype}, Keras {b.dtype}"))
        if a.shape != b.shape:
            found.append(Mismatch(case, "shape", f"{at}ours {a.shape}, Keras {b.shape}"))
        elif a.size:
            bound = rtol or max(ROUNDED.get(a.dtype.name, 0.0), ROUNDED.get(b.dtype.name, 0.0))
            bad = ~np.isclose(wide(a), wide(b), rtol=bound, atol=bound, equal_nan=True)
            if bad.any():
                first = tuple(int(i) for i in np.argwhere(bad)[0])
                text = f"{at}{bad.sum()} of {bad.size}, at {first} ours {a[first]}, Keras {b[first]}"
                found.append(Mismatch(case, "value", text))
    return found


def settle(subject: str, ran: Sequence[str], found: Sequence[Mismatch], symbolic: bool = False) -> None:
    """Raise where a difference is not in the list, or an entry of the list is no difference any more.

    Args:
        subject: as in the list.
        ran: the names of the cases that were compared.
        found: their differences.
        symbolic: whether they are about symbolic tensors; each test settles the entries of its own kind.
    """
    entries = [entry for entry in of(subject) if (entry.kind == "symbolic") == symbolic]
    new = [m for m in found if not any(e.covers(subject, m.case, m.kind) for e in entries)]
    assert not new, f"{subject} differs from Keras:\n" + "\n".join(f"  {m.case}: {m.kind}: {m.text}" for m in new)
    for entry in entries:
        if any(entry.names(case) for case in ran):
            assert any(entry.covers(subject, m.case, m.kind) for m in found), f"no such difference any more: {entry}"
