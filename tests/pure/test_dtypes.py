"""Dtypes by name, and the laws of the promotion lattice. The table itself is frozen in `contract/test_promotion.py`."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polykeras import config, dtypes

ANY = st.sampled_from([*dtypes.ALL, "int*", "float*", "complex*"])


class _Printed:
    """A framework's dtype that has no name, only a printed form."""

    def __str__(self) -> str:
        return "torch.bfloat16"


@pytest.mark.parametrize(
    ("given_dtype", "name"),
    [
        ("float16", "float16"),
        (None, "float32"),
        ("float", "float32"),
        ("int", "int32"),
        ("half", "float16"),
        ("double", "float64"),
        ("long", "int64"),
        (bool, "bool"),
        (int, "int32"),
        (float, "float32"),
        (complex, "complex64"),
        (np.float64, "float64"),
        (np.dtype("uint8"), "uint8"),
        (np.dtype(bool), "bool"),
        (np.dtype(int), "int64"),
        (np.dtype(float), "float64"),
        (np.dtype(complex), "complex128"),
        (np.bool_, "bool"),
        (np.dtype(ml_dtypes.bfloat16), "bfloat16"),
        (ml_dtypes.bfloat16, "bfloat16"),
        (SimpleNamespace(name="int16"), "int16"),
        (_Printed(), "bfloat16"),
    ],
)
def test_standardize(given_dtype: Any, name: str) -> None:
    assert dtypes.standardize_dtype(given_dtype) == name


@pytest.mark.parametrize("bad", ["float8", "", "Float32", "str", np.dtype("U3"), object()])
def test_standardize_refuses(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"Unknown dtype .* Expected one of bool, uint8"):
        dtypes.standardize_dtype(bad)


def test_default_float_follows_floatx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings(), "floatx", "float16")
    assert dtypes.standardize_dtype(None) == "float16"
    assert dtypes.standardize_dtype("float") == "float16"
    assert dtypes.standardize_dtype(float) == "float16"
    assert dtypes.result_type("float*", "int32") == "float16"
    assert dtypes.float_type("int8") == "float16"
    assert dtypes.result_type("float*", floatx="float64") == "float64"


@pytest.mark.parametrize(("value", "kind"), [(True, "bool"), (1, "int*"), (1.0, "float*"), (1j, "complex*")])
def test_weak(value: Any, kind: str) -> None:
    assert dtypes.weak(value) == kind


def test_a_numpy_float_is_weak_as_a_python_float() -> None:
    assert dtypes.weak(np.float64(1.0)) == "float*"  # it is a subclass of float


@pytest.mark.parametrize("dtype", dtypes.ALL)
def test_classes_of_dtypes(dtype: str) -> None:
    kind = dtypes.numpy_dtype(dtype).kind
    assert dtypes.is_float(dtype) == (dtype in ("float16", "bfloat16", "float32", "float64"))
    assert dtypes.is_int(dtype) == (kind in "iu")
    assert dtypes.is_complex(dtype) == (kind == "c")
    assert dtypes.standardize_dtype(dtypes.numpy_dtype(dtype)) == dtype
    assert dtypes.float_type(dtype) == ("float32" if kind in "biu" else dtype)
    assert dtypes.numpy_dtype(dtype).name == dtype


@pytest.mark.parametrize("dtype", dtypes.ALL)
def test_sum_type_is_that_of_32_bit_numpy(dtype: str) -> None:
    expected = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}
    assert dtypes.sum_type(dtype) == expected.get(dtype, dtype)


def test_result_type_needs_an_operand() -> None:
    with pytest.raises(ValueError, match="at least one dtype"):
        dtypes.result_type()


@given(ANY, ANY)
def test_commutes(a: str, b: str) -> None:
    assert dtypes.result_type(a, b) == dtypes.result_type(b, a)


def test_associates_but_for_uint64_beside_signed_integers() -> None:
    # Those two meet in the weak float, which becomes the default float once it is a result; JAX does the same.
    odd = set()
    for a, b, c in itertools.product(dtypes.ALL, repeat=3):
        left = dtypes.result_type(dtypes.result_type(a, b), c)
        right = dtypes.result_type(a, dtypes.result_type(b, c))
        if not left == right == dtypes.result_type(a, b, c):
            odd.add(frozenset((a, b, c)))
    expected = itertools.product(["uint64"], dtypes.SIGNED, ["float16", "bfloat16"])
    assert odd == {frozenset(names) for names in expected}


@pytest.mark.parametrize("dtype", dtypes.ALL)
def test_idempotent_and_bool_is_least(dtype: str) -> None:
    assert dtypes.result_type(dtype) == dtypes.result_type(dtype, dtype) == dtype
    assert dtypes.result_type(dtype, "bool") == dtype


@pytest.mark.parametrize("dtype", dtypes.ALL)
def test_a_python_scalar_of_the_same_kind_never_widens(dtype: str) -> None:
    if dtype != "bool":
        assert dtypes.result_type(dtype, "int*") == dtype
    if not dtypes.is_int(dtype) and dtype != "bool":
        assert dtypes.result_type(dtype, "float*") == dtype
    else:
        assert dtypes.result_type(dtype, "float*") == "float32"


@given(ANY, ANY)
def test_a_float_beats_an_integer_of_any_width(a: str, b: str) -> None:
    if dtypes.is_float(a) and dtypes.is_int(b):
        assert dtypes.result_type(a, b) == a
