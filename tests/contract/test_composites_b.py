"""Linear algebra, Fourier, segments and control flow: composed ops against NumPy and SciPy, and at hard points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special

from helpers import assert_parity
from polykeras import autodiff, ops
from polykeras.backend import Backend
from polykeras.variables import Variable

RNG = np.random.default_rng(7)
WIDER = 2e-5
"""Sums and decompositions in float32 round more often than single operations."""


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


def agree(actual: Any, expected: Any, rtol: float = WIDER, atol: float = WIDER) -> None:
    """Compare in the dtype of the result: dtypes have their own tests."""
    got = ops.convert_to_numpy(actual)
    assert_parity(got, np.asarray(expected).astype(got.dtype), rtol, atol)


def gradient(fn: Callable[[Any], Any], x: Any) -> np.ndarray:
    """Return the gradient of the sum of `fn` at `x`."""
    return ops.convert_to_numpy(autodiff.grad(lambda a: ops.sum(fn(a)))(ops.convert_to_tensor(x)))


A, B3, SQUARE = normal(4, 5), normal(2, 4, 5), normal(2, 4, 4)
SPD = np.asarray(SQUARE @ SQUARE.swapaxes(-1, -2) + 2 * np.eye(4), "float32")

FACTOR = np.linalg.cholesky(SPD)

PRODUCTS = {
    "dot-1-1": (ops.dot, np.dot, (normal(3), normal(3))),
    "dot-2-1": (ops.dot, np.dot, (normal(2, 3), normal(3))),
    "dot-2-3": (ops.dot, np.dot, (normal(2, 3), normal(5, 3, 4))),
    "dot-1-3": (ops.dot, np.dot, (normal(3), normal(5, 3, 4))),
    "dot-scalar": (ops.dot, np.dot, (normal(3), 2.0)),
    "vdot": (ops.vdot, np.vdot, (normal(2, 3), normal(2, 3))),
    "vdot-complex": (ops.vdot, np.vdot, (normal(3) + 1j * normal(3), normal(3) + 1j * normal(3))),
    "inner": (ops.inner, np.inner, (normal(2, 3), normal(4, 3))),
    "inner-scalar": (ops.inner, np.inner, (2, np.arange(3))),
    "outer": (ops.outer, np.outer, (normal(2, 3), normal(4))),
    "tensordot": (ops.tensordot, np.tensordot, (normal(2, 3, 4), normal(3, 4, 5))),
    "tensordot-axes": (ops.tensordot, np.tensordot, (normal(2, 3, 4), normal(4, 3, 5), ((1, -1), (1, 0)))),
    "tensordot-0": (ops.tensordot, np.tensordot, (normal(2, 3), normal(4), 0)),
    "kron": (ops.kron, np.kron, (normal(2, 3), normal(4, 5))),
    "kron-ranks": (ops.kron, np.kron, (normal(3), normal(2, 2))),
    "cross": (ops.cross, np.cross, (normal(4, 3), normal(4, 3))),
    "cross-axes": (ops.cross, np.cross, (normal(3, 4), normal(4, 3), 0, 1, 0)),
    "trace": (ops.trace, np.trace, (normal(3, 4, 2), 1, 2, 0)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str, backend: Backend) -> None:
    function, reference, args = PRODUCTS[name]
    agree(function(*args), reference(*args))


def test_cross_of_plane_vectors(backend: Backend) -> None:
    a, b = normal(4, 2), normal(4, 2)
    agree(ops.cross(a, b), a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    agree(ops.cross(a, np.pad(b, ((0, 0), (0, 1)))), np.cross(np.pad(a, ((0, 0), (0, 1))), np.pad(b, ((0, 0), (0, 1)))))


MATRICES = {
    "det": (ops.det, np.linalg.det, (SQUARE,)),
    "logdet": (ops.logdet, lambda x: np.linalg.slogdet(x)[1], (SQUARE,)),
    "sign": (lambda x: ops.slogdet(x)[0], lambda x: np.linalg.slogdet(x)[0], (SQUARE,)),
    "inv": (ops.inv, np.linalg.inv, (SPD,)),
    "pinv": (ops.pinv, np.linalg.pinv, (B3,)),
    "pinv-low-rank": (lambda x: ops.pinv(x, 1e-4), lambda x: np.linalg.pinv(x, 1e-4), (np.outer(A[0], A[1]),)),
    "lstsq": (ops.lstsq, lambda a, b: np.linalg.lstsq(a, b, rcond=None)[0], (normal(6, 3), normal(6))),
    "lstsq-wide": (ops.lstsq, lambda a, b: np.linalg.lstsq(a, b, rcond=None)[0], (normal(2, 3), normal(2, 2))),
    "power": (ops.matrix_power, np.linalg.matrix_power, (SQUARE, 5)),
    "power-0": (ops.matrix_power, np.linalg.matrix_power, (SQUARE, 0)),
    "power-negative": (ops.matrix_power, np.linalg.matrix_power, (SPD, -2)),
    "rank": (ops.matrix_rank, np.linalg.matrix_rank, (np.stack([np.ones((5, 5)), normal(5, 5)]),)),
    "cholesky_inverse": (ops.cholesky_inverse, lambda x: np.linalg.inv(x @ x.swapaxes(-1, -2)), (FACTOR,)),
    "cholesky_inverse-upper": (
        lambda x: ops.cholesky_inverse(x, True),
        lambda x: np.linalg.inv(x.T @ x),
        (FACTOR[0].T,),
    ),
}


@pytest.mark.parametrize("name", MATRICES)
def test_functions_of_matrices(name: str, backend: Backend) -> None:
    function, reference, args = MATRICES[name]
    wide = [a.astype("float64") if isinstance(a, np.ndarray) else a for a in args]
    agree(function(*args), reference(*wide), 1e-4, 1e-4)


ORDERS = [
    *((o, 1) for o in (None, 1, 2, 3, 0.5, 0, np.inf, -np.inf)),
    *((o, (0, 1)) for o in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
    (None, None), (1, None), ("nuc", (1, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("order", "axis"), ORDERS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_norm(order: Any, axis: Any, keepdims: bool, backend: Backend) -> None:
    agree(ops.norm(A, order, axis, keepdims), np.linalg.norm(A, order, axis, keepdims))


def test_norm_refuses_what_does_not_exist(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"no norm with ord='fro' over 1 axes"):
        ops.norm(A, "fro", 1)
    with pytest.raises(ValueError, match="no norm"):
        ops.norm(A, 7, (0, 1))


def test_gradients_at_zero_vectors_are_zero(backend: Backend) -> None:
    x = np.array([[0.0, 0.0], [3.0, 4.0]], "float32")
    for order, slope in ((None, [0.6, 0.8]), (3, None), (1, [1.0, 1.0])):
        found = gradient(lambda a, order=order: ops.norm(a, order, 1), x)
        assert (found[0] == 0).all()
        assert slope is None or np.allclose(found[1], slope)
    assert np.isfinite(gradient(lambda a: ops.norm(a, 0.5, 1), x)).all()
    assert (gradient(ops.norm, np.zeros((2, 2), "float32")) == 0).all()
    agree(gradient(lambda a: ops.cdist(a, np.array([[0.0, 0.0]], "float32")), x), [[0, 0], [0.6, 0.8]])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradient_of_det_is_the_cofactors_at_any_rank(rank: int, backend: Backend) -> None:
    x = normal(3, rank) @ normal(rank, 3)
    cofactors = np.array(
        [[(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(3)] for i in range(3)]
    )
    agree(gradient(ops.det, x), cofactors, 1e-4, 1e-4)


def test_gradients_of_slogdet_and_pinv_where_singular_values_are_equal(backend: Backend) -> None:
    eye = np.eye(3, dtype="float32")
    agree(gradient(ops.logdet, 2 * eye), eye / 2)
    agree(gradient(ops.pinv, eye), -np.ones((3, 3)))
    agree(gradient(ops.det, eye), eye)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3)])
def test_gradient_of_pinv(shape: tuple[int, int], backend: Backend) -> None:
    x, weights = normal(*shape), normal(*shape[::-1])
    found = gradient(lambda a: ops.multiply(ops.pinv(a), weights), x)
    for place in np.ndindex(shape):
        step = np.zeros(shape)
        step[place] = 1e-6
        slope = ((np.linalg.pinv(x + step) - np.linalg.pinv(x - step)) * weights).sum() / 2e-6
        assert found[place] == pytest.approx(slope, rel=1e-3, abs=1e-3)


# ---- Fourier -------------------------------------------------------------------------------------------------------

PAIR = (normal(2, 3, 8), normal(2, 3, 8))
COMPLEX = PAIR[0] + 1j * PAIR[1]


@pytest.mark.parametrize("name", ["fft", "ifft", "fft2", "ifft2"])
def test_transforms_of_pairs(name: str, backend: Backend) -> None:
    expected = getattr(np.fft, name)(COMPLEX)
    for part, want in zip(getattr(ops, name)(PAIR), (expected.real, expected.imag), strict=True):
        agree(part, want)


@pytest.mark.parametrize("length", [None, 6, 7, 11])
def test_real_transforms(length: int | None, backend: Backend) -> None:
    expected = np.fft.rfft(PAIR[0], length)
    for part, want in zip(ops.rfft(PAIR[0], length), (expected.real, expected.imag), strict=True):
        agree(part, want)
    agree(ops.irfft(PAIR, length), np.fft.irfft(COMPLEX, length))


def test_complex_numbers(backend: Backend) -> None:
    z = COMPLEX[0, 0]
    agree(ops.angle(z), np.angle(z))
    agree(ops.angle([1.0, -1.0]), [0.0, np.pi])
    agree(ops.conjugate(z), z.conj())
    agree(ops.view_as_complex(np.stack([z.real, z.imag], -1)), z)
    agree(ops.view_as_real(z), np.stack([z.real, z.imag], -1))
    agree(ops.polar(np.abs(z), np.angle(z)), z)


def test_pairs_are_checked(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"fft needs a pair \(real, imaginary\) of arrays of one shape"):
        ops.fft((normal(3), normal(4)))


@pytest.mark.parametrize("window", ["hann", "hamming", None, np.linspace(0.5, 1.0, 12)])
@pytest.mark.parametrize("center", [True, False])
def test_stft_is_the_transform_of_weighted_frames(window: Any, center: bool, backend: Backend) -> None:
    x = normal(2, 60)
    k = np.arange(12)
    weights = {"hann": 0.5 - 0.5 * np.cos(2 * np.pi * k / 12), "hamming": 0.54 - 0.46 * np.cos(2 * np.pi * k / 12)}
    w = weights[window] if isinstance(window, str) else np.ones(16) if window is None else window
    w = np.pad(w, (16 - len(w)) // 2)
    padded = np.pad(x, ((0, 0), (8, 8)), "reflect") if center else x
    frames = np.stack([padded[:, i : i + 16] * w for i in range(0, padded.shape[1] - 15, 4)], 1)
    expected = np.fft.rfft(frames)
    real, imag = ops.stft(x, 12, 4, 16, window, center)
    agree(real, expected.real)
    agree(imag, expected.imag)
    again = ops.convert_to_numpy(ops.istft((real, imag), 12, 4, 16, 60, window, center))
    whole = slice(0, 60) if center else slice(16, 44)  # elsewhere too few windows overlap
    agree(again[:, whole], x[:, whole], 1e-4, 1e-4)


def test_extract_sequences(backend: Backend) -> None:
    agree(ops.extract_sequences(np.arange(10), 4, 3), [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]])
    assert ops.shape(ops.extract_sequences(normal(2, 3), 4, 3)) == (2, 0, 4)


# ---- special functions, segments -----------------------------------------------------------------------------------


def test_erfc_keeps_its_digits(backend: Backend) -> None:
    x = np.concatenate([np.linspace(-6, 9, 301), [0.0, 1e-7, -1e-7]]).astype("float32")
    agree(ops.erfc(x), scipy.special.erfc(x.astype("float64")), 2e-6, 0)
    agree(ops.erfc([np.inf, -np.inf, 30.0]), [0.0, 2.0, 0.0])
    assert np.isnan(ops.convert_to_numpy(ops.erfc([np.nan]))).all()
    agree(gradient(ops.erfc, np.array([0.0, 5.0, -5.0, 100.0], "float32")),
          -2 / np.sqrt(np.pi) * np.exp(-np.array([0.0, 25.0, 25.0, 1e4])), 2e-6, 0)  # fmt: skip


@pytest.mark.needs("numpy")
def test_erfc_in_float64() -> None:
    from polykeras.backend import use_backend

    with use_backend("numpy"):
        x = np.linspace(-6, 26, 2001)
        agree(ops.erfc(x), scipy.special.erfc(x), 2e-13, 0)  # SciPy's own error at 26 is of this size


SEGMENTS = {"sum": (np.sum, 0.0), "max": (np.max, -np.inf), "min": (np.min, np.inf), "prod": (np.prod, 1.0)}


@pytest.mark.parametrize("name", SEGMENTS)
def test_segments(name: str, backend: Backend) -> None:
    reduce, empty = SEGMENTS[name]
    data, ids = normal(6, 2), np.array([0, 2, 0, -1, 9, 2])
    expected = np.stack([reduce(data[ids == i], axis=0) if (ids == i).any() else np.full(2, empty) for i in range(4)])
    function = getattr(ops, f"segment_{name}")
    agree(function(data, ids, 4), expected)
    agree(function(data[:3], ids[:3]), function(data[:3], ids[:3], 3))
    whole = np.arange(1, 7, dtype="int32")
    lowest = {"max": -(2**31), "min": 2**31 - 1}.get(name, int(empty) if np.isfinite(empty) else 0)
    agree(function(whole, [0, 0, 1, 1, 1, 3], 4), [reduce([1, 2]), reduce([3, 4, 5]), lowest, 6])


def test_gradients_of_segments(backend: Backend) -> None:
    ids = np.array([0, 0, 0, 1, 1, 5])
    x = np.array([2.0, 2.0, 1.0, 0.0, 3.0, 7.0], "float32")
    agree(gradient(lambda a: ops.segment_max(a, ids, 2), x), [0.5, 0.5, 0, 0, 1, 0])
    agree(gradient(lambda a: ops.segment_min(a, ids, 2), x), [0, 0, 1, 1, 0, 0])
    agree(gradient(lambda a: ops.segment_prod(a, ids, 2), x), [2, 2, 4, 3, 0, 0])
    agree(gradient(lambda a: ops.segment_prod(a, ids, 2), x * [1, 1, 1, 1, 0, 1]), [2, 2, 4, 0, 0, 0])
    agree(gradient(lambda a: ops.segment_sum(a, ids, 2), x), [1, 1, 1, 1, 1, 0])


def test_ranks_and_distances(backend: Backend) -> None:
    scores = np.array([[0.5, 0.2, 0.3], [0.1, np.nan, 0.3], [0.3, 0.3, 0.3]], "float32")
    agree(ops.in_top_k([0, 1, 2], scores, 1), [True, False, True])
    x, y = normal(2, 3, 4), normal(2, 5, 4)
    agree(ops.cdist(x, y), np.linalg.norm(x[:, :, None] - y[:, None], axis=-1))


# ---- control flow, conversion --------------------------------------------------------------------------------------


def test_branches_read_variables(backend: Backend) -> None:
    v = Variable([1.0, 2.0])
    agree(ops.cond(ops.sum(v) > 1.0, lambda: v, lambda: ops.zeros((2,))), [1, 2])
    agree(ops.cond(False, lambda: v, lambda: [0.0, 0.0])[0], 0)
    branches = [lambda x: x, lambda x: x * 10.0, lambda x: x * 100.0]
    for index, factor in ((-1, 1), (0, 1), (1, 10), (2, 100), (7, 100)):
        agree(ops.switch(index, branches, v), np.array([1, 2]) * factor)


def test_loops(backend: Backend) -> None:
    v = Variable([1.0, 2.0])
    count, power = ops.while_loop(lambda i, x: i < 5, lambda i, x: (i + 1, x * v), (0, v))
    agree(count, 5)
    agree(power, [1, 64])
    agree(ops.while_loop(lambda x: x < 100, lambda x: x * 2, 3), 192)
    agree(ops.fori_loop(0, 4, lambda i, x: x + ops.cast(i, "float32"), v), [7, 8])
    agree(ops.fori_loop(ops.convert_to_tensor(1), 4, lambda i, x: x + v, v), [4, 8])
    agree(ops.fori_loop(3, 3, lambda i, x: x * 2, v), [1, 2])
    carry, sums = ops.scan(lambda c, x: (c + x, c * x), 0.0, v)
    agree(carry, 3)
    agree(sums, [0, 2])
    agree(ops.map(lambda d: d["a"] + d["b"], {"a": v, "b": v}), [2, 4])
    agree(ops.vectorized_map(lambda x: x * v, np.ones((3, 2), "float32")), np.tile([1, 2], (3, 1)))
    agree(gradient(lambda x: ops.fori_loop(0, 3, lambda i, y: y * x, x), np.array([2.0, 3.0], "float32")), [32, 108])


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_associative_scan(n: int, backend: Backend) -> None:
    x = normal(n, 3)
    agree(ops.associative_scan(ops.add, x), np.cumsum(x, 0))
    agree(ops.associative_scan(ops.maximum, x, reverse=True), np.maximum.accumulate(x[::-1])[::-1])
    agree(ops.associative_scan(ops.add, x, axis=-1), np.cumsum(x, 1))
    turns = normal(n, 2, 2)
    expected = [turns[0]]
    for turn in turns[1:]:
        expected.append(expected[-1] @ turn)
    agree(ops.associative_scan(ops.matmul, turns), expected, 1e-4, 1e-4)


def test_vectorize(backend: Backend) -> None:
    agree(ops.vectorize(lambda a, b: a * b + 1)([[1], [2]], [3, 4]), [[4, 5], [7, 9]])
    x, y = normal(5, 1, 2, 3), normal(4, 3)
    products = np.einsum("abnm,bm->abn", np.tile(x, (1, 4, 1, 1)), y)
    agree(ops.vectorize(ops.matmul, signature="(n,m),(m)->(n)")(x, y), products)
    agree(ops.vectorize(lambda a, k: a * k, excluded={1})([1, 2], 3), [3, 6])


def test_custom_gradient_and_remat(backend: Backend) -> None:
    function = ops.custom_gradient(lambda x: (ops.sin(x), lambda upstream: upstream * 7.0))
    x = np.array([1.0, 2.0], "float32")
    agree(function(x), np.sin(x))
    agree(gradient(function, x), [7, 7])
    agree(gradient(ops.remat(lambda a: ops.sin(a) * a), x), np.cos(x) * x + np.sin(x))


def test_jvp(backend: Backend) -> None:
    value, slope = ops.jvp(lambda x, y: {"p": x * y, "s": ops.sin(x)}, (2.0, 3.0), (1.0, 0.5))
    agree(value["p"], 6)
    agree(slope["p"], 4)
    agree(slope["s"], np.cos(2))
    assert ops.jvp(lambda x: (x * x, "kept"), (2.0,), (1.0,), has_aux=True)[2] == "kept"


def test_conversion(backend: Backend) -> None:
    v = Variable([1.0, 2.0])
    assert backend.dtype(ops.convert_to_tensor([v, v], "int32")) == "int32"
    assert (ops.shape(v), ops.dtype(v), ops.shape([[1]]), ops.dtype(1.5)) == ((2,), "float32", (1, 1), "float32")
    assert not ops.is_tensor(v)
    assert ops.is_tensor(v.value)
    agree(ops.unstack(np.arange(6).reshape(2, 3), axis=1)[2], [2, 5])
    with pytest.raises(ValueError, match="`num` is 2, but axis 1"):
        ops.unstack(np.zeros((2, 3)), 2, 1)
    with pytest.raises(ValueError, match="no sparse arrays"):
        ops.convert_to_tensor([1], sparse=True)


SATURATED = [
    ([-300.0, 3.7, 3e10, np.inf, np.nan], "float32", "int32", [-300, 3, 2147483520, 2147483520, 0]),
    ([-300.0, 300.0], "float32", "uint8", [0, 255]),
    ([-np.inf, 1e5], "float32", "float16", [-65504, 65504]),
    ([-1e6, 2e9], "int32", "float16", [-65504, 65504]),
    ([-3, 300], "int32", "uint8", [0, 255]),
    ([200], "uint8", "int8", [127]),
    ([1, 0], "bool", "int8", [1, 0]),
    ([-1.0, 0.2], "float32", "bool", [False, True]),
]


@pytest.mark.parametrize(("values", "source", "target", "expected"), SATURATED)
def test_saturate_cast(values: Any, source: str, target: str, expected: Any, backend: Backend) -> None:
    result = ops.convert_to_numpy(ops.saturate_cast(np.asarray(values).astype(source), target))
    assert result.dtype == target
    assert result.tolist() == expected


def test_rearrange(backend: Backend) -> None:
    x = np.arange(48).reshape(2, 12, 2)
    agree(ops.rearrange(x, "b (h w) c -> b c h w", h=3), x.reshape(2, 3, 4, 2).transpose(0, 3, 1, 2))
    agree(ops.rearrange(x, "... c -> c ..."), x.transpose(2, 0, 1))
    agree(ops.rearrange(x, "a b c -> (c a) 1 b"), x.transpose(2, 0, 1).reshape(4, 1, 12))
    with pytest.raises(ValueError, match="each name must stand once"):
        ops.rearrange(x, "a b c -> a b")
    with pytest.raises(ValueError, match=r"an axis of size 12 does not split into \(h w\)"):
        ops.rearrange(x, "b (h w) c -> b h w c", h=5)
    with pytest.raises(ValueError, match="does not fit an array of shape"):
        ops.rearrange(x, "a b -> b a")
