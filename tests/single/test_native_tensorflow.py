"""TensorFlow's own idiom over our variables: tapes, `tf.function`, modules; in eager code, in functions, in `fit`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polykeras import (
    Variable,
    config,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    utils,
    value_and_grad,
)
from polykeras.backend import use_backend

tf = pytest.importorskip("polykeras_tensorflow.backend").tf
pytestmark = [pytest.mark.needs("tensorflow"), pytest.mark.usefixtures("on_tensorflow")]

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(32, 8)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


def mlp(*middle: Any) -> models.Sequential:
    return models.Sequential([layers.Input((8,)), layers.Dense(16, activation="relu"), *middle, layers.Dense(1)])


def loss_of(model: Any, x: Any = X, y: Any = Y, training: bool = True) -> Any:
    return ops.mean(ops.square(model(x, training=training) - y))


def tape_step(model: Any, optimizer: Any, apply: bool = False) -> Callable[[Any, Any], Any]:
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(model, x, y)
        gradients = tape.gradient(loss, model.trainable_variables)
        if apply:
            optimizer.apply(gradients, model.trainable_variables)
        else:
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def neutral_step(model: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
    def step(x: Any, y: Any) -> Any:
        loss, gradients = value_and_grad(lambda: loss_of(model, x, y), model.trainable_variables)()
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


# ---- gradients -------------------------------------------------------------------------------------------------------

IMAGES = DRAWS.normal(size=(2, 6, 6, 3)).astype("float32")
ROWS = DRAWS.normal(size=(2, 5, 4)).astype("float32")
LAYERS: dict[str, tuple[Callable[[], Any], Any]] = {
    "dense": (lambda: layers.Dense(3), X),
    "conv": (lambda: layers.Conv2D(4, 3, activation="tanh"), IMAGES),
    "depthwise": (lambda: layers.DepthwiseConv2D(3), IMAGES),
    "lstm": (lambda: layers.LSTM(3), ROWS),
    "gru": (lambda: layers.GRU(3, return_sequences=True), ROWS),
    "bidirectional": (lambda: layers.Bidirectional(layers.SimpleRNN(3)), ROWS),
    "attention": (lambda: SelfAttention(), ROWS),
    "batch norm": (lambda: layers.BatchNormalization(), IMAGES),
    "layer norm": (lambda: layers.LayerNormalization(), ROWS),
    "dropout": (lambda: models.Sequential([layers.Dense(3), layers.Dropout(0.5, seed=1)]), X),
    "embedding": (lambda: layers.Embedding(5, 3), np.array([[1, 2, 1], [0, 4, 4]])),
}


class SelfAttention(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 3)

    def call(self, x: Any) -> Any:
        return self.attention(x, x)


def squares(layer: Any, x: Any) -> Any:
    return ops.sum(ops.square(layer(x, training=True) if not isinstance(layer, SelfAttention) else layer(x)))


@pytest.mark.parametrize("place", ["eager", "function"])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_by_tape_equal_ours(name: str, place: str) -> None:
    make, x = LAYERS[name]
    layer = make()
    squares(layer, x)
    variables = layer.trainable_variables
    seeds = [v for v in layer.variables if "seed" in v.path]
    before = [v.numpy() for v in seeds]
    expected = value_and_grad(lambda: squares(layer, x), variables)()[1]
    for seed, value in zip(seeds, before, strict=True):
        seed.assign(value)

    def gradients() -> Any:
        with tf.GradientTape() as tape:
            loss = squares(layer, x)
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]

    found = tf.function(gradients)() if place == "function" else gradients()
    for mine, theirs in zip(expected, found, strict=True):
        scale = max(1.0, float(np.abs(mine).max()))
        np.testing.assert_allclose(np.asarray(theirs) / scale, np.asarray(mine) / scale, atol=2e-6)


def test_persistent_tapes_keep_what_they_saw() -> None:
    layer = layers.Dense(2)
    layer(X)
    with tf.GradientTape(persistent=True) as tape:
        y = layer(X)
        first, second = tf.reduce_sum(y), tf.reduce_sum(y * y)
    by_sum = tape.gradient(first, layer.kernel)
    layer.kernel.assign(ops.zeros((8, 2)))  # between the two, as an optimizer does
    np.testing.assert_allclose(by_sum, np.repeat(X.sum(0)[:, None], 2, axis=1), rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(second, layer.kernel), 2 * X.T @ y.numpy(), rtol=1e-4, atol=1e-4)
    assert tape.jacobian(y, layer.bias).shape == (32, 2, 2)


def test_one_value_in_two_variables_has_a_gradient_for_each() -> None:
    first, second = Variable([2.0]), Variable([3.0])
    second.assign(first)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(first * first * first + second)
    assert [float(g[0]) for g in tape.gradient(loss, [first, second])] == [12.0, 1.0]


def test_watching_and_second_derivatives() -> None:
    w = Variable([1.0, 2.0])
    frozen = Variable([3.0], trainable=False)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([w])
        loss = ops.sum(w * w * frozen)
    assert [None if g is None else g.numpy().tolist() for g in tape.gradient(loss, [w, frozen])] == [[6.0, 12.0], None]
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            loss = ops.sum(w * w * w)
        penalty = ops.sum(inner.gradient(loss, w) ** 2)  # 9 w^4
    assert outer.gradient(penalty, w).numpy().tolist() == [36.0, 288.0]
    with tf.GradientTape() as outer:
        penalty = ops.sum(value_and_grad(lambda: ops.sum(w * w * w), [w])()[1][0] ** 2)
    assert outer.gradient(penalty, w).numpy().tolist() == [36.0, 288.0]
    with tf.GradientTape() as tape:
        loss = w[0] * 5.0
    assert [v is w for v in tape.watched_variables()] == [True]
    assert tape.gradient(loss, frozen) is None


@pytest.mark.parametrize("frozen", ["before", "after", "in a function"])
def test_tapes_watch_no_frozen_variables(frozen: str) -> None:
    w, other = Variable(2.0, trainable=frozen != "before"), Variable(3.0)
    if frozen != "before":
        assert w.handle is not None  # a `tf.Variable` stores it
        w.trainable = False

    def gradients() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w * w * other)
        assert [v is other for v in tape.watched_variables()] == [True]
        return [-1.0 if g is None else g for g in tape.gradient(loss, [w, other])]

    run = tf.function(gradients) if frozen == "in a function" else gradients
    assert [float(g) for g in run()] == [-1.0, 4.0]
    w.trainable = True
    with tf.GradientTape() as tape:
        loss = w * w
    assert float(tape.gradient(loss, w)) == 4.0


def test_tapes_watch_no_moving_statistics() -> None:
    model = mlp(layers.BatchNormalization())
    for run in (lambda f: f(), lambda f: tf.function(f)()):
        tapes = []

        def step() -> None:
            with tf.GradientTape() as tape:
                loss_of(model)
            tapes.append(tape)  # noqa: B023

        run(step)
        watched = tapes[0].watched_variables()
        assert {id(v) for v in watched} == {id(v) for v in model.trainable_variables}


def test_threads_that_look_first_at_once_find_one_variable() -> None:
    import sys

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            variable, start, found = Variable([1.0, 2.0]), threading.Barrier(4), []

            def look(variable: Any = variable, start: Any = start, found: list[Any] = found) -> None:
                start.wait()
                found.append(variable.handle)

            threads = [threading.Thread(target=look) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert [handle is variable.handle for handle in found] == [True] * 4
    finally:
        sys.setswitchinterval(before)


def test_a_function_is_differentiated_from_outside() -> None:
    layer = layers.Dense(2)
    expected = value_and_grad(lambda: ops.sum(layer(X) ** 2), [layer(X) is not None and layer.kernel])()[1][0]
    compiled = tf.function(lambda x: layer(x))
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(compiled(X) ** 2)
        np.testing.assert_allclose(tape.gradient(loss, layer.kernel), expected, rtol=1e-5)


def test_models_compiled_by_us_are_differentiated_by_tapes() -> None:
    model = mlp()
    expected = value_and_grad(lambda: loss_of(model, training=False), model.trainable_variables)()[1]
    for _ in range(4):  # from the third call on it is compiled
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(X) - Y) ** 2)
        found = tape.gradient(loss, model.trainable_variables)
        for mine, theirs in zip(expected, found, strict=True):
            np.testing.assert_allclose(theirs, mine, rtol=1e-5, atol=1e-6)


# ---- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adamw", "lion"])
@pytest.mark.parametrize("place", ["eager", "function"])
def test_training_is_that_of_the_neutral_dialect(optimizer: str, place: str) -> None:
    """The same losses, with batch norm's averages and dropout's seeds moving on."""
    found = []
    for native in (False, True):
        utils.set_random_seed(3)
        model = mlp(layers.BatchNormalization(), layers.Dropout(0.3))
        own = optimizers.get({"class_name": optimizer, "config": {"learning_rate": 0.01}})
        step = tape_step(model, own, apply=optimizer == "adam") if native else neutral_step(model, own)
        if native and place == "function":
            step = tf.function(step)
        found.append(([float(step(X, Y)) for _ in range(6)], model.get_weights(), int(own.iterations)))
    (ours, weights, count), (theirs, native_weights, native_count) = found
    np.testing.assert_allclose(theirs, ours, rtol=1e-4)
    assert count == native_count == 6
    for mine, other in zip(weights, native_weights, strict=True):
        np.testing.assert_allclose(other, mine, rtol=1e-3, atol=1e-5)


def test_metrics_count_in_functions() -> None:
    mean, accuracy = metrics.Mean(), metrics.BinaryAccuracy()

    @tf.function
    def update(x: Any) -> Any:
        mean.update_state(x)
        accuracy.update_state(tf.ones_like(x), x)
        return mean.result()

    assert [float(update(tf.constant([v]))) for v in (1.0, 0.0, 5.0)] == [1.0, 0.5, 2.0]
    assert float(accuracy.result()) == pytest.approx(2 / 3)
    mean.reset_state()
    assert float(update(tf.constant([7.0]))) == 7.0
    tf.function(mean.reset_state)()
    assert float(mean.result()) == 0.0


def test_functions_see_what_is_assigned_outside(tmp_path: Path) -> None:
    model, optimizer = mlp(), optimizers.Adam(0.01)
    step = tf.function(tape_step(model, optimizer))
    first = float(step(X, Y))
    model.save_weights(tmp_path / "m.weights.h5")
    after = [v.numpy() for v in model.variables]
    second = float(step(X, Y))
    assert second < first
    model.load_weights(tmp_path / "m.weights.h5")
    for variable, value in zip(model.variables, after, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert float(step(X, Y)) == pytest.approx(second, rel=1e-5)
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, verbose=0)  # our own loop goes on with them, and the function with what it leaves
    expected = float(loss_of(model))
    assert float(step(X, Y)) == pytest.approx(expected, rel=1e-5)
    with use_backend("numpy"):
        np.testing.assert_allclose(float(loss_of(model)), float(np.asarray(loss_of(model))), rtol=1e-5)
        model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    assert float(step(X, Y)) == pytest.approx(float(np.mean(Y**2)))
    model.save(tmp_path / "m.keras")
    loaded = models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)


def test_missing_gradients_are_named() -> None:
    used, unused = Variable([1.0], name="used"), Variable([1.0], name="unused")
    with tf.GradientTape() as tape:
        loss = used * 2.0
    gradients = tape.gradient(loss, [used, unused])
    with pytest.warns(UserWarning, match="'unused' has no gradient"):
        optimizers.SGD(1.0).apply_gradients(zip(gradients, [used, unused], strict=True))
    assert (used.numpy().tolist(), unused.numpy().tolist()) == ([-1.0], [1.0])


NESTED: dict[str, Callable[[], Any]] = {
    "plain": lambda: optimizers.Adam(0.1, use_ema=True),
    "scaled": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.1), initial_scale=1.0),
    "many": lambda: optimizers.MultiOptimizer(lambda variable: multi),
}
multi = optimizers.Adam(0.1)


@pytest.mark.parametrize("kind", NESTED)
def test_optimizers_take_variables_of_tensorflow(kind: str) -> None:
    image, fixed, optimizer = tf.Variable([1.0, -2.0]), tf.Variable([5.0], trainable=False), NESTED[kind]()
    mean, square, expected = np.zeros(2), np.zeros(2), np.array([1.0, -2.0])

    @tf.function
    def gradients(image: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(image**2)
        return tape.gradient(loss, [image])

    for step in range(1, 4):
        mean, square = 0.9 * mean + 0.2 * expected, 0.999 * square + 0.001 * (2 * expected) ** 2
        pairs = [*zip(gradients(image), [image], strict=True), (tf.ones((1,)), fixed)]
        if step == 1:
            optimizer.build([image, fixed])
        optimizer.apply_gradients(pairs)
        expected = expected - 0.1 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-7)
    np.testing.assert_allclose(image.numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(fixed.numpy(), [4.7], rtol=1e-5)  # given to the optimizer, it is updated, as in Keras
    optimizer.finalize_variable_values([image, fixed])
    with pytest.raises(ValueError, match="was built with other variables"):
        optimizer.apply([tf.ones((2,))], [tf.Variable([0.0, 0.0])])


def test_optimizers_update_variables_of_tensorflow_by_rows_and_in_functions() -> None:
    table, optimizer = tf.Variable(tf.zeros((3, 2))), optimizers.SGD(0.5)

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, [2, 0, 2]))
        optimizer.apply_gradients(zip(tape.gradient(loss, [table]), [table], strict=True))

    step()
    step()
    assert table.numpy().tolist() == [[-1.0, -1.0], [0.0, 0.0], [-2.0, -2.0]]


def test_layers_of_users_are_built_in_functions() -> None:
    class Own(layers.Layer):
        def build(self, shape: Any) -> None:
            self.w = Variable(initializers.GlorotUniform(seed=1)((shape[-1], 1)), name="kernel")
            self.b = Variable(initializers.Zeros()((1,)), name="bias")

        def call(self, x: Any) -> Any:
            return ops.matmul(x, self.w) + self.b

    model, twin = models.Sequential([Own()]), models.Sequential([Own()])
    twin(X)
    expected = [float(neutral_step(twin, optimizers.SGD(0.1))(X, Y)) for _ in range(3)]
    step = tf.function(tape_step(model, optimizers.SGD(0.1)), jit_compile=True)
    np.testing.assert_allclose([float(step(X, Y)) for _ in range(3)], expected, rtol=1e-5)
    assert expected[2] < expected[0]


@pytest.mark.parametrize("other", [np.zeros(2), tf.zeros((2,)), "kernel"], ids=["array", "tensor", "name"])
def test_optimizers_refuse_what_is_no_variable(other: Any) -> None:
    with pytest.raises(TypeError, match="'sgd.*' updates variables: .* Received .* of (ndarray|EagerTensor|str)"):
        optimizers.SGD(0.1).apply([tf.zeros((2,))], [other])


def test_neutral_code_makes_no_variables_of_tensorflow() -> None:
    model = mlp(layers.BatchNormalization(), layers.Dropout(0.1))
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=1, verbose=0)
    model(X)
    neutral_step(model, optimizers.SGD())(X, Y)
    stored = [v for v in [*model.variables, *model.optimizer.variables] if v.native_object is not None]
    assert stored == []


# ---- in fit ----------------------------------------------------------------------------------------------------------


class Taped(models.Model):
    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return self.compute_metrics(x, y, y_pred) | {"loss": loss}


class Old(models.Model):
    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.compiled_metrics.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Any:
        return super().compute_loss(x, y, y_pred, sample_weight)


class Decorated(Taped):
    @tf.function
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


def built(cls: type[Any]) -> Any:
    utils.set_random_seed(5)
    inputs = layers.Input((8,))
    hidden = layers.Dropout(0.2)(layers.BatchNormalization()(layers.Dense(8, kernel_regularizer="l2")(inputs)))
    return cls(inputs, layers.Dense(1)(hidden))


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("cls", [Taped, Old, Decorated])
def test_steps_with_tapes_in_fit(cls: type[Any], eagerly: bool) -> None:
    results = []
    for made in (models.Model, cls):
        model = built(made)
        model.compile(optimizers.Adam(0.01), "mse", metrics=["mae"], run_eagerly=eagerly)
        history = model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
        results.append((model.get_weights(), history["mae"]))
        assert np.isfinite(history["loss"]).all()
        assert history["mae"][1] < history["mae"][0]
        model.evaluate(X, Y, verbose=0)
    for mine, theirs in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=2e-3, atol=2e-5)
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-3)


class Gan(models.Model):
    def __init__(self) -> None:
        super().__init__()
        self.generator, self.critic = mlp(), models.Sequential([layers.Input((1,)), layers.Dense(1)])
        self.g_optimizer, self.d_optimizer = optimizers.Adam(0.01), optimizers.Adam(0.01)
        self.g_loss = metrics.Mean(name="g_loss")
        self.distance = losses.BinaryCrossentropy(from_logits=True)

    def call(self, x: Any) -> Any:
        return self.generator(x)

    def train_step(self, real: Any) -> Any:
        real = real[0] if isinstance(real, tuple) else real
        rows = tf.shape(real)[0]
        fake = self.generator(random.normal((rows, 8)))
        labels = tf.concat([tf.ones((rows, 1)), tf.zeros((rows, 1))], axis=0)
        labels += 0.05 * random.uniform(tf.shape(labels))
        with tf.GradientTape() as tape:
            d_loss = self.distance(labels, self.critic(tf.concat([fake, real], axis=0)))
        weights = self.critic.trainable_weights
        self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            g_loss = self.distance(tf.zeros((rows, 1)), self.critic(self.generator(random.normal((rows, 8)))))
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        self.g_loss.update_state(g_loss)
        return {"g_loss": self.g_loss.result(), "d_loss": d_loss}


@pytest.mark.parametrize("eagerly", [False, True])
def test_two_tapes_and_two_optimizers_in_a_step(eagerly: bool) -> None:
    model = Gan()
    model(X)
    model.compile(run_eagerly=eagerly)
    before = [v.numpy() for v in model.trainable_variables]
    history = model.fit(Y, batch_size=8, epochs=3, verbose=0).history
    assert np.isfinite([*history["g_loss"], *history["d_loss"]]).all()
    assert all(np.abs(v.numpy() - b).max() > 0 for v, b in zip(model.trainable_variables, before, strict=True))
    assert int(model.g_optimizer.iterations) == int(model.d_optimizer.iterations) == 12


# ---- variables and modules of TensorFlow's own -----------------------------------------------------------------------


class Module(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(np.full((8, 4), 0.1, "float32"), name="w")
        self.calls = tf.Variable(0.0, trainable=False, name="calls")

    def __call__(self, x: Any) -> Any:
        self.calls.assign_add(1.0)
        return tf.nn.tanh(tf.matmul(x, self.w))


class Holder(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.module = Module()
        self.v = tf.Variable(np.full((4, 1), 0.1, "float32"), name="v")
        self.rows = tf.Variable(np.zeros((3, 1), "float32"), name="rows")

    def call(self, x: Any) -> Any:
        return tf.matmul(self.module(x), self.v) + tf.nn.embedding_lookup(self.rows, [1])


class Held(models.Model):
    def __init__(self) -> None:
        super().__init__()
        self.holder = Holder()

    def call(self, x: Any, training: bool = False) -> Any:
        return self.holder(x)


class HeldAndTaped(Held, Taped):
    pass


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("cls", [Held, HeldAndTaped])
def test_their_variables_are_trained_by_fit(cls: type[Any], eagerly: bool, tmp_path: Path) -> None:
    model, plain = cls(), Held()
    model(X), plain(X)
    assert [w.path for w in model.trainable_weights] == ["holder/w", "holder/v", "holder/rows"] or len(
        model.trainable_weights
    ) == 3
    assert len(model.non_trainable_weights) == 1
    expected = []
    for _ in range(2):  # by TensorFlow alone
        variables = [plain.holder.module.w, plain.holder.v, plain.holder.rows]
        for start in range(0, 32, 8):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((plain.holder.call(X[start : start + 8]) - Y[start : start + 8]) ** 2)
            for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
                variable.assign_sub(0.1 * tf.convert_to_tensor(gradient))
        expected = [v.numpy() for v in variables]
    model.compile(optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
    calls = float(model.holder.module.calls)
    model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    found = [model.holder.module.w, model.holder.v, model.holder.rows]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-4, atol=1e-6)
    assert float(model.holder.module.calls) == calls + 8
    assert len(model.holder.module.trainable_variables) == 1
    assert isinstance(model.holder.v, tf.Variable)
    model.save_weights(tmp_path / "m.weights.h5")
    other = cls()
    other(X)
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other.holder.module.w.numpy(), model.holder.module.w.numpy())
    np.testing.assert_allclose(other.predict(X, verbose=0), model(X), rtol=1e-6)


def test_their_variables_have_our_gradients_and_theirs() -> None:
    model = Held()
    model(X)
    ours = value_and_grad(lambda: loss_of(model), model.trainable_variables)()[1]
    for run in (lambda f: f(), lambda f: tf.function(f)()):

        def gradients() -> Any:
            with tf.GradientTape() as tape:
                loss = loss_of(model)
            return [tf.convert_to_tensor(g) for g in tape.gradient(loss, model.trainable_variables)]

        for mine, theirs in zip(ours, run(gradients), strict=True):
            np.testing.assert_allclose(theirs, mine, rtol=1e-5, atol=1e-7)
            assert float(np.abs(mine).max()) > 0


@pytest.mark.parametrize("seen", ["before", "in the step"])
def test_steps_are_verified_where_variables_are_stored_by_tensorflow(seen: str) -> None:
    model, plain = built(Taped), built(Taped)
    for each in (model, plain):
        each.compile(optimizers.Adam(0.01), "mse")
    if seen == "before":
        with tf.GradientTape() as tape:
            loss = loss_of(model, training=False)
        tape.gradient(loss, model.trainable_variables)
        assert model.weights[0].location == "tensorflow"
    utils.set_random_seed(0)
    plain.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    utils.set_random_seed(0)
    verify = config.verify()
    config.set_verify(1)
    try:
        model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    finally:
        config.set_verify(verify)
    for mine, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


# ---- sizes -----------------------------------------------------------------------------------------------------------


def test_sizes_that_a_graph_knows() -> None:
    @tf.function
    def run(x: Any) -> Any:
        rows = tf.shape(x)[0]
        made = ops.zeros((rows, 2)), random.normal((rows, 3)), random.uniform(tf.shape(x)), ops.arange(rows)
        return *made, ops.full((rows, 1), 0.5), ops.broadcast_to(x[:1], tf.shape(x)), ops.reshape(x, (rows, -1))

    shapes = [tuple(result.shape) for result in run(X)]
    assert shapes == [(32, 2), (32, 3), (32, 8), (32,), (32, 1), (32, 8), (32, 8)]
    unknown = tf.function(lambda x: ops.zeros((tf.shape(x)[0],)), input_signature=[tf.TensorSpec((None, 8))])
    with pytest.raises(TypeError, match="computed when the graph runs"):
        unknown(X)


def test_numpy_functions_of_tensorflow_take_variables() -> None:
    from tensorflow.experimental import numpy as tnp

    weight = Variable([[1.0], [2.0]], name="w")
    assert tf.is_tensor(weight)

    def slope() -> Any:
        with tf.GradientTape() as tape:
            loss = tnp.sum(tnp.matmul(np.array([[3.0, 4.0]], "float32"), weight))
        return tape.gradient(loss, weight)

    assert slope().numpy().tolist() == [[3.0], [4.0]]
    assert tf.function(slope)().numpy().tolist() == [[3.0], [4.0]]
