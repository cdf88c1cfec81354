"""What a user writes: layers, models, losses, metrics and callbacks, made with either library."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

HOOKS = ("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_test_begin", "on_test_end")
BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_test_batch_begin", "on_test_batch_end")


def own_classes(keras: Any, framework: str) -> SimpleNamespace:
    """Return a user's classes and functions, by name."""
    found: dict[str, Any] = {}
    for make in (own_initializer, own_layers, own_models, own_losses, own_metrics, own_callbacks):
        found |= make(keras)
    return SimpleNamespace(**found, **own_step(keras, framework, found["Plain"]))


def _registered(keras: Any, *objects: Any) -> dict[str, Any]:
    for entry in objects:  # as if they stood in a user's file, where `pickle` looks for them
        entry.__qualname__ = entry.__name__
        globals()[entry.__name__] = entry
    return {entry.__name__: keras.saving.register_keras_serializable("programs")(entry) for entry in objects}


def own_initializer(keras: Any) -> dict[str, Any]:
    """Return an initializer that draws nothing: waves, so that no two weights of a layer are equal."""

    class Waves(keras.initializers.Initializer):
        def __init__(self, phase: float = 0.3) -> None:
            self.phase = phase

        def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Any:
            values = 0.5 * np.sin(np.arange(int(np.prod(shape))) * 1.7 + self.phase)
            return keras.ops.cast(
                keras.ops.convert_to_tensor(values.reshape(shape).astype("float32")), dtype or "float32"
            )

        def get_config(self) -> dict[str, Any]:
            return {"phase": self.phase}

    return _registered(keras, Waves)


def own_layers(keras: Any) -> dict[str, Any]:
    """Return layers with losses, weights, counters and metrics of their own."""
    ops = keras.ops

    class AddsLoss(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(0.1 * ops.mean(ops.square(x)))
            return x

    class Scale(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.factor = self.add_weight(shape=(shape[-1],), initializer="ones", name="factor")
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

        def call(self, x: Any, training: bool = False) -> Any:
            if training:
                self.calls.assign(self.calls + 1.0)
            return x * self.factor

    class Measured(keras.layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.seen = keras.metrics.Mean(name="seen")

        def call(self, x: Any) -> Any:
            self.seen.update_state(ops.mean(ops.abs(x)))
            return x

    return _registered(keras, AddsLoss, Scale, Measured)


def own_models(keras: Any) -> dict[str, Any]:
    """Return subclassed models: one or two outputs, terms of the loss, metrics of their own."""
    ops, waves = keras.ops, "programs>Waves"

    def dense(units: int, activation: Any = None) -> Any:
        return keras.layers.Dense(
            units, activation, kernel_initializer={"class_name": waves, "config": {"phase": 0.2 * units}}
        )

    class TwoHeads(keras.Model):
        def __init__(self, returns: str = "dict", **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.returns = returns
            self.body, self.left, self.right = dense(3, "tanh"), dense(2), dense(1, "sigmoid")

        def call(self, x: Any) -> Any:
            x = self.body(x)
            left, right = self.left(x), self.right(x)
            return {"a": left, "b": right} if self.returns == "dict" else (left, right)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "returns": self.returns}

    class Plain(keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.body, self.last = dense(3, "tanh"), dense(2)

        def call(self, x: Any) -> Any:
            return self.last(self.body(x))

    class OwnLossTerm(Plain):
        term = 0.01

        def compute_loss(
            self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
        ) -> Any:
            return super().compute_loss(x, y, y_pred, sample_weight, training) + self.term * ops.mean(
                ops.square(y_pred)
            )

    class OwnMetrics(Plain):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.largest = keras.metrics.Mean(name="largest")

        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            self.largest.update_state(ops.max(y_pred))
            return super().compute_metrics(x, y, y_pred, sample_weight)

    return _registered(keras, TwoHeads, Plain, OwnLossTerm, OwnMetrics)


def own_step(keras: Any, framework: str, plain: Any) -> dict[str, Any]:
    """Return a model whose `train_step` is in the framework's own way, as Keras's guides have it."""
    ops = keras.ops

    class OwnStep(plain):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.tracker = keras.metrics.Mean(name="loss")

        @property
        def metrics(self) -> list[Any]:
            return [self.tracker]

        def test_step(self, data: Any) -> Any:
            self.tracker.update_state(ops.mean(ops.square(self(data[0], training=False) - data[1])))
            return {"loss": self.tracker.result()}

        if framework == "torch":

            def train_step(self, data: Any) -> Any:
                x, y = data[:2]
                self.zero_grad()
                loss = ops.mean(ops.square(ops.subtract(self(x, training=True), y)))  # NumPy arrays in Keras
                loss.backward()
                weights = list(self.trainable_weights)
                self.optimizer.apply([w.value.grad for w in weights], weights)
                self.tracker.update_state(loss)
                return {"loss": self.tracker.result()}

        elif framework == "tensorflow":

            def train_step(self, data: Any) -> Any:
                import tensorflow as tf

                x, y = data[:2]
                with tf.GradientTape() as tape:
                    loss = ops.mean(ops.square(self(x, training=True) - y))
                self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
                self.tracker.update_state(loss)
                return {"loss": self.tracker.result()}

        elif framework == "jax":

            def train_step(self, state: Any, data: Any) -> Any:
                import jax

                x, y = data[:2]
                weights, others, slots, counts = state

                def loss_of(weights: Any) -> Any:
                    y_pred, after = self.stateless_call(weights, others, x)
                    return ops.mean(ops.square(y_pred - y)), after

                (loss, after), slopes = jax.value_and_grad(loss_of, has_aux=True)(weights)
                weights, slots = self.optimizer.stateless_apply(slots, slopes, weights)
                counts = self.tracker.stateless_update_state(counts, loss)
                return {"loss": self.tracker.stateless_result(counts)}, (weights, after, slots, counts)

            def test_step(self, state: Any, data: Any) -> Any:
                weights, others, counts = state
                y_pred, others = self.stateless_call(weights, others, data[0])
                counts = self.tracker.stateless_update_state(counts, ops.mean(ops.square(y_pred - data[1])))
                return {"loss": self.tracker.stateless_result(counts)}, (weights, others, counts)

        else:  # numpy

            def train_step(self, data: Any) -> Any:
                x, y = data[:2]
                loss, slopes = keras.value_and_grad(lambda: ops.mean(ops.square(self(x) - y)), self.trainable_weights)()
                self.optimizer.apply(slopes, self.trainable_weights)
                self.tracker.update_state(loss)
                return {"loss": self.tracker.result()}

    return _registered(keras, OwnStep)


def own_losses(keras: Any) -> dict[str, Any]:
    """Return losses: functions, of a value a sample and of one value, and a class."""
    ops = keras.ops

    def own_loss(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.abs(ops.cast(y_true, y_pred.dtype) - y_pred), axis=-1)

    def scalar_loss(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.square(ops.cast(y_true, y_pred.dtype) - y_pred))

    class OwnLoss(keras.losses.Loss):
        def __init__(self, name: str = "own", **kwargs: Any) -> None:
            super().__init__(name=name, **kwargs)

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return ops.mean(ops.abs(ops.cast(y_true, y_pred.dtype) - y_pred), axis=-1)

    return _registered(keras, own_loss, scalar_loss, OwnLoss)


def own_metrics(keras: Any) -> dict[str, Any]:
    """Return metrics: a function and a class."""
    ops = keras.ops

    def ownMetric(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.abs(y_pred), axis=-1)

    class LargestError(keras.metrics.Metric):
        def __init__(self, name: str = "largest_error", **kwargs: Any) -> None:
            super().__init__(name=name, **kwargs)
            self.largest = self.add_variable((), "zeros", name="largest")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(y_pred))))

        def result(self) -> Any:
            return ops.multiply(self.largest, 1.0)

    return _registered(keras, ownMetric, LargestError)


def own_callbacks(keras: Any) -> dict[str, Any]:
    """Return callbacks: one that notes what it is told, one that ends a run, and one that sets a number of the model."""

    class Recorder(keras.callbacks.Callback):
        def __init__(self, batches: bool = False) -> None:
            super().__init__()
            self.events: list[Any] = []
            for hook in HOOKS + (BATCH_HOOKS if batches else ()):
                setattr(self, hook, self._noting(hook))

        def _noting(self, hook: str) -> Any:
            def note(place: Any = None, logs: Any = None) -> None:
                if isinstance(place, dict):
                    place, logs = None, place
                self.events.append([hook, place, {name: float(np.mean(value)) for name, value in (logs or {}).items()}])

            return note

    class Interrupts(keras.callbacks.Callback):
        def __init__(self, epoch: int = 0, how: str = "stop", hook: str = "on_epoch_end") -> None:
            super().__init__()
            self.epoch, self.how = epoch, how
            setattr(self, hook, self._end)

        def _end(self, epoch: int, logs: Any = None) -> None:
            if epoch != self.epoch:
                return
            if self.how == "raise":
                raise RuntimeError("on purpose")
            self.model.stop_training = True

    class Anneals(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.term = 0.5 * epoch

    return {"Recorder": Recorder, "Interrupts": Interrupts, "Anneals": Anneals}
