"""Backward passes in another thread than the forward pass, as autograd runs them for GPUs."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops, use_backend
from polykeras.backend import Backend

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.needs("torch")
KERNEL = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


def in_thread(function: Callable[[], Any]) -> Any:
    """Return what a function returns in a thread of its own, whose context is empty."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """All gradients are computed in other threads; gives the list of these."""
    grad, threads = torch.autograd.grad, []

    def computed(*args: Any, **kwargs: Any) -> Any:
        def run() -> Any:
            threads.append(threading.get_ident())
            return grad(*args, **kwargs)

        return in_thread(run)

    monkeypatch.setattr(torch.autograd, "grad", computed)
    return threads


@pytest.fixture
def tb() -> Iterator[Backend]:
    with use_backend("torch") as backend:
        yield backend


def told() -> tuple[Any, list[Any]]:
    """Return a function with a gradient of its own, and a list of where its parts ran."""
    seen: list[Any] = []

    @ops.custom_gradient
    def tripled(x: Any) -> Any:
        def grad(upstream: Any) -> Any:
            seen.append((keras.backend.backend(), threading.get_ident()))
            return ops.multiply(upstream, ops.convert_to_tensor(3.0))

        return ops.multiply(x, 3.0), grad

    return tripled, seen


def test_a_gradient_of_ones_own(tb: Backend) -> None:
    tripled, seen = told()
    x = torch.ones(3, requires_grad=True)
    y = tripled(x).sum()
    in_thread(y.backward)
    np.testing.assert_array_equal(x.grad, [3.0] * 3)
    assert [name for name, _ in seen] == ["torch"]
    assert seen[0][1] != threading.get_ident()


def test_the_device_comes_along(tb: Backend) -> None:
    seen = []

    def powers(x: Any) -> Any:
        seen.append((ops.zeros(()).device.type, keras.backend.backend()))
        return ops.exp(ops.exp(x))

    x = torch.zeros(3, requires_grad=True)
    with tb.device_scope("cpu"):
        y = ops.remat(powers)(x)
    in_thread(y.sum().backward)
    np.testing.assert_allclose(x.grad, [np.e] * 3, rtol=1e-6)
    assert seen == [("cpu", "torch")] * 2


@pytest.mark.parametrize("order", [1, 2, 3])
def test_gradients_of_gradients(tb: Backend, elsewhere: list[int], order: int) -> None:
    @ops.custom_gradient
    def cubed(x: Any) -> Any:
        def grad(upstream: Any) -> Any:
            assert keras.backend.backend() == "torch"
            return ops.multiply(upstream, ops.multiply(3.0, ops.square(x)))

        return ops.multiply(x, ops.square(x)), grad

    variable = keras.Variable(2.0)
    function: Any = lambda: cubed(ops.convert_to_tensor(variable))  # noqa: E731
    for _ in range(order):
        function = (lambda f: lambda: keras.value_and_grad(f, [variable])()[1][0])(function)
    assert float(function()) == {1: 12.0, 2: 12.0, 3: 6.0}[order]
    assert threading.get_ident() not in elsewhere
    assert elsewhere


@pytest.mark.parametrize("kind", ["lstm", "batch normalization", "remat", "own gradient"])
def test_training(tb: Backend, kind: str, request: pytest.FixtureRequest) -> None:
    tripled, _ = told()

    class Again(layers.Layer):
        """A part whose values are computed anew for its gradients, of which dropout must know that it is training."""

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.drop = layers.Dense(5, activation="tanh"), layers.Dropout(0.5)

        def build(self, input_shape: Any) -> None:
            self.inner.build(input_shape)

        def call(self, x: Any) -> Any:
            return self.drop(ops.remat(self.inner)(x)) if kind == "remat" else tripled(self.inner(x))

    def trained() -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        part: Any = {"lstm": layers.LSTM(5), "batch normalization": layers.BatchNormalization()}.get(kind) or Again()
        inputs = keras.Input((4, 3) if kind == "lstm" else (3,))
        model = keras.Model(inputs, layers.Dense(1)(part(inputs)))
        model.compile("adam", "mse", run_eagerly=True)
        x = np.random.default_rng(0).normal(size=(20, *inputs.shape[1:])).astype("float32")
        model.fit(x, np.ones((20, 1), "float32"), batch_size=5, epochs=2, verbose=0)
        return model.get_weights()

    expected = trained()
    threads = request.getfixturevalue("elsewhere")
    for ours, theirs in zip(trained(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert threads
    assert threading.get_ident() not in threads


def test_weights_are_known_when_values_are_computed_anew(tb: Backend) -> None:
    """Also in the thread of the forward pass: the scope of the gradient has ended by then."""
    layer = layers.Dense(4, activation="tanh")
    layer.build((None, 3))
    x = np.ones((2, 3), "float32")

    def gradients(call: Callable[[Any], Any]) -> Any:
        return keras.value_and_grad(lambda: ops.sum(ops.square(call(x))), layer.trainable_variables)()[1]

    for ours, theirs in zip(gradients(ops.remat(layer)), gradients(layer), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_graph_holds_no_scope_that_holds_it(tb: Backend) -> None:
    """Batch normalization assigns statistics that have a graph, within the scope of a gradient."""
    tripled, _ = told()
    moving = keras.Variable(np.zeros(4, "float32"), trainable=False)
    kernel = keras.Variable(KERNEL)
    held: list[Any] = []

    def loss() -> Any:
        y = tripled(ops.matmul(np.ones((2, 3), "float32"), kernel))
        moving.assign(ops.mean(y, axis=0))
        held.append(weakref.ref(y))
        return ops.sum(y)

    gc.disable()
    try:
        for _ in range(3):
            keras.value_and_grad(loss, [kernel])()
        assert [ref() for ref in held[:-1]] == [None, None]
    finally:
        gc.enable()
    gc.collect()
    del loss
