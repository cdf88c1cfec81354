"""Dtypes by name, and the one promotion table of all backends.

A dtype is a string such as `"float32"`. Promotion follows a lattice (as NumPy's does not, and JAX's and Keras's do):
a float beats an integer whatever their widths, and a Python scalar never widens an array of its own kind.
Source of the lattice: JAX enhancement proposal 9407, "Design of Type Promotion Semantics for JAX".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from polykeras import config
from polykeras.common.settings import FLOATS

BOOL = ("bool",)
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
SIGNED = ("int8", "int16", "int32", "int64")
INTEGERS = UNSIGNED + SIGNED
COMPLEX = ("complex64", "complex128")
ALL = BOOL + INTEGERS + FLOATS + COMPLEX
STRING = "string"
"""Of texts, which are held on the host: inputs of models and of layers that prepare data. No array has it."""

NARROWER = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}
"""The 64-bit dtypes, and what their results become on a backend without them."""

_ALIASES = {"float": None, "int": "int32", "half": "float16", "double": "float64", "long": "int64", "bool_": "bool"}
_PYTHON_TYPES = {bool: "bool", int: "int32", float: "float", complex: "complex64", str: STRING}

SCALARS = (bool, int, float, complex)
"""The types of Python's numbers, which take the dtype of arrays beside them."""

# Each dtype points to the next larger ones; the result of a pair is their least upper bound. The weak kinds
# ("int*", "float*", "complex*") are those of Python scalars.
_LATTICE: dict[str, tuple[str, ...]] = {
    "bool": ("int*",),
    "int*": ("uint8", "int8"),
    "uint8": ("uint16", "int16"),
    "uint16": ("uint32", "int32"),
    "uint32": ("uint64", "int64"),
    "uint64": ("float*",),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float*",),
    "float*": ("bfloat16", "float16", "complex*"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex*": ("complex64",),
    "complex64": ("complex128",),
    "complex128": (),
}


def standardize_dtype(dtype: Any) -> str:
    """Return the name of a dtype.

    Args:
        dtype: a name, a NumPy dtype or type, a framework's own dtype, or None (the default float dtype).

    Returns:
        One of the names in `polykeras.dtypes.ALL`, or `"string"`.

    Raises:
        ValueError: the dtype is not known.
    """
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, str):
        name = dtype
    elif isinstance(dtype, type) and dtype in _PYTHON_TYPES:  # not `np.dtype(bool)`, which equals bool
        name = _PYTHON_TYPES[dtype]
    else:  # frameworks print their dtypes as "torch.float32", "<dtype: 'float32'>" or name them
        name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype).rpartition(".")[2]
    name = _ALIASES.get(name, name)
    if name is None:
        return config.floatx()
    if name not in ALL and name != STRING:
        raise ValueError(f"Unknown dtype {dtype!r}. Expected one of {', '.join(ALL)}.")
    return name


def is_text(x: Any) -> bool:
    """Return whether `x` is an array of texts on the host: NumPy's of strings, bytes or objects."""
    return getattr(getattr(x, "dtype", None), "kind", "") in ("O", "S", "T", "U")


def is_float(dtype: str) -> bool:
    """Return whether `dtype` is a real floating-point dtype."""
    return dtype in FLOATS


def is_int(dtype: str) -> bool:
    """Return whether `dtype` is a signed or unsigned integer dtype (bool is not)."""
    return dtype in INTEGERS


def is_complex(dtype: str) -> bool:
    """Return whether `dtype` is complex."""
    return dtype in COMPLEX


def weak(value: bool | int | float | complex) -> str:
    """Return the place of a Python scalar in the lattice."""
    if isinstance(value, bool):
        return "bool"
    return {int: "int*", float: "float*", complex: "complex*"}[
        int if isinstance(value, int) else float if isinstance(value, float) else complex
    ]


def _reachable(node: str) -> set[str]:
    seen = {node}
    todo = [node]
    while todo:
        for parent in _LATTICE[todo.pop()]:
            if parent not in seen:
                seen.add(parent)
                todo.append(parent)
    return seen


_UPPER = {node: frozenset(_reachable(node)) for node in _LATTICE}


@lru_cache(maxsize=4096)
def _join(nodes: frozenset[str]) -> str:
    common = frozenset.intersection(*(_UPPER[node] for node in nodes))
    return next(node for node in common if common <= _UPPER[node])


_WEAK_TYPES = {int: "int*", float: "float*", complex: "complex*"}


def _place(dtype: Any) -> str:
    """The place in the lattice of whatever names a dtype; Python's own types are weak."""
    if isinstance(dtype, str) and dtype in _LATTICE:
        return dtype
    if isinstance(dtype, type) and dtype in _WEAK_TYPES:
        return _WEAK_TYPES[dtype]
    return standardize_dtype(dtype)


def result_type(*dtypes: Any, floatx: str | None = None) -> str:
    """Return the dtype of an operation on operands of these dtypes.

    Args:
        *dtypes: names from `ALL`, or weak kinds as `weak` gives them; also what `standardize_dtype` takes, and the
            types `int`, `float` and `complex`, which are weak.
        floatx: the dtype that a weak float becomes; the configured one by default.

    Returns:
        The least dtype that all operands promote to; the default dtype of its kind where only Python scalars
        took part.

    Raises:
        ValueError: there are no operands.

    Example:
        >>> result_type("int32", "float16")
        'float16'
        >>> result_type("uint8", "int8")
        'int16'
    """
    if not dtypes:
        raise ValueError("result_type needs at least one dtype.")
    try:
        node = _join(frozenset(dtypes))
    except KeyError:  # not all are names
        node = _join(frozenset(map(_place, dtypes)))
    if node == "int*":
        return "int32"
    if node == "float*":
        return floatx or config.floatx()
    if node == "complex*":
        return "complex64"
    return node


def float_type(dtype: str) -> str:
    """Return `dtype` where it is inexact, else the default float dtype: the result of `exp` on such an operand."""
    return dtype if dtype in FLOATS or dtype in COMPLEX else config.floatx()


def sum_type(dtype: str) -> str:
    """Return the dtype in which `sum` and `prod` of `dtype` accumulate: 32 bits at least for integers."""
    if dtype in ("bool", "int8", "int16"):
        return "int32"
    return "uint32" if dtype in ("uint8", "uint16") else dtype


def number_type(dtype: str) -> str:
    """Return `dtype`, or int32 where it is bool: the result of `cumsum` or `power` on such an operand."""
    return "int32" if dtype == "bool" else dtype


def eps(dtype: str) -> float:
    """Return the distance from 1 to the next larger number of a float or complex dtype."""
    digits = {"float16": 10, "bfloat16": 7, "float32": 23, "complex64": 23, "float64": 52, "complex128": 52}
    return 2.0 ** -digits[dtype]


def bits(dtype: str) -> int:
    """Return how many bits an element of an integer, float or complex dtype takes; 8 for bool."""
    return int("".join(c for c in dtype.removeprefix("b") if c.isdigit()) or 8)


def limits(dtype: str) -> tuple[float, float]:
    """Return the lowest and the highest finite number of a real dtype; ints for integers.

    Example:
        >>> limits("int8")
        (-128, 127)
    """
    if dtype == "bool":
        return 0, 1
    if is_int(dtype):
        bits = int(dtype.lstrip("uint"))
        return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    exponent = {"float16": 15, "float64": 1023}.get(dtype, 127)
    highest = (2.0 - eps(dtype)) * 2.0**exponent
    return -highest, highest


def float8_info(dtype: str) -> Any:
    """Return what `ml_dtypes.finfo` says of an 8-bit float dtype: `max`, `smallest_normal`, `nmant`."""
    import ml_dtypes  # not above: importing release 0.7 takes a quarter of a second

    return ml_dtypes.finfo(dtype)


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """Return the NumPy dtype of a name.

    Raises:
        TypeError: for `"bfloat16"`, which NumPy has not, unless `ml_dtypes` is installed.
    """
    if dtype == "bfloat16":
        try:
            import ml_dtypes
        except ImportError:
            raise TypeError(
                "NumPy has no bfloat16. Install ml_dtypes, which polykeras requires, or use float32."
            ) from None
        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(dtype)


def nbytes(shape: Iterable[int], dtype: str) -> int:
    """Return how many bytes the numbers of an array take."""
    return math.prod(shape) * numpy_dtype(dtype).itemsize
