"""Products, functions of matrices and norms against NumPy, and their gradients where it gets difficult."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contract.agreement import agree, gradient
from polykeras import ops
from polykeras.backend import Backend

RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


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


@pytest.mark.parametrize("rows", [(4,), (0,), (2, 4)], ids=str)
@pytest.mark.parametrize(("inner", "columns"), [(0, 2), (3, 0), (0, 0)])
def test_products_of_nothing_with_a_bias(rows: tuple[int, ...], inner: int, columns: int, backend: Backend) -> None:
    """Compiled too, where a framework's library may take the product and the bias at once."""
    x, kernel, bias = (np.ones(shape, "float32") for shape in ((*rows, inner), (inner, columns), (columns,)))

    def affine(x: Any, kernel: Any, bias: Any) -> Any:
        return backend.add(backend.matmul(x, kernel), bias)

    arrays = [backend.asarray(a) for a in (x, kernel, bias)]
    for function in (affine, backend.compile(affine)):
        agree(function(*arrays), x @ kernel + bias)

    def loss(parts: list[Any]) -> Any:
        return backend.sum(affine(*parts)), None

    _, _, slopes = backend.value_and_grad(loss, arrays)
    for slope, a in zip(slopes, (x, kernel, np.prod(rows) * bias), strict=True):
        agree(slope, np.asarray(a, "float32") * (columns if a is x else 1))


@pytest.mark.parametrize("shapes", [((4, 0), (1, 2)), ((4, 1), (3, 0)), ((4, 3), (1, 0))], ids=str)
def test_products_of_nothing_fit_together_too(shapes: Any, backend: Backend) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 (each framework has its own)
        backend.to_numpy(backend.matmul(*(backend.ones(shape) for shape in shapes)))


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


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_eigenvectors_keep_their_direction(kind: str, backend: Backend) -> None:
    x = normal(2, 4, 4) + (1j * normal(2, 4, 4) if kind == "complex" else 0)
    values, vectors = map(ops.convert_to_numpy, ops.eig(x))
    assert values.dtype == vectors.dtype == "complex64"
    np.testing.assert_allclose(x @ vectors, vectors * values[:, None], atol=1e-4)
    np.testing.assert_allclose(np.sort_complex(values[0]), np.sort_complex(np.linalg.eigvals(x[0])), atol=1e-4)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]], "float32")
    np.testing.assert_allclose(sorted(ops.convert_to_numpy(ops.linalg.eig(turn)[0]).imag), [-1, 1], atol=1e-6)
