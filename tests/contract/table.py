"""What a case is, and the constructors of its arrays: one line a case, in the files of `contract/cases`.

Floats without an explicit dtype are "working floats": they hold float32 values, are float64 here, and run as float32 on
the backend under test and as float64 on the reference. Random arrays are drawn from a seed that the case's name gives,
so that a new case changes no other.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helpers import runner
from helpers.parity import ATOL, RTOL
from polykeras.backend import Backend

INF, NAN = float("inf"), float("nan")


@dataclass(frozen=True)
class Draw:
    """An array to be drawn: its shape, and how to make it from a generator."""

    shape: tuple[int, ...]
    make: Callable[[np.random.Generator], np.ndarray]


def A(values: Any) -> np.ndarray:
    """Return working floats with these values (complex ones where a value is complex)."""
    x = np.asarray(values)
    if x.dtype.kind == "c":
        return x.astype(np.complex64).astype(np.complex128)
    return x.astype(np.float32).astype(np.float64)


def N(*shape: int) -> Draw:
    """Draw working floats from the normal distribution."""
    return Draw(shape, lambda rng: A(rng.standard_normal(shape)))


def U(lo: float, hi: float, *shape: int) -> Draw:
    """Draw working floats, uniform between two bounds."""
    return Draw(shape, lambda rng: A(rng.uniform(lo, hi, shape)))


def C(*shape: int) -> Draw:
    """Draw working complex numbers from the normal distribution."""
    return Draw(shape, lambda rng: A(rng.standard_normal(shape) + 1j * rng.standard_normal(shape)))


def P(*shape: int) -> Draw:
    """Draw symmetric positive definite matrices whose eigenvalues are apart."""

    def make(rng: np.random.Generator) -> np.ndarray:
        x = rng.standard_normal(shape)
        return A(x @ np.swapaxes(x, -1, -2) + np.diag(np.arange(1.0, shape[-1] + 1)))

    return Draw(shape, make)


def S(*shape: int) -> Draw:
    """Draw distinct working floats in random order: no two are nearer than 0.5."""
    size = int(np.prod(shape))
    return Draw(shape, lambda rng: A(rng.permutation(size).reshape(shape) * 0.5 - size / 4))


def R(lo: int, hi: int, *shape: int) -> Draw:
    """Draw int32 numbers in `[lo, hi)`."""
    return Draw(shape, lambda rng: rng.integers(lo, hi, shape).astype(np.int32))


def I(*values: Any, dtype: str = "int32") -> np.ndarray:  # noqa: E743
    """Return a vector of integers; a single argument gives its own shape."""
    return np.asarray(values[0] if len(values) == 1 else values, dtype)


def B(*values: Any) -> np.ndarray:
    """Return a vector of bools; a single argument gives its own shape."""
    return np.asarray(values[0] if len(values) == 1 else values, bool)


HARD = A([0.0, -0.0, 1e-30, -1e-30, 0.5, -0.5, 1.0, -1.0, 3.25, -3.25, 30.0, -30.0, 88.0, -88.0, 1e4, -1e4, INF, -INF])
"""Where implementations break: 0, tiny, ordinary, the ends of float32's exp, large and infinite."""
FINITE = HARD[:-2]


NEEDS_VALUES = {
    "convert_to_numpy": "there is nothing to convert",
    "nonzero": "the number of places",
    "unique": "the number of different elements, unless `size` is given",
    "bincount": "the largest element, unless `minlength` is given",
    "segment_sum": "the number of segments, unless it is given",
    "repeat": "the sum of `repeats`, where that is an array",
}
"""Ops whose shape may depend on values, each with what that is."""


NUMBERS = ("shape", "ndim", "size")
"""Ops that return Python's numbers, which a compiled function may turn into arrays."""


@dataclass(frozen=True)
class Case:
    """One call of one op.

    Attributes:
        op: the name of the contract's method.
        args: arrays (of working floats, or of their own dtype), nested lists of them, and anything else.
        kwargs: passed on.
        grad: whether the gradient in the float arrays among `args` is compared; or the places of those that count.
        fd: whether finite differences confirm the reference's gradient.
        second: whether the gradient of the gradient is compared as well.
        rtol: relative tolerance, the default unless `why` says otherwise.
        atol: absolute tolerance; the default compares the smallest numbers too.
        why: the reason of a tolerance or of `grad=False`.
        through: applied to the backend and the result before anything is compared, where the result is not unique.
        id: the name in test reports; made from the op and its arguments.
    """

    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    grad: bool | tuple[int, ...] = True
    fd: bool = True
    second: bool = False
    rtol: float = RTOL
    atol: float = ATOL
    why: str = ""
    through: Callable[[Any, Any], Any] | None = None
    id: str = ""

    @property
    def row(self) -> str:
        """The name of its row in the parity matrix."""
        return self.op

    @property
    def kinds(self) -> list[str]:
        """What is compared: its value, gradient, second gradient."""
        return ["value", *(["gradient"] if self.grad else []), *(["second"] if self.second else [])]

    @property
    def compiles(self) -> bool:
        """Whether the results are arrays of a shape that is known before they are computed."""
        return self.op not in NEEDS_VALUES and self.op not in NUMBERS

    def values(self, backend: Backend, width: int = 32) -> list[np.ndarray]:
        """Return the results as NumPy arrays."""
        return runner.values(self, backend, width)

    def gradients(self, backend: Backend, width: int = 32, order: int = 1) -> list[np.ndarray]:
        """Return the gradients of the weighted results, or (order 2) of the weighted gradients."""
        return runner.gradients(self, backend, width, order)


def _name(value: Any) -> str:
    if isinstance(value, (np.ndarray, Draw)):
        return "x".join(map(str, value.shape)) or "0d"
    if isinstance(value, (list, tuple)) and any(isinstance(part, (np.ndarray, Draw)) for part in value):
        return "+".join(map(_name, value))
    return str(value).replace(" ", "").replace("'", "")


def drawn(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, Draw):
        return value.make(rng)
    if isinstance(value, (list, tuple)):
        return type(value)(drawn(part, rng) for part in value)
    return value


_names: set[str] = set()


def case(op: str, *args: Any, note: str = "", **options: Any) -> Case:
    """Return one case; options named as the fields of `Case` are those, all others are the op's keyword arguments.

    Args:
        op: the name of the contract's method.
        *args: the positional arguments, with `Draw`s for random arrays.
        note: part of the name.
        **options: see above.
    """
    fields = {f.name for f in dataclasses.fields(Case)} - {"op", "args", "kwargs", "id"}
    own = {key: options.pop(key) for key in list(options) if key in fields}
    name = "-".join([op, *filter(None, [note]), *map(_name, args), *(f"{k}={_name(v)}" for k, v in options.items())])
    while name in _names:
        name += "'"
    _names.add(name)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return Case(op, drawn(args, rng), {k: drawn(v, rng) for k, v in options.items()}, **own, id=name)
