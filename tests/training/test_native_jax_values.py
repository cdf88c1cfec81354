"""JAX's transformations over our models, layers, metrics and optimizers, whose state is passed as values."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import Variable, layers, ops

jax = pytest.importorskip("jax")
jnp = jax.numpy

pytestmark = pytest.mark.needs("jax")

RNG = np.random.default_rng(5)
X = RNG.standard_normal((6, 4)).astype("float32")
Y = RNG.standard_normal((6, 1)).astype("float32")
IMAGES = RNG.standard_normal((3, 6, 6, 2)).astype("float32")
TEXT = RNG.standard_normal((3, 5, 4)).astype("float32")


@pytest.fixture(autouse=True)
def on_jax() -> Iterator[None]:
    with keras.use_backend("jax"):
        yield


def values(variables: Any) -> list[Any]:
    return [v.value for v in variables]


def small(*extra: Any) -> Any:
    return keras.Sequential([keras.Input((4,)), layers.Dense(5, "tanh"), *extra, layers.Dense(1)])


def close(found: Any, expected: Any, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=atol)


# ---- gradients -------------------------------------------------------------------------------------------------------

KINDS: dict[str, tuple[Callable[[], list[Any]], np.ndarray]] = {
    "dense": (lambda: [layers.Dense(3, "gelu", kernel_regularizer="l2")], X),
    "conv": (
        lambda: [layers.Conv2D(3, 3, activation="relu"), layers.DepthwiseConv2D(2), layers.MaxPooling2D()],
        IMAGES,
    ),
    "transposed conv": (lambda: [layers.Conv2DTranspose(2, 3, strides=2)], IMAGES),
    "lstm": (lambda: [layers.LSTM(3, return_sequences=True), layers.GRU(2)], TEXT),
    "bidirectional": (lambda: [layers.Bidirectional(layers.SimpleRNN(2))], TEXT),
    "batch norm": (lambda: [layers.Dense(3), layers.BatchNormalization(momentum=0.5)], X),
    "layer norm": (lambda: [layers.LayerNormalization(), layers.Dense(2)], X),
    "dropout": (lambda: [layers.Dense(8), layers.Dropout(0.5, seed=4), layers.GaussianNoise(0.1, seed=5)], X),
    "attention": (lambda: [Attention()], TEXT),
}


class Attention(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.MultiHeadAttention(2, 3, dropout=0.2, seed=1)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.inner(x, x, training=training)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_by_jax_are_those_of_value_and_grad(kind: str, compiled: bool) -> None:
    make, x = KINDS[kind]
    model = keras.Sequential([keras.Input(x.shape[1:]), *make()])
    others = values(model.non_trainable_variables)

    def neutral() -> Any:
        return ops.sum(ops.square(model(x, training=True))) + sum(model.losses)

    def native(trainable: Any, others: Any) -> Any:
        outputs, others, losses = model.stateless_call(trainable, others, x, training=True, return_losses=True)
        return jnp.sum(outputs**2) + sum(losses), others

    compute = jax.value_and_grad(native, has_aux=True)
    (loss, changed), gradients = (jax.jit(compute) if compiled else compute)(values(model.trainable_variables), others)
    expected_loss, expected = keras.value_and_grad(neutral, model.trainable_variables)()
    close([loss, *gradients], [expected_loss, *expected], rtol=2e-4, atol=1e-5)
    close(changed, [v.numpy() for v in model.non_trainable_variables])  # which the neutral call changed
    assert all(np.abs(gradient).max() > 0 for gradient in expected if gradient.size > 8)


def test_what_a_stateless_call_adds_to_the_loss_stays_in_it() -> None:
    model = small(layers.ActivityRegularization(l2=0.5))
    compute = jax.jit(lambda t, x: model.stateless_call(t, [], x, return_losses=True)[2])
    (loss,) = compute(values(model.trainable_variables), X)
    assert float(loss) > 0
    assert model.losses == []  # nothing traced is left behind


# ---- transformations -------------------------------------------------------------------------------------------------


def test_variables_are_passed_to_jax_as_their_values() -> None:
    model = small()
    kernel = model.trainable_variables[0]
    (first, *_), total = jax.jit(lambda variables: (variables, sum(map(jnp.sum, variables))))(model.trainable_variables)
    assert isinstance(first, jax.Array)
    assert float(total) == pytest.approx(sum(v.numpy().sum() for v in model.trainable_variables), rel=1e-5)
    np.testing.assert_array_equal(jnp.dot(X, kernel), jnp.dot(X, kernel.value))
    np.testing.assert_array_equal(jnp.asarray(X) @ kernel, jnp.asarray(X) @ kernel.value)
    np.testing.assert_array_equal(jax.device_put(kernel), kernel.numpy())
    assert jax.tree.structure([kernel, kernel.value]).num_leaves == 2
    gradient = jax.grad(lambda w: jnp.sum(w**2))(kernel)
    np.testing.assert_allclose(gradient, 2 * kernel.numpy())


def test_native_functions_of_weights_within_a_layer_are_differentiated() -> None:
    class Native(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=(input_shape[-1], 2), name="w")

        def call(self, x: Any) -> Any:
            return jnp.tanh(jnp.dot(x, self.w)) + jnp.sum(self.w)

    layer = Native()
    layer.build((None, 4))
    w = layer.w.value
    expected = jax.grad(lambda w: jnp.sum(jnp.tanh(X @ w) + jnp.sum(w)))(w)
    found = jax.grad(lambda w: jnp.sum(layer.stateless_call([w], [], X)[0]))(w)
    (neutral,) = keras.grad(lambda: ops.sum(layer(X)), [layer.w])()
    close([found, neutral], [expected, expected])


def test_variables_of_a_model_made_before_anything_was_computed() -> None:
    script = (
        "import jax, polykeras as keras\n"
        "model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])\n"
        "print(jax.jit(lambda v: 2 * v[0])(model.trainable_variables).shape)\n"
    )
    told = os.environ | {"POLYKERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", script], env=told, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["(2,", "3)"], done.stderr


def test_jit_grad_and_vmap_over_a_model_that_is_only_read() -> None:
    model = small(layers.BatchNormalization(), layers.Dropout(0.5))
    expected = np.asarray(model(X))
    close([jax.jit(model)(X), jax.jit(lambda x: model(x, training=False))(X)], [expected, expected])
    close([jax.vmap(lambda row: model(row[None])[0])(X)], [expected])
    slope = jax.grad(lambda x: jnp.sum(model(x)))(X)
    step = 1e-2 * np.eye(4, dtype="float32")
    numeric = [(np.asarray(model(X + s)) - np.asarray(model(X - s)))[:, 0] / 2e-2 for s in step]
    np.testing.assert_allclose(slope, np.stack(numeric, -1), atol=2e-3)
    hessian = jax.hessian(lambda row: model(row[None])[0, 0])(X[0])
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-6)


def test_vmap_over_values_of_weights_and_checkpoint() -> None:
    model = small()
    own = values(model.trainable_variables)
    stacked = [jnp.stack([w, 2 * w]) for w in own]
    call = lambda weights: model.stateless_call(weights, [], X)[0]  # noqa: E731
    close(jax.vmap(call)(stacked), [call(own), call([2 * w for w in own])])
    loss = lambda weights: jnp.sum(call(weights) ** 2)  # noqa: E731
    close(jax.grad(jax.checkpoint(loss))(own), jax.grad(loss)(own))
    steps = jax.lax.scan(
        lambda w, _: ([a - 0.01 * g for a, g in zip(w, jax.grad(loss)(w), strict=True)], loss(w)), own, None, 5
    )
    assert float(steps[1][-1]) < float(steps[1][0])


def test_shard_map_over_a_model() -> None:
    model = small()
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("batch",))
    split, whole = jax.sharding.PartitionSpec("batch"), jax.sharding.PartitionSpec()
    rows = np.resize(X, (2 * len(jax.devices()), 4))
    mapped = jax.shard_map(
        lambda w, x: model.stateless_call(w, [], x)[0], mesh=mesh, in_specs=(whole, split), out_specs=split
    )
    close([jax.jit(mapped)(values(model.trainable_variables), rows)], [model(rows)])
    direct = jax.shard_map(lambda x: model(x), mesh=mesh, in_specs=split, out_specs=split)
    close([direct(rows)], [model(rows)])


def test_assignments_in_a_function_that_jax_compiles_are_refused() -> None:
    model = small(layers.BatchNormalization())
    with pytest.raises(TypeError, match=r"assigned inside a function that jax compiles.*polykeras.function"):
        jax.jit(lambda x: model(x, training=True))(X)


# ---- metrics, optimizers, loops --------------------------------------------------------------------------------------


def test_metrics_without_state_of_their_own() -> None:
    metric, other = keras.metrics.MeanSquaredError(), keras.metrics.MeanSquaredError()
    update = jax.jit(metric.stateless_update_state)
    state = metric.stateless_reset_state()
    for rows in (slice(0, 2), slice(2, 6)):
        state = update(state, Y[rows], X[rows, :1])
        other.update_state(Y[rows], X[rows, :1])
    assert float(metric.stateless_result(state)) == pytest.approx(np.mean((Y - X[:, :1]) ** 2), rel=1e-5)
    assert float(metric.stateless_result(state)) == pytest.approx(float(other.result()), rel=1e-6)
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop", "lion", "adafactor"])
def test_a_loop_over_stateless_apply_trains_as_apply(name: str) -> None:
    model, twin = small(), small()
    twin.set_weights(model.get_weights())
    optimizer, other = keras.optimizers.get(name), keras.optimizers.get(name)
    optimizer.build(model.trainable_variables)

    def loss(trainable: Any) -> Any:
        return jnp.mean((model.stateless_call(trainable, [], X)[0] - Y) ** 2)

    @jax.jit
    def step(trainable: Any, state: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(trainable)
        return value, *optimizer.stateless_apply(state, gradients, trainable)

    trainable, state = model.trainable_variables, optimizer.variables  # variables, as Keras's guide passes them
    for _ in range(4):
        value, trainable, state = step(trainable, state)
        expected, gradients = keras.value_and_grad(lambda: ops.mean((twin(X) - Y) ** 2), twin.trainable_variables)()
        other.apply(gradients, twin.trainable_variables)
        assert float(value) == pytest.approx(float(expected), rel=1e-5)
    for variable, array in zip(model.trainable_variables, trainable, strict=True):
        variable.assign(array)
    close(model.get_weights(), twin.get_weights(), rtol=1e-4)


def test_a_stateless_scope_around_a_traced_function() -> None:
    model = small(layers.BatchNormalization())
    own, others = values(model.trainable_variables), model.non_trainable_variables

    @jax.jit
    def moved(trainable: Any) -> Any:
        with keras.StatelessScope(zip(model.trainable_variables, trainable, strict=True)) as scope:
            model(X, training=True)
        return [scope.get_current_value(v) for v in others if scope.get_current_value(v) is not None]

    before = [v.numpy() for v in others]
    changed = moved(own)
    assert len(changed) == len(others) == 2
    model(X, training=True)
    close(changed, [v.numpy() for v in others])
    assert all((a != v.numpy()).any() for a, v in zip(before, others, strict=True))


@pytest.mark.parametrize("compiled", [False, True])
def test_optax_over_our_values(compiled: bool) -> None:
    optax = pytest.importorskip("optax")
    model, own = small(), small()
    own.set_weights(model.get_weights())
    optimizer = optax.adam(0.01, eps=1e-7, eps_root=0.0)
    weights, state = values(model.trainable_variables), optimizer.init(model.trainable_variables)

    def step(weights: Any, state: Any) -> Any:
        gradients = jax.grad(lambda w: jnp.mean((model.stateless_call(w, [], X)[0] - Y) ** 2))(weights)
        updates, state = optimizer.update(gradients, state, weights)
        return optax.apply_updates(weights, updates), state

    step = jax.jit(step) if compiled else step
    own.compile(keras.optimizers.Adam(0.01), "mse")
    for _ in range(5):
        weights, state = step(weights, state)
        own.train_on_batch(X, Y)
    close(weights, own.get_weights(), rtol=1e-3)


def test_classes_of_variables_that_are_defined_later() -> None:
    class Scaled(Variable):
        pass

    class Twice(Scaled):
        pass

    for kind in (Scaled, Twice):
        variable = kind(np.arange(3, dtype="float32"))
        assert isinstance(variable, kind)
        total = jax.jit(lambda w: jnp.sum(w**2))(variable)
        assert float(total) == 5.0
        np.testing.assert_array_equal(jax.grad(lambda w: jnp.sum(w**2))(variable), [0.0, 2.0, 4.0])
        np.testing.assert_array_equal(jnp.dot(jnp.ones(3), variable), 3.0)
