"""Dtypes of results: the frozen table of Keras 3, and the ops on every backend against `polykeras.dtypes`."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from helpers.runner import ONE_FUNCTION, public
from known_differences import known
from polykeras import dtypes
from polykeras.backend import Backend
from polykeras.backend.spec import OpSpec

SHORT = {
    "b": "bool", "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "f16": "float16", "bf": "bfloat16", "f32": "float32", "f64": "float64",
    "c64": "complex64", "c128": "complex128", "int": "int*", "float": "float*", "complex": "complex*",
}  # fmt: skip

# keras.backend.result_type of Keras 3.15.1 on JAX, row by column. Keras narrows every 64-bit result to 32 bits at the
# end; that step is left to the backends here, so a 64-bit result of ours is narrowed before it is compared.
KERAS = """
       b    u8   u16  u32  u64  i8   i16  i32  i64  f16  bf   f32  f64  c64  c128 int  float complex
b      b    u8   u16  u32  u32  i8   i16  i32  i32  f16  bf   f32  f32  c64  c64  i32  f32  c64
u8     u8   u8   u16  u32  u32  i16  i16  i32  i32  f16  bf   f32  f32  c64  c64  u8   f32  c64
u16    u16  u16  u16  u32  u32  i32  i32  i32  i32  f16  bf   f32  f32  c64  c64  u16  f32  c64
u32    u32  u32  u32  u32  u32  i32  i32  i32  i32  f16  bf   f32  f32  c64  c64  u32  f32  c64
u64    u32  u32  u32  u32  u32  f32  f32  f32  f32  f16  bf   f32  f32  c64  c64  u32  f32  c64
i8     i8   i16  i32  i32  f32  i8   i16  i32  i32  f16  bf   f32  f32  c64  c64  i8   f32  c64
i16    i16  i16  i32  i32  f32  i16  i16  i32  i32  f16  bf   f32  f32  c64  c64  i16  f32  c64
i32    i32  i32  i32  i32  f32  i32  i32  i32  i32  f16  bf   f32  f32  c64  c64  i32  f32  c64
i64    i32  i32  i32  i32  f32  i32  i32  i32  i32  f16  bf   f32  f32  c64  c64  i32  f32  c64
f16    f16  f16  f16  f16  f16  f16  f16  f16  f16  f16  f32  f32  f32  c64  c64  f16  f16  c64
bf     bf   bf   bf   bf   bf   bf   bf   bf   bf   f32  bf   f32  f32  c64  c64  bf   bf   c64
f32    f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  c64  c64  f32  f32  c64
f64    f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  c64  c64  f32  f32  c64
c64    c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64
c128   c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64
int    i32  u8   u16  u32  u32  i8   i16  i32  i32  f16  bf   f32  f32  c64  c64  i32  f32  c64
float  f32  f32  f32  f32  f32  f32  f32  f32  f32  f16  bf   f32  f32  c64  c64  f32  f32  c64
complex c64 c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64
"""


def keras_table() -> Iterator[tuple[str, str, str]]:
    """Yield `(row, column, result)`."""
    header, *rows = [line.split() for line in KERAS.strip().splitlines()]
    for row, *results in rows:
        for column, result in zip(header, results, strict=True):
            yield SHORT[row], SHORT[column], SHORT[result]


def test_the_table_is_whole() -> None:
    assert len(list(keras_table())) == len(SHORT) ** 2


@pytest.mark.parametrize(("left", "right", "expected"), list(keras_table()))
def test_result_type_is_that_of_keras(left: str, right: str, expected: str) -> None:
    result = dtypes.result_type(left, right)
    assert dtypes.NARROWER.get(result, result) == expected


def available(backend: Backend) -> list[str]:
    """Return the dtypes that arrays of a backend may have."""
    return [dtype for dtype in dtypes.ALL if dtype not in backend.unsupported_dtypes]


def landed(backend: Backend, dtype: str) -> str:
    """Return what a result of `dtype` is on `backend`: where it lacks 64-bit dtypes, the 32-bit one of the kind."""
    return dtypes.NARROWER.get(dtype, dtype) if dtype in backend.unsupported_dtypes else dtype


def ones(backend: Backend, dtype: str) -> Any:
    """Return a vector of ones."""
    return backend.asarray(np.ones(2, dtypes.numpy_dtype(dtype)), dtype)


REAL = frozenset(d for d in dtypes.ALL if not dtypes.is_complex(d))
WHOLE = frozenset((*dtypes.INTEGERS, "bool"))
NUMBERS = frozenset(d for d in dtypes.ALL if d != "bool")
ANY = frozenset(dtypes.ALL)


def common(*operands: str) -> str:
    return dtypes.result_type(*operands)


def number(*operands: str) -> str:
    return dtypes.number_type(dtypes.result_type(*operands))


def floating(*operands: str) -> str:
    return dtypes.float_type(dtypes.result_type(*operands))


def boolean(*operands: str) -> str:
    return "bool"


Rule = Callable[..., str]
BINARY: dict[str, tuple[frozenset[str], Rule, Callable[[Any, Any, Any], Any]]] = {
    "add": (ANY, common, lambda f, x, y: f(x, y)),
    "subtract": (NUMBERS, common, lambda f, x, y: f(x, y)),
    "multiply": (ANY, common, lambda f, x, y: f(x, y)),
    "divide": (ANY, floating, lambda f, x, y: f(x, y)),
    "power": (ANY, number, lambda f, x, y: f(x, y)),
    "floor_divide": (REAL, number, lambda f, x, y: f(x, y)),
    "maximum": (REAL, common, lambda f, x, y: f(x, y)),
    "arctan2": (REAL, floating, lambda f, x, y: f(x, y)),
    "equal": (ANY, boolean, lambda f, x, y: f(x, y)),
    "less": (REAL, boolean, lambda f, x, y: f(x, y)),
    "bitwise_xor": (WHOLE, common, lambda f, x, y: f(x, y)),
    "where": (ANY, common, lambda f, x, y: f(np.array([True, False]), x, y)),
    "concatenate": (ANY, common, lambda f, x, y: f([x, y])),
    "stack": (ANY, common, lambda f, x, y: f([x, y])),
}
SCALARS = {True: "bool", 2: "int*", 0.5: "float*", 1j: "complex*"}
TAKES_SCALARS = sorted(set(BINARY) - {"concatenate", "stack"})


def _mismatches(backend: Backend, op: str, pairs: list[tuple[str, str, Any, Any]]) -> list[str]:
    allowed, rule, call = BINARY[op]
    wrong = []
    for left, right, x, y in pairs:
        if dtypes.result_type(left, right) not in allowed:
            continue
        expected = landed(backend, rule(left, right))
        try:
            got = backend.dtype(call(public(op), x, y))
        except Exception as error:
            got = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        if (got != expected) != bool(known(backend.name, f"{op}:{left},{right}", "dtype")):
            wrong.append(f"{op}({left}, {right}): {got}, expected {expected}")
    return wrong


def _found_by(backend: Backend, look: Callable[[], list[str]]) -> list[str]:
    """Return what `look` finds. Where eager ops are programs of their own, they are traced: that tells their dtypes."""
    if backend.name not in ONE_FUNCTION:
        return look()
    found: list[list[str]] = []

    def traced(x: Any) -> Any:
        found.append(look())
        return x

    backend.compile(traced)(ones(backend, "float32"))
    return found[0]


@pytest.mark.parametrize("op", BINARY)
def test_pairs_of_arrays(op: str, backend: Backend) -> None:
    arrays = {dtype: ones(backend, dtype) for dtype in available(backend)}
    pairs = [(a, b, arrays[a], arrays[b]) for a, b in itertools.product(arrays, repeat=2)]
    assert _found_by(backend, lambda: _mismatches(backend, op, pairs)) == []


@pytest.mark.parametrize("op", TAKES_SCALARS)
def test_arrays_with_python_scalars(op: str, backend: Backend) -> None:
    arrays = {dtype: ones(backend, dtype) for dtype in available(backend)}
    pairs = [(a, weak, arrays[a], s) for (a, (s, weak)) in itertools.product(arrays, SCALARS.items())]
    pairs += [(weak, a, s, x) for a, weak, x, s in pairs]
    assert _found_by(backend, lambda: _mismatches(backend, op, pairs)) == []


UNARY: dict[str, tuple[frozenset[str], Rule]] = {
    "abs": (REAL - {"bool"}, common),
    "negative": (NUMBERS - set(dtypes.UNSIGNED), common),
    "square": (NUMBERS, common),
    "floor": (REAL, floating),
    "ceil": (REAL, floating),
    "round": (REAL - {"bool"}, common),
    "exp": (ANY, floating),
    "log": (ANY, floating),
    "sqrt": (ANY, floating),
    "tanh": (ANY, floating),
    "sin": (ANY, floating),
    "expm1": (REAL, floating),
    "log1p": (REAL, floating),
    "erf": (REAL, floating),
    "sigmoid": (REAL, floating),
    "mean": (ANY, floating),
    "var": (REAL, floating),
    "logsumexp": (REAL, floating),
    "softmax": (REAL, floating),
    "sum": (ANY, dtypes.sum_type),
    "prod": (ANY, dtypes.sum_type),
    "cumsum": (ANY, dtypes.number_type),
    "cumprod": (ANY, dtypes.number_type),
    "max": (REAL, common),
    "sort": (REAL, common),
    "flip": (ANY, common),
    "reshape": (ANY, common),
    "zeros_like": (ANY, common),
    "any": (ANY, boolean),
    "isnan": (ANY, boolean),
    "isfinite": (ANY, boolean),
    "logical_not": (ANY, boolean),
    "argmax": (REAL, lambda _: "int32"),
    "argsort": (REAL, lambda _: "int32"),
}


def _mismatches_of_one(backend: Backend, op: str) -> list[str]:
    allowed, rule = UNARY[op]
    wrong = []
    for dtype in available(backend):
        if dtype not in allowed:
            continue
        expected = landed(backend, rule(dtype))
        args = (ones(backend, dtype), *((-1,) if op == "reshape" else ()))
        try:
            got = backend.dtype(public(op)(*args))
        except Exception as error:
            got = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        if (got != expected) != bool(known(backend.name, f"{op}:{dtype}", "dtype")):
            wrong.append(f"{op}({dtype}): {got}, expected {expected}")
    return wrong


@pytest.mark.parametrize("op", UNARY)
def test_one_array(op: str, backend: Backend) -> None:
    assert _found_by(backend, lambda: _mismatches_of_one(backend, op)) == []


@pytest.mark.parametrize("source", dtypes.ALL)
def test_cast(source: str, backend: Backend) -> None:
    if source in backend.unsupported_dtypes:
        with pytest.raises(TypeError):
            backend.asarray([1.0], source)
        return
    for target in dtypes.ALL:
        if target in backend.unsupported_dtypes:
            with pytest.raises(TypeError):
                backend.cast(ones(backend, source), target)
            continue
        x = backend.cast(ones(backend, source), target)
        assert backend.dtype(x) == target
        np.testing.assert_array_equal(backend.to_numpy(x).astype(complex), np.ones(2), err_msg=target)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(True, "bool"), (1, "int32"), (1.0, "float32"), ([1, 2], "int32"), ([1.0, 2], "float32"), ([True], "bool"),
     (np.zeros(2, "int8"), "int8"), (np.zeros(2, "float16"), "float16"), (np.float32(1), "float32")],
)  # fmt: skip
def test_dtype_of_converted_values(value: Any, dtype: str, backend: Backend) -> None:
    assert backend.dtype(backend.asarray(value)) == dtype


NO_OP = OpSpec((), "keep", (), (), required=False)
INDEXED = sorted(name for name, method in inspect.getmembers(Backend) if getattr(method, "__op__", NO_OP).indices)


@pytest.mark.parametrize("name", INDEXED)
def test_indices_are_integers(name: str, backend: Backend) -> None:
    """PyTorch and TensorFlow would cut floats without a word."""
    spec = getattr(Backend, name).__op__
    needed = [p.name for p in inspect.signature(public(name)).parameters.values() if p.default is p.empty]
    given = {n: np.ones((2, 2), "float32") if n in spec.converted else (2, 2) for n in needed}
    with pytest.raises(TypeError, match=f"`{spec.indices[0]}` must be integers; received float32"):
        public(name)(**given)
