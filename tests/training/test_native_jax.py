"""Code in JAX's own form over our models: steps that take and return their state, in `fit` and its kin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

jax = pytest.importorskip("jax")
jnp = jax.numpy

pytestmark = pytest.mark.needs("jax")

X = np.linspace(-1, 1, 96, dtype="float32").reshape(24, 4)
Y = (X[:, :1] - X[:, 1:2] ** 2 > -0.1).astype("float32")


@pytest.fixture(autouse=True)
def on_jax() -> Iterator[None]:
    with keras.use_backend("jax"):
        yield


class StateStep(keras.Model):
    """Keras's way to train with JAX, in full: the state goes through the step."""

    def losses_and_updates(self, trainable: Any, others: Any, x: Any, y: Any, training: bool) -> Any:
        y_pred, others = self.stateless_call(trainable, others, x, training=training)
        return jnp.mean((y - y_pred) ** 2), (y_pred, others)

    def measured(self, variables: Any, loss: Any, y: Any, y_pred: Any) -> tuple[dict[str, Any], list[Any]]:
        logs, updated = {}, []
        for metric in self.metrics:
            own = variables[len(updated) : len(updated) + len(metric.variables)]
            given = (loss,) if metric.name == "loss" else (y, y_pred)
            own = metric.stateless_update_state(own, *given)
            logs[metric.name] = metric.stateless_result(own)
            updated += own
        return logs, updated

    def train_step(self, state: Any, data: Any) -> Any:
        trainable, others, optimizer, metrics = state
        x, y = data
        compute = jax.value_and_grad(self.losses_and_updates, has_aux=True)
        (loss, (y_pred, others)), gradients = compute(trainable, others, x, y, True)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        logs, metrics = self.measured(metrics, loss, y, y_pred)
        return logs, (trainable, others, optimizer, metrics)

    def test_step(self, state: Any, data: Any) -> Any:
        trainable, others, metrics = state
        x, y = data
        loss, (y_pred, others) = self.losses_and_updates(trainable, others, x, y, False)
        logs, metrics = self.measured(metrics, loss, y, y_pred)
        return logs, (trainable, others, metrics)

    def predict_step(self, state: Any, data: Any) -> Any:
        trainable, others = state
        return self.stateless_call(trainable, others, data[0] if isinstance(data, tuple) else data, training=False)


def net(cls: type = StateStep, dropout: float = 0.0) -> Any:
    inputs = keras.Input((4,))
    x = layers.BatchNormalization()(layers.Dense(6, "tanh")(inputs))
    model = cls(inputs, layers.Dense(1)(layers.Dropout(dropout, seed=3)(x)))
    model.compile("adam", "mse", metrics=["mae"])
    return model


def twins(dropout: float = 0.0) -> tuple[Any, Any]:
    """Return a model with steps of the state and one with our own steps, of the same weights."""
    native, neutral = net(StateStep, dropout), net(keras.Model, dropout)
    neutral.set_weights(native.get_weights())
    return native, neutral


def close(found: Any, expected: Any) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("eagerly", [False, True])
def test_steps_with_a_state_train_as_our_own(eagerly: bool) -> None:
    native, neutral = twins(dropout=0.25)
    native.compile("adam", "mse", metrics=["mae"], run_eagerly=eagerly)
    arguments = {"epochs": 3, "batch_size": 6, "verbose": 0, "shuffle": False, "validation_data": (X, Y)}
    found, expected = (model.fit(X, Y, **arguments).history for model in (native, neutral))
    assert found.keys() == expected.keys() == {"loss", "mae", "val_loss", "val_mae"}
    assert found["loss"][-1] < found["loss"][0]
    close([found[name] for name in found], [expected[name] for name in found])
    close(native.get_weights(), neutral.get_weights())
    close([v.numpy() for v in native.optimizer.variables], [v.numpy() for v in neutral.optimizer.variables])


def test_evaluate_predict_and_single_batches_take_them() -> None:
    native, neutral = twins()
    close(native.evaluate(X, Y, verbose=0), neutral.evaluate(X, Y, verbose=0))
    close(native.predict(X, batch_size=5, verbose=0), neutral.predict(X, batch_size=5, verbose=0))
    close(native.predict_on_batch(X), neutral.predict_on_batch(X))
    assert native.train_on_batch(X, Y) == pytest.approx(neutral.train_on_batch(X, Y), rel=1e-5)
    assert native.test_on_batch(X, Y) == pytest.approx(neutral.test_on_batch(X, Y), rel=1e-5)
    close(native.get_weights(), neutral.get_weights())


def test_the_state_is_that_of_keras() -> None:
    seen: dict[str, tuple[int, ...]] = {}

    class Looking(StateStep):
        def train_step(self, state: Any, data: Any) -> Any:
            seen["train"] = tuple(map(len, state))
            return super().train_step(state, data)

        def test_step(self, state: Any, data: Any) -> Any:
            seen["test"] = tuple(map(len, state))
            return super().test_step(state, data)

        def predict_step(self, state: Any, data: Any) -> Any:
            seen["predict"] = tuple(map(len, state))
            return super().predict_step(state, data)

    model = net(Looking)
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    # Two moving statistics and the seed of the dropout; Adam's two slots for six weights, its count and its rate;
    # two means of two numbers.
    assert seen == {"train": (6, 3, 14, 4), "test": (6, 3, 4), "predict": (6, 3)}


def test_a_model_is_built_by_its_first_batch_where_its_layers_are_native() -> None:
    class Net(StateStep):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = layers.Dense(5), layers.Dense(1)

        def call(self, x: Any, training: bool = False) -> Any:
            return self.two(jax.nn.relu(self.one(x)))

    model = Net()
    model.compile("adam", "mse", metrics=["mae"])
    losses = model.fit(X, Y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert int(model.optimizer.iterations) == 5
    assert len(model.optimizer.variables) == 2 + 2 * 4


def test_our_own_steps_take_a_state_too() -> None:
    class Scaled(keras.Model):
        def train_step(self, state: Any, data: Any) -> Any:
            x, y = data
            logs, state = super().train_step(state, (x, y * 1.0))
            return logs | {"first": state[0][0][0, 0]}, state

        def test_step(self, state: Any, data: Any) -> Any:
            return super().test_step(state, data)

        def predict_step(self, state: Any, data: Any) -> Any:
            outputs, others = super().predict_step(state, data)
            return 2.0 * outputs, others

    model, neutral = net(Scaled), net(keras.Model)
    neutral.set_weights(model.get_weights())
    history = model.fit(X, Y, epochs=2, verbose=0, shuffle=False).history
    expected = neutral.fit(X, Y, epochs=2, verbose=0, shuffle=False).history
    close([history["loss"], history["mae"]], [expected["loss"], expected["mae"]])
    assert history["first"][-1] == pytest.approx(float(model.get_weights()[0][0, 0]))
    close(model.evaluate(X, Y, verbose=0), neutral.evaluate(X, Y, verbose=0))
    close(model.predict(X, verbose=0), 2.0 * neutral.predict(X, verbose=0))


def test_steps_of_any_arguments_are_called_as_keras_does() -> None:
    class Alias(StateStep):
        def train_step(self, *args: Any, **kwargs: Any) -> Any:
            return super().train_step(*args, **kwargs)

    native, neutral = net(Alias), net(keras.Model)
    neutral.set_weights(native.get_weights())
    for model in (native, neutral):
        model.fit(X, Y, verbose=0, shuffle=False)
    close(native.get_weights(), neutral.get_weights())


def test_a_gan_with_two_optimizers() -> None:
    class Gan(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.maker = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
            self.judge = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
            self.seeds = keras.random.SeedGenerator(1)
            self.built = True

        def compile(self, maker: Any, judge: Any) -> None:
            super().compile()
            self.maker_optimizer, self.judge_optimizer = maker, judge
            maker.build(self.maker.trainable_variables)
            judge.build(self.judge.trainable_variables)

        def judged(self, judge: Any, real: Any, fake: Any) -> Any:
            score = lambda x: self.judge.stateless_call(judge, [], x)[0]  # noqa: E731
            return jnp.mean(jax.nn.softplus(-score(real)) + jax.nn.softplus(score(fake)))

        def made(self, maker: Any, judge: Any, noise: Any) -> Any:
            fake, _ = self.maker.stateless_call(maker, [], noise)
            return jnp.mean(jax.nn.softplus(-self.judge.stateless_call(judge, [], fake)[0]))

        def train_step(self, state: Any, data: Any) -> Any:
            trainable, others, optimizer, metrics = state
            count = len(self.maker.trainable_variables)
            maker, judge = trainable[:count], trainable[count:]
            noise = keras.random.normal((data.shape[0], 2), seed=self.seeds)
            fake, _ = self.maker.stateless_call(maker, [], noise)
            judge_loss, gradients = jax.value_and_grad(self.judged)(judge, data, fake)
            slots = [v.value for v in self.judge_optimizer.variables]
            judge, slots = self.judge_optimizer.stateless_apply(slots, gradients, judge)
            for variable, value in zip(self.judge_optimizer.variables, slots, strict=True):
                variable.assign(value)
            maker_loss, gradients = jax.value_and_grad(self.made)(maker, judge, noise)
            slots = [v.value for v in self.maker_optimizer.variables]
            maker, slots = self.maker_optimizer.stateless_apply(slots, gradients, maker)
            for variable, value in zip(self.maker_optimizer.variables, slots, strict=True):
                variable.assign(value)
            return {"judge": judge_loss, "maker": maker_loss}, (maker + judge, others, optimizer, metrics)

    model = Gan()
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    before = model.get_weights()
    history = model.fit(X + 3.0, epochs=4, batch_size=8, verbose=0).history
    assert np.isfinite(history["judge"] + history["maker"]).all()
    assert history["judge"][-1] < history["judge"][0]
    assert all((a != b).any() for a, b in zip(model.get_weights(), before, strict=True))
    assert int(model.maker_optimizer.iterations) == int(model.judge_optimizer.iterations) == 12


def test_logs_that_are_one_number_stand_for_all_metrics() -> None:
    # Keras's guide leaves the result of its last metric; where that is no metric of `compile`, it is one number.
    class Guide(StateStep):
        def train_step(self, state: Any, data: Any) -> Any:
            logs, state = super().train_step(state, data)
            return logs["loss"], state

    model, neutral = net(Guide), net(keras.Model)
    neutral.set_weights(model.get_weights())
    found, expected = (m.fit(X, Y, verbose=0, shuffle=False).history for m in (model, neutral))
    assert found.keys() == expected.keys()
    close([found["loss"], found["mae"]], [expected["loss"], expected["mae"]])


@pytest.mark.parametrize(
    ("returned", "error", "match"),
    [
        (lambda logs, state: logs, TypeError, "must return .logs, state."),
        (lambda logs, state: (logs, state[:3]), TypeError, "as 4 lists"),
        (
            lambda logs, state: (logs, (state[0][:-1], *state[1:])),
            ValueError,
            "`trainable_variables` are 6; received 5",
        ),
        (lambda logs, state: (logs, (state[0], [None] * 3, *state[2:])), ValueError, "is None"),
        (lambda logs, state: (logs, ([x[None] for x in state[0]], *state[1:])), ValueError, "has shape"),
    ],
)
def test_mistakes_say_what_was_expected(returned: Callable[..., Any], error: type, match: str) -> None:
    class Wrong(StateStep):
        def train_step(self, state: Any, data: Any) -> Any:
            return returned(*super().train_step(state, data))

    with pytest.raises(error, match=match):
        net(Wrong).fit(X, Y, verbose=0)


def test_files_after_native_training(tmp_path: Path) -> None:
    model = net()
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={"StateStep": StateStep})
    close(loaded.get_weights(), model.get_weights())
    loaded.fit(X, Y, verbose=0, shuffle=False)
    model.fit(X, Y, verbose=0, shuffle=False)
    close(loaded.get_weights(), model.get_weights())


def test_callbacks_metrics_and_guards_are_those_of_fit() -> None:
    class Watch(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[float] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seen.append(float(self.model.optimizer.iterations.numpy()))

    watch, model = Watch(), net()
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[watch])
    assert watch.seen == [1, 2, 3, 4, 5, 6]
    broken = net()
    broken.layers[1].kernel.assign(np.full((4, 6), np.nan, "float32"))
    keras.config.set_nan_guard(True)
    try:
        with pytest.raises(FloatingPointError, match="before the step|dense"):
            broken.fit(X, Y, verbose=0)
    finally:
        keras.config.set_nan_guard(False)


def pairs(x: Any) -> Any:
    return jnp.stack([jnp.tanh(x), x * x])


class Transformed(layers.Layer):
    """Calls JAX's transformations; `plain` does the same without them."""

    plain = False

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight((shape[-1], 3))

    def call(self, x: Any) -> Any:
        if self.plain:
            y = jnp.tanh(x @ self.kernel.value)
            return jnp.sum(pairs(y), axis=0) + 1.0 - jnp.tanh(y) ** 2 + 2.0 * y
        y = jax.checkpoint(lambda w: jnp.tanh(x @ w))(self.kernel.value)
        slopes = jax.vmap(jax.vmap(jax.grad(lambda v: jnp.sum(pairs(v)))))(y)
        mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("batch",))
        whole = jax.sharding.PartitionSpec()
        summed = jax.shard_map(lambda v: jnp.sum(pairs(v), axis=0), mesh=mesh, in_specs=whole, out_specs=whole)
        return jax.jit(summed)(y) + slopes


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("step", [keras.Model, StateStep])
def test_transformations_within_a_layer_that_fit_trains(step: Any, eagerly: bool) -> None:
    results = []
    for plain in (True, False):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4,))
        layer = Transformed()
        layer.plain = plain
        model = step(inputs, layers.Dense(1)(layer(inputs)))
        model.compile(keras.optimizers.SGD(0.02), "mse", run_eagerly=eagerly)
        history = model.fit(X, Y, batch_size=8, epochs=4, shuffle=False, verbose=0).history["loss"]
        results.append([*history, *model.predict(X, verbose=0)[:, 0]])
        assert history[-1] < history[0]
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-5)


def test_optax_in_a_step_that_fit_runs() -> None:
    optax = pytest.importorskip("optax")
    transform = optax.adam(0.01, eps=1e-7)

    class ByOptax(StateStep):
        """The state of optax's optimizer lies in weights of the model, leaf by leaf."""

        def train_step(self, state: Any, data: Any) -> Any:
            trainable, others, optimizer, metrics = state
            x, y = data
            compute = jax.value_and_grad(self.losses_and_updates, has_aux=True)
            (loss, (y_pred, _)), gradients = compute(trainable, others, x, y, True)
            kept = jax.tree.unflatten(self.structure, others)
            updates, kept = transform.update(gradients, kept, trainable)
            trainable = optax.apply_updates(trainable, updates)
            logs, metrics = self.measured(metrics, loss, y, y_pred)
            return logs, (trainable, jax.tree.leaves(kept), optimizer, metrics)

    results = []
    for cls in (keras.Model, ByOptax):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4,))
        model = cls(inputs, layers.Dense(1)(layers.Dense(5, "tanh")(inputs)))
        if cls is ByOptax:
            kept, model.structure = jax.tree.flatten(transform.init([v.value for v in model.trainable_variables]))
            model.kept = [keras.Variable(leaf, dtype=str(leaf.dtype), trainable=False) for leaf in kept]
        model.compile(keras.optimizers.Adam(0.01), "mse")
        model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        results.append([w.numpy() for w in model.trainable_variables])
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=1e-3, atol=1e-5)
