"""The numpy backend alone: it is the reference, so its own are NumPy, SciPy and central differences in float64."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

from helpers.slopes import assert_slopes
from polykeras.backend import Backend, registry

pytestmark = pytest.mark.cpu_only("NumPy alone")

B: Backend = registry.load("numpy")
HARD = np.array([-np.inf, -1e4, -88.0, -1.5, -0.5, -1e-30, -0.0, 0.0, 1e-30, 0.5, 1.5, 2.5, 88.0, 1e4, np.inf, np.nan])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return rng(seed).standard_normal(shape)


def positive_definite(*shape: int) -> np.ndarray:
    x = normal(*shape)
    return x @ np.swapaxes(x, -1, -2) + np.diag(np.arange(1.0, shape[-1] + 1))


def apart(*shape: int) -> np.ndarray:
    """Return distinct numbers in random order, no two nearer than 0.5."""
    size = int(np.prod(shape))
    return rng().permutation(size).reshape(shape) * 0.5 - size / 4


# ---- elementwise -------------------------------------------------------------------------------------------------

UNARY: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "negative": np.negative, "floor": np.floor, "round": np.round, "exp": np.exp, "expm1": np.expm1,
    "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
    "erf": scipy.special.erf, "erfinv": scipy.special.erfinv, "real": np.real, "imag": np.imag,
}  # fmt: skip
BINARY: dict[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in (
        "add",
        "subtract",
        "multiply",
        "divide",
        "floor_divide",
        "power",
        "maximum",
        "minimum",
        "arctan2",
        "equal",
        "less",
    )
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNARY)
def test_one_argument_at_hard_points(name: str, dtype: str) -> None:
    x = HARD.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = getattr(B, name)(x)
    with np.errstate(all="ignore"):
        want = UNARY[name](x)
    assert got.dtype == dtype
    assert_allclose(got, want, rtol=4 * np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BINARY)
def test_two_arguments_at_hard_points(name: str, dtype: str) -> None:
    x, y = HARD.astype(dtype)[:, None], HARD.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = getattr(B, name)(x, y)
        scalars = [getattr(B, name)(x, 2.0), getattr(B, name)(0.5, y)]
    with np.errstate(all="ignore"):
        want = BINARY[name](x, y)
    assert got.dtype == want.dtype
    assert [s.dtype for s in scalars] == [want.dtype] * 2
    assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_and_its_inverse_are_accurate_everywhere(dtype: str) -> None:
    eps = np.finfo(dtype).eps
    tiny = -300 if dtype == "float64" else -37
    x = np.concatenate([np.linspace(-7, 7, 20001), np.logspace(tiny, 1, 2000)]).astype(dtype)
    assert_allclose(B.erf(x), scipy.special.erf(x.astype("float64")), rtol=4 * eps)
    y = np.concatenate([np.linspace(-1, 1, 20001), 1 - np.logspace(-16, -1, 500), np.logspace(tiny, -1, 500)])
    y = y.astype(dtype)
    assert_allclose(B.erfinv(y), scipy.special.erfinv(y.astype("float64")), rtol=4 * eps)


def test_integers() -> None:
    x, y = np.array([7, -7, 2**31 - 1], "int32"), np.array([2, 2, 3], "int32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_array_equal(B.multiply(x, y), [14, -14, 2**31 - 3])
        assert_array_equal(B.multiply(x[2], y[2]), 2**31 - 3)  # scalars wrap around as well, without a warning
        assert_array_equal(B.floor_divide(x, y), [3, -4, (2**31 - 1) // 3])
        assert_array_equal(B.right_shift(x, y), [1, -2, (2**31 - 1) >> 3])
    assert_array_equal(B.left_shift(y, y), [8, 8, 24])
    assert_array_equal(B.bitwise_xor(x, y), np.bitwise_xor(x, y))
    assert_array_equal(B.add(np.array([True, True]), np.array([True, False])), [True, True])


def test_complex_numbers() -> None:
    z = B.complex(np.array([3.0, np.inf], "float32"), np.array([4.0, 1.0], "float32"))
    assert z.dtype == "complex64"
    assert_array_equal(z, np.array([3 + 4j, complex(np.inf, 1)], "complex64"))
    assert_array_equal(B.abs(z), np.array([5, np.inf], "float32"))
    assert B.cast(z, "float32").dtype == "float32"


def test_reductions_keep_or_widen_dtypes() -> None:
    small = np.array([[100, 100, 100]], "int8")
    assert B.sum(small).dtype == "int32"
    assert B.sum(small) == 300
    assert B.prod(np.array([200, 2], "uint8")).dtype == "uint32"
    assert B.sum(np.array([True, True])).dtype == "int32"
    half = np.full(4096, 1.0, "float16")
    assert B.sum(half).dtype == "float16"
    assert B.sum(half) == 4096  # float16 alone would stop at 2048
    assert B.cumsum(small).dtype == "int8"  # as in Keras
    assert_array_equal(B.cumsum(small, 1, "float32"), np.array([[100, 200, 300]], "float32"))
    assert B.argmax(small).dtype == "int32"
    assert B.argmax(np.array([1.0, np.nan, 2.0])) == 1
    assert np.isnan(B.max(np.array([1.0, np.nan])))
    assert B.max(np.zeros(0, "float32"), initial=-2.0) == -2


def test_linear_algebra_gives_the_factors_of_scipy() -> None:
    x = normal(2, 4, 3).astype("float32")
    lu, pivots = B.lu_factor(x[:, :3])
    for i in range(2):
        want_lu, want_pivots = scipy.linalg.lu_factor(x[i, :3])
        assert_allclose(lu[i], want_lu, rtol=1e-5, atol=1e-6)
        assert_array_equal(pivots[i], want_pivots)
    assert (lu.dtype, pivots.dtype) == ("float32", "int32")
    q, r = B.qr(x, "complete")
    assert q.shape == (2, 4, 4)
    assert_allclose(q @ r, x, atol=1e-5)
    u, s, vh = B.svd(x)
    assert_allclose(u[..., :3] * s[:, None] @ vh, x, atol=1e-5)
    triangle = np.array([[2.0, np.nan], [3.0, 4.0]])  # the other half is not read
    assert_allclose(B.solve_triangular(triangle, np.array([2.0, 11.0]), lower=True), [1, 2])
    with pytest.raises(ValueError, match="not positive definite"):
        B.cholesky(-np.eye(3))
    with pytest.raises(ValueError, match="singular"):
        B.solve(np.zeros((2, 2)), np.ones(2))


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "bij,bjk", "...ij,...jk->...ik", "ii->i", "ij->", "i,j,k->kij"])
def test_einsum_is_that_of_numpy(subscripts: str) -> None:
    shapes = {"ij,jk->ik": ((2, 3), (3, 4)), "bij,bjk": ((2, 3, 4), (2, 4, 2)), "ii->i": ((3, 3),), "ij->": ((2, 3),),
              "...ij,...jk->...ik": ((5, 1, 2, 3), (4, 3, 2)), "i,j,k->kij": ((2,), (3,), (4,))}  # fmt: skip
    operands = [normal(*shape, seed=i).astype("float32") for i, shape in enumerate(shapes[subscripts])]
    got = B.einsum(subscripts, *operands)
    assert got.dtype == "float32"
    assert_allclose(got, np.einsum(subscripts, *operands), rtol=1e-5, atol=1e-6)


def test_einsum_says_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="names 2 operands; received 1"):
        B.einsum("ij,jk", np.ones((2, 2)))
    with pytest.raises(ValueError, match="gives 2 axes to an operand of 3 axes"):
        B.einsum("ij", np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="in the result that no operand has"):
        B.einsum("ij->ik", np.ones((2, 2)))


def test_an_index_out_of_range_is_an_error() -> None:
    x = np.arange(6.0).reshape(2, 3)
    with pytest.raises(IndexError):
        B.take(x, np.array([3]), 1)
    with pytest.raises(IndexError):
        B.scatter_reduce(x, np.array([[2]]), np.ones((1, 3)))


@pytest.mark.parametrize("reduction", ["set", "add", "max", "min", "mul"])
def test_scatter_reduce(reduction: Any) -> None:
    x, values = np.array([1.0, 2.0, 3.0]), np.array([5.0, -1.0, 4.0])
    want = {"set": [1, 4, -1], "add": [1, 11, 2], "max": [1, 5, 3], "min": [1, 2, -1], "mul": [1, 40, -3]}
    assert_array_equal(B.scatter_reduce(x, np.array([[1], [-1], [1]]), values, reduction), want[reduction])
    assert_array_equal(x, [1, 2, 3])


def test_blocks_that_stick_out_move_inward() -> None:
    x = np.arange(12.0).reshape(3, 4)
    assert_array_equal(B.dynamic_slice(x, np.array([2, -1]), (2, 2)), x[1:3, 2:4])
    assert_array_equal(B.dynamic_update_slice(x, np.array([5, 0]), np.zeros((1, 2)))[2], [0, 0, 10, 11])


@dataclass(frozen=True)
class Smooth:
    """A function whose first and second derivatives are compared with slopes."""

    id: str
    fn: Callable[..., Any]
    args: tuple[np.ndarray, ...]


def smooth(id: str, fn: Callable[..., Any], *args: np.ndarray) -> Smooth:
    return Smooth(id, fn, args)


P = np.array([0.3, 1.2, 2.5, 4.1])
Q = np.array([[-1.3], [0.4], [1.7]])
ELEMENTWISE = [
    *(smooth(name, getattr(B, name), P) for name in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh")),
    smooth("abs", B.abs, P - 2),
    smooth("negative", B.negative, P),
    smooth("erf", B.erf, np.array([-4.5, -2.0, -0.3, 0.0, 0.2, 0.46875, 1.0, 3.0])),
    smooth("erfinv", B.erfinv, np.array([-0.9, -0.3, 0.0, 0.2, 0.7, 0.8])),
    *(smooth(name, getattr(B, name), P, Q) for name in ("add", "subtract", "multiply", "divide", "arctan2")),
    *(smooth(f"{name} twice", lambda x, n=name: getattr(B, n)(x, x), P) for name in ("add", "subtract", "multiply")),
    smooth("power", B.power, P, Q),
    *(smooth(f"power {n}", lambda x, n=n: B.power(x, n), P - 2) for n in (0, 1, 2, 3, -1, 2.0)),
    smooth("power 0.5", lambda x: B.power(x, 0.5), P),
    smooth("scalar power", lambda x: B.power(2.5, x), P),
    smooth("maximum", B.maximum, P, Q),
    smooth("minimum", B.minimum, P, Q),
    smooth("maximum scalar", lambda x: B.square(B.maximum(x, 1.0)), P),
    smooth("where", lambda x, y: B.where(np.array([True, False, True, False]), B.square(x), B.exp(y)), P, Q),
    smooth("where scalar", lambda x: B.where(x < 2, x * x, 0.0), P),
    smooth("complex abs", lambda x, y: B.abs(B.complex(x, y)), P, P[::-1]),
    smooth("complex product", lambda x, y: B.imag(B.square(B.complex(x, y)) * (1 + 2j)), P, Q),
    smooth("complex division", lambda x, y: B.real(B.divide(B.complex(x, y), B.complex(y, x + 1))), P, Q),
    smooth("complex exp", lambda x, y: B.abs(B.exp(B.complex(x, y)) + B.complex(y, x)), P, Q),
    smooth("cast", lambda x: B.square(B.cast(B.cast(x, "complex128"), "float64")), P),
    smooth("operators", lambda x, y: (2.0 - x) * y / (x**2 + 1.0) + -x - 3 * y, P, Q),
    smooth("stop_gradient", lambda x: x * B.stop_gradient(np.array(2.0)), P),
]

S = apart(3, 4)
SHAPES = [
    smooth("reshape", lambda x: B.square(B.reshape(x, (2, -1))), S),
    smooth("transpose", lambda x: B.square(B.transpose(x)) * normal(4, 3), S),
    smooth("transpose axes", lambda x: B.transpose(x, (2, 0, -2)) * normal(4, 2, 3), normal(2, 3, 4)),
    smooth("broadcast_to", lambda x: B.square(B.broadcast_to(x, (2, 3, 4))) * normal(2, 3, 4), normal(3, 1)),
    smooth("concatenate", lambda x, y: B.square(B.concatenate([x, y, x], -1)) * normal(3, 10), S, normal(3, 2)),
    smooth("stack", lambda x, y: B.square(B.stack([x, y], -1)) * normal(3, 4, 2), S, normal(3, 4)),
    smooth("constant_pad", lambda x: B.square(B.constant_pad(x, ((1, 0), (2, 3)), 5.0)) * normal(4, 9), S),
    smooth("flip", lambda x: B.square(B.flip(x, (0, 1))) * normal(3, 4), S),
    smooth("flip all", lambda x: B.flip(x) * normal(3, 4), S),
    smooth("strided_slice", lambda x: B.square(B.strided_slice(x, (1, 0), (3, 4), (1, 2))), S),
    smooth("slices", lambda x: x[0] * x[-1] + x[1, 2] * x[..., :1, :].sum(), S),
    smooth("index array", lambda x: B.square(x[np.array([0, 0, 2])]) * normal(3, 4), S),
]
REDUCTIONS = [
    smooth("sum", lambda x: B.square(B.sum(x)), S),
    smooth("sum axis", lambda x: B.square(B.sum(x, -1, True)), S),
    smooth("sum axes", lambda x: B.square(B.sum(x, (0, 2))), normal(2, 3, 4)),
    smooth("sum of nothing", lambda x: B.sum(B.square(x), ()), S),
    smooth("mean", lambda x: B.square(B.mean(x, 0)), S),
    smooth("var", lambda x: B.var(x, 1), S),
    smooth("prod", B.prod, normal(5)),
    smooth("prod axis", lambda x: B.prod(x, (0, -1), True), normal(3, 2, 3)),
    smooth("prod with a zero", B.prod, np.array([2.0, 0.0, 3.0])),
    smooth("prod with zeros", lambda x: B.prod(x, 1), np.array([[2.0, 0.0, 3.0, 0.0], [1.0, 0.0, 2.0, 3.0]])),
    smooth("max", lambda x: B.square(B.max(x, 1)), S),
    smooth("max axes", lambda x: B.square(B.max(x, (0, 1), keepdims=True)), S),
    smooth("max initial", lambda x: B.square(B.max(x, 1, initial=1.1)), S),
    smooth("min", lambda x: B.square(B.min(x, -2)), S),
    smooth("cumsum", lambda x: B.square(B.cumsum(x, -1)) * normal(3, 4), S),
    smooth("cumsum flat", lambda x: B.square(B.cumsum(x)), S),
    smooth("cumprod", lambda x: B.cumprod(x, 0) * normal(3, 4), normal(3, 4)),
    smooth("cumprod with zeros", lambda x: B.cumprod(x) * normal(5), np.array([2.0, 0.0, 3.0, 0.0, 1.5])),
    smooth("logsumexp", lambda x: B.logsumexp(x, 1), S),
    smooth("softmax", lambda x: B.softmax(x, -1) * normal(3, 4), S),
]
IDX = np.array([[2, 0], [2, -1]])
INDEXING = [
    smooth("take", lambda x: B.square(B.take(x, IDX, 1)) * normal(3, 2, 2), S),
    smooth("take rows", lambda x: B.take(x, np.array([1, 1, 0, 1]), 0) ** 2 * normal(4, 4), S),
    smooth("take one", lambda x: B.square(B.take(x, np.array(2), 0)), S),
    smooth("take flat", lambda x: B.square(B.take(x, IDX)) * normal(2, 2), S),
    smooth("take nothing", lambda x: B.sum(B.take(x, np.zeros(0, "int32"), 0)) + B.sum(x * x), S),
    smooth("take_along_axis", lambda x: B.take_along_axis(x, np.array([[0, 3, 3]]), 1) ** 2 * normal(3, 3), S),
    smooth("take_along_axis flat", lambda x: B.square(B.take_along_axis(x, np.array([5, 5, 0]))), S),
    smooth("sort", lambda x: B.square(B.sort(x, 0)) * normal(3, 4), S),
    smooth("sort flat", lambda x: B.sort(x, None) * normal(12), S),
    smooth(
        "scatter add", lambda x, v: B.square(B.scatter_reduce(x, np.array([[1], [1], [0]]), v, "add")), S, normal(3, 4)
    ),
    smooth(
        "scatter set", lambda x, v: B.square(B.scatter_reduce(x, np.array([[1, 0], [2, -1]]), v, "set")), S, normal(2)
    ),
    smooth("scatter set over", lambda x, v: B.scatter_reduce(x, np.array([[1], [1]]), v, "set") ** 2, S, normal(2, 4)),
    smooth("dynamic_slice", lambda x: B.square(B.dynamic_slice(x, np.array([2, 1]), (2, 2))), S),
    smooth(
        "dynamic_update_slice", lambda x, v: B.square(B.dynamic_update_slice(x, np.array([1, 1]), v)), S, normal(2, 2)
    ),
]
EINSUMS = {
    "ij,jk->ik": ((3, 4), (4, 2)), "bij,bjk->bik": ((2, 3, 4), (2, 4, 2)), "...ij,...jk": ((2, 3, 4), (1, 4, 2)),
    "ij,kj": ((3, 4), (2, 4)), "ii": ((3, 3),), "iij->ji": ((3, 3, 2),), "ijk->": ((2, 3, 2),), "i,j->ij": ((3,), (2,)),
    "bqhd,bkhd->bhqk": ((2, 3, 2, 4), (2, 5, 2, 4)), "ij,jk,kl->il": ((2, 3), (3, 4), (4, 2)), "i,i->": ((4,), (4,)),
    "ij,ij->ij": ((2, 3), (2, 3)), "ij,kl->ik": ((2, 3), (4, 2)), "ij,ji->": ((2, 3), (3, 2)), "b...,b...->...": (
        (3, 2, 2), (3, 2)), "i...->...": ((2, 3),), "ij->ji": ((2, 3),), ",i->i": ((), (3,)),
}  # fmt: skip
A4 = normal(4, 4) + 4 * np.eye(4)
LINALG = [
    *(
        smooth(f"matmul {a} {b}", lambda x, y: B.square(B.matmul(x, y)), normal(*a), normal(*b, seed=1))
        for a, b in [((3, 4), (4, 2)), ((4,), (4,)), ((4,), (4, 2)), ((3, 4), (4,)), ((2, 3, 4), (4, 2)),
                     ((2, 3, 4), (2, 4, 2)), ((3, 4), (2, 4, 2)), ((2, 1, 3, 4), (3, 4, 2)), ((2, 3, 4), (4,)),
                     ((4,), (2, 4, 3))]
    ),
    *(smooth(f"einsum {s}", lambda *xs, s=s: B.square(B.einsum(s, *xs)),
             *(normal(*n, seed=i) for i, n in enumerate(ns))) for s, ns in EINSUMS.items()),
    smooth("cholesky", lambda x: B.cholesky(B.matmul(x, B.transpose(x)) + 3 * np.eye(3)) * normal(3, 3), normal(3, 3)),
    smooth("cholesky upper", lambda x: B.square(B.cholesky(x + B.transpose(x, (0, 2, 1)) + 20 * np.eye(3), upper=True)),
           normal(2, 3, 3)),
    *(smooth(f"qr {shape}", lambda x: B.concatenate([B.reshape(p, -1) for p in B.qr(x)]) ** 2 * 0.5 + B.sum(x * x),
             normal(*shape)) for shape in [(3, 3), (4, 3), (3, 4), (2, 4, 3)]),
    *(smooth(f"svd {shape}", lambda x: B.reshape(B.matmul(B.svd(x, False)[0] ** 2, B.svd(x, False)[2] ** 2), -1) *
             B.sum(B.svd(x, False)[1] ** 3), normal(*shape)) for shape in [(3, 3), (4, 3), (3, 4), (2, 3, 2)]),
    smooth("singular values", lambda x: B.square(B.svd(x, compute_uv=False)), normal(4, 3)),
    smooth("square svd", lambda x: B.svd(x)[0] ** 2 * normal(3, 3), normal(3, 3)),
    smooth("eigh", lambda x: B.eigh(x + B.transpose(x))[0] ** 2, normal(4, 4)),
    smooth("eigenvectors", lambda x: B.eigh(x + B.transpose(x))[1] ** 2 * normal(4, 4), normal(4, 4)),
    smooth("lu_factor", lambda x: B.square(B.lu_factor(x)[0]) * normal(3, 3), normal(3, 3)),
    smooth("solve", lambda a, b: B.square(B.solve(a, b)), A4, normal(4, 2)),
    smooth("solve vector", lambda a, b: B.square(B.solve(a, b)), A4, normal(4)),
    smooth("solve batch", lambda a, b: B.square(B.solve(a, b)), A4[None] + normal(2, 1, 1), normal(2, 4)),
    *(smooth(f"solve_triangular {low}", lambda a, b, low=low: B.square(B.solve_triangular(a, b, low)), A4, normal(4, 2))
      for low in (False, True)),
    smooth("solve_triangular vector", lambda a, b: B.square(B.solve_triangular(a, b, True)), A4, normal(4)),
    *(smooth(f"fft {n}", lambda x, y, n=n: B.abs(B.complex_fft(B.complex(x, y))) ** 2 * normal(n), normal(2, n),
             normal(2, n, seed=1)) for n in (4, 5)),
    *(smooth(f"rfft {n}", lambda x: B.imag(B.square(B.complex_rfft(x)) * (1 + 2j)), normal(2, n)) for n in (4, 5)),
    *(smooth(f"irfft {n}", lambda x, y, n=n: B.square(B.complex_irfft(B.complex(x, y), n)) * normal(n),
             normal(n // 2 + 1), normal(n // 2 + 1, seed=1)) for n in (4, 5)),
]  # fmt: skip


CASES = [*ELEMENTWISE, *SHAPES, *REDUCTIONS, *INDEXING, *LINALG]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_gradients_are_slopes(case: Smooth) -> None:
    assert_slopes(B, case.fn, case.args)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_second_derivatives_are_slopes(case: Smooth) -> None:
    assert_slopes(B, case.fn, case.args, order=2)
