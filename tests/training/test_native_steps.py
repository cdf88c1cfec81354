"""Native code of a framework in a step: it cannot run on shapes alone, and is told from a mistake that cannot either."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.backend import Backend
from polykeras.backend.symbolic import SYMBOLIC, NeedsValues, SymbolicArray, cannot_run_on_shapes

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = (X[:, :1] > 0).astype("float32")
SYMBOL = SymbolicArray((2, 3), "float32")


def raised(call: Callable[[], Any]) -> Exception:
    """Return the error that a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  (which one is for the caller)
        call()
    return caught.value


NATIVE: dict[str, list[Callable[[Any, Any], Any]]] = {
    "numpy": [
        lambda np, x: np.sin(x),
        lambda np, x: np.mean(x, axis=0),
        lambda np, x: np.stack([x, x]),
        lambda np, x: np.where(x > 0, x, 0.0),
        lambda np, x: x.sum(),
        lambda np, x: x.T,
    ],
    "jax": [
        lambda jax, x: jax.numpy.sin(x),
        lambda jax, x: jax.numpy.asarray(x),
        lambda jax, x: jax.numpy.concatenate([x, x]),
        lambda jax, x: jax.nn.relu(x),
        lambda jax, x: jax.lax.exp(x),
        lambda jax, x: jax.jit(lambda y: y + 1)(x),
        lambda jax, x: jax.vmap(lambda y: y + 1)(x),
        lambda jax, x: x.at[0].set(1.0),
    ],
    "torch": [
        lambda torch, x: torch.sin(x),
        lambda torch, x: torch.as_tensor(x),
        lambda torch, x: torch.cat([x, x]),
        lambda torch, x: torch.nn.functional.linear(x, torch.ones(4, 3)),
        lambda torch, x: torch.einsum("ab,cb->ac", x, x),
        lambda torch, x: torch.where(x > 0, x, x),
        lambda torch, x: x.permute(1, 0),
    ],
    "tensorflow": [
        lambda tf, x: tf.sin(x),
        lambda tf, x: tf.convert_to_tensor(x),
        lambda tf, x: tf.concat([x, x], 0),
        lambda tf, x: tf.nn.relu(x),
        lambda tf, x: tf.matmul(x, x, transpose_b=True),
        lambda tf, x: tf.function(lambda y: y + 1)(x),
    ],
}


def test_each_framework_says_that_it_needs_values(backend: Backend) -> None:
    framework = sys.modules[backend.name]
    for call in NATIVE[backend.name]:
        error = raised(lambda call=call: call(framework, SYMBOL))
        assert cannot_run_on_shapes(error), repr(error)


def test_constants_of_a_framework_meet_symbolic_arrays(backend: Backend) -> None:
    constant = backend.asarray(np.ones((2, 2), "float32"))
    for result in (constant @ SYMBOL, constant[:, :1] * SYMBOL, SYMBOL - constant[:, :1]):
        assert (result.shape, result.dtype) == ((2, 3), "float32")
    assert (SymbolicArray((3, 2), "int32") @ constant).dtype == "float32"


@pytest.mark.parametrize(
    "question",
    [bool, float, int, len, lambda x: x[x], np.asarray, lambda x: [0][x]],
    ids=["bool", "float", "int", "len", "index", "asarray", "as index"],
)
def test_questions_for_values(question: Callable[[Any], Any]) -> None:
    assert isinstance(raised(lambda: question(SymbolicArray((), "int32"))), NeedsValues)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: getattr(SYMBOL.shape, "first"),  # noqa: B009
        lambda: SYMBOL + SymbolicArray((4,), "float32"),
        lambda: ops.cond(SYMBOL, lambda: SYMBOL, lambda: SYMBOL),  # names the array in its message
        lambda: ops.convert_to_tensor([SYMBOL, "text"]),
        lambda: {}["SymbolicArray"],
    ],
)
def test_mistakes_are_not_taken_for_native_code(mistake: Callable[[], Any]) -> None:
    with keras.use_backend(SYMBOLIC):
        assert not cannot_run_on_shapes(raised(mistake))


def native_tanh(backend: Backend, x: Any) -> Any:
    """Return the hyperbolic tangent, by a function of the framework itself."""
    framework = sys.modules[backend.name]
    return (framework.numpy if backend.name == "jax" else framework).tanh(x)


def test_fit_traces_a_step_with_native_code(backend: Backend) -> None:
    class Native(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return native_tanh(backend, inputs)

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.native, self.dense = Native(), layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.native(self.dense(x))

    model = Net()
    model.compile("sgd", "mse", metrics=["mae"])
    losses = model.fit(X, Y, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert len(model.weights) == 2


@pytest.mark.parametrize("eagerly", [False, True])
def test_native_code_before_and_between_layers_that_are_not_built(backend: Backend, eagerly: bool) -> None:
    class Native(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return native_tanh(backend, inputs)

    for parts in ([Native(), layers.Dense(2)], [layers.Dense(2), Native(), layers.BatchNormalization()]):
        model = keras.Sequential([*parts, layers.Dense(1)])
        model.compile("adam", "mse", run_eagerly=eagerly)
        model.fit(X, Y, epochs=1, batch_size=8, verbose=0)
        assert len(model.optimizer.variables) == 2 + 2 * len(model.trainable_variables)
        before = model.get_weights()
        model.fit(X, Y, epochs=1, batch_size=8, verbose=0)
        assert all((new != old).any() for new, old in zip(model.get_weights(), before, strict=True))
        assert int(model.optimizer.iterations) == 2


def test_native_code_that_needs_data_says_what_to_do(backend: Backend) -> None:
    class Native(layers.Layer):
        def call(self, inputs: Any) -> Any:
            outputs = native_tanh(backend, inputs)
            if outputs.shape[0] != len(X):
                raise ValueError("These are no data.")
            return outputs

    class Described(Native):
        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    error = raised(lambda: keras.Sequential([keras.Input((3,)), Native(name="own"), layers.Dense(1)]))
    (advice,) = [note for note in error.__notes__ if "compute_output_shape" in note]
    assert str(error) == "These are no data."
    assert "'own' (Native)" in advice
    assert "leave out `Input`" in advice
    for parts in ([keras.Input((3,)), Described()], [Native()]):  # as it says
        model = keras.Sequential([*parts, layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0)
        assert model.count_params() == 4


def test_fit_raises_a_mistake_that_names_a_symbolic_array(backend: Backend) -> None:
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)
            self.runs = 0

        def call(self, x: Any) -> Any:
            self.runs += 1
            return ops.cond(self.dense(x) > 0, lambda: x, lambda: x)

    model = Net()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="expected a scalar predicate"):
        model.fit(X, Y, verbose=0)
    assert model.runs == 1  # on shapes: nothing was traced
