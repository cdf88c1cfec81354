"""Metrics and logs in chunks of steps: they are the same, to the last bit, however steps are grouped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import Input, Model, Sequential, config, layers, metrics, ops
from polykeras.backend import Backend
from polykeras.optimizers import Adam
from polykeras.random import set_random_seed

ROWS, BATCH = 203, 4  # fifty batches and one of three rows
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 6)).astype("float32")
CLASSES = (X[:, 0] > 0).astype("int32") + (X[:, 1] > 0)
BINARY = (X[:, :1] + X[:, 1:2] > 0).astype("float32")
WORDS = RNG.integers(0, 4, (ROWS, 1)).astype("int32")


def binary() -> Any:
    model = Sequential([Input((6,)), layers.Dense(4, "tanh"), layers.Dense(1, "sigmoid")])
    return model, X, BINARY, ["accuracy", metrics.AUC(), metrics.Precision(), "mse"]


def classes() -> Any:
    model = Sequential([Input((6,)), layers.Dense(3, "softmax")])
    return model, X, CLASSES, ["accuracy", metrics.SparseTopKCategoricalAccuracy(2)]


def two_outputs() -> Any:
    x = Input((6,))
    outputs = {"a": layers.Dense(1, "sigmoid", name="a")(x), "b": layers.Dense(3, "softmax", name="b")(x)}
    return Model(x, outputs), X, {"a": BINARY, "b": CLASSES}, {"a": [metrics.Recall(), "mae"], "b": ["accuracy"]}


def masked() -> Any:
    words = Input((1,), dtype="int32")
    output = layers.Dense(1, "sigmoid")(layers.Embedding(4, 3, mask_zero=True)(words))
    return Model(words, output), WORDS, (WORDS > 2).astype("float32")[..., None], [metrics.AUC(num_thresholds=20)]


LOSSES = {
    "binary": "binary_crossentropy",
    "classes": "sparse_categorical_crossentropy",
    "two_outputs": {"a": "binary_crossentropy", "b": "sparse_categorical_crossentropy"},
    "masked": "binary_crossentropy",
}
MAKERS = {f.__name__: f for f in (binary, classes, two_outputs, masked)}


def history(name: str, **compiled: Any) -> dict[str, list[float]]:
    set_random_seed(0)
    model, x, y, given = MAKERS[name]()
    model.compile(Adam(0.01), LOSSES[name], metrics=given, **compiled)
    return model.fit(x, y, batch_size=BATCH, epochs=2, validation_data=(x, y), verbose=0).history


@pytest.mark.parametrize("name", MAKERS)
def test_the_logs_do_not_depend_on_how_steps_are_grouped(backend: Backend, name: str) -> None:
    eager = history(name, run_eagerly=True)
    one, some, many = (history(name, steps_per_execution=n) for n in (1, 7, 200))
    for log, values in eager.items():
        np.testing.assert_allclose(one[log], values, rtol=2e-4, atol=2e-6, err_msg=log)
        np.testing.assert_array_equal(one[log], some[log], err_msg=log)
        np.testing.assert_array_equal(one[log], many[log], err_msg=log)
    assert list(eager) == list(one) == list(many)


class Own(metrics.SparseCategoricalAccuracy):
    """A metric of a user, which may depend on the batch."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.total.assign(self.total + ops.max(y_pred))
        self.count.assign(self.count + 1.0)


def test_what_a_user_wrote_sees_each_batch(backend: Backend) -> None:
    class OwnStep(Sequential):
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    class OwnMetrics(Sequential):
        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            return super().compute_metrics(x, y, y_pred, sample_weight) | {"largest": ops.max(y_pred)}

    for cls, given in ((OwnStep, "accuracy"), (OwnMetrics, "accuracy"), (Sequential, Own(name="own"))):
        model = cls([Input((6,)), layers.Dense(3, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=[given])
        logs = model.fit(X, CLASSES, verbose=0).history
        assert all(values[0] > 0 for values in logs.values())


def test_a_model_that_names_its_metrics_itself(backend: Backend) -> None:
    class OwnList(Sequential):
        @property
        def metrics(self) -> Any:
            return [self._loss_tracker]

    model = OwnList([Input((6,)), layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy", metrics.AUC()])
    assert list(model.fit(X, BINARY, verbose=0).history) == ["loss"]
    assert model.evaluate(X, BINARY, verbose=0) > 0


def test_a_metric_of_a_users_sees_the_others_as_they_are(backend: Backend) -> None:
    class Follows(metrics.SparseCategoricalAccuracy):
        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.total.assign(self.total + first.count)
            self.count.assign(self.count + 1.0)

    first = metrics.SparseCategoricalAccuracy(name="first")
    model = Sequential([Input((6,)), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[first, Follows(name="follows")])
    logs = model.fit(X[:32], CLASSES[:32], batch_size=4, verbose=0).history
    assert logs["follows"] == [sum(range(4, 33, 4)) / 8]


def test_weighted_metrics_see_each_batch(backend: Backend) -> None:
    model, x, y, _ = binary()
    model.compile("sgd", "mse", weighted_metrics=["accuracy"])
    model.fit(x, y, sample_weight=RNG.uniform(size=ROWS), verbose=0)


def test_batches_without_labels_leave_the_metrics_alone(backend: Backend) -> None:
    inner, x, y, given = binary()
    model = Model(inner.input, layers.ActivityRegularization(l2=0.1)(inner.output))  # a loss without labels
    model.compile("sgd", "binary_crossentropy", metrics=given)
    model.fit(x, y, verbose=0)
    logs = model.evaluate(x, verbose=0, return_dict=True)
    assert logs["accuracy"] == 0 < logs["loss"]


def test_a_metric_of_two_outputs_sees_both(backend: Backend) -> None:
    x = Input((6,))
    outputs = {"a": layers.Dense(1, "sigmoid", name="a")(x), "b": layers.Dense(3, "sigmoid", name="b")(x)}
    model, shared = Model(x, outputs), metrics.BinaryAccuracy()
    model.compile("sgd", "mse", metrics={"a": [shared], "b": [shared]})
    model.fit(X, {"a": BINARY, "b": np.ones((ROWS, 3), "float32")}, verbose=0)
    assert float(shared.count.numpy()) == 2 * ROWS


def test_a_mask_that_is_no_batch_of_masks(backend: Backend) -> None:
    def history(steps: int) -> Any:
        set_random_seed(0)
        x = Input((1,), dtype="int32")
        h = layers.Lambda(lambda h: h * 1.0, mask=np.array([[True]]))(layers.Embedding(4, 3)(x))
        model = Model(x, layers.Dense(1, "sigmoid")(h))
        model.compile("sgd", "binary_crossentropy", metrics=[metrics.AUC()], steps_per_execution=steps)
        return model.fit(WORDS[:200], (WORDS[:200] > 2)[..., None] * 1.0, batch_size=4, verbose=0).history

    assert history(1) == history(50)


def test_a_loss_of_a_users_that_looks_at_metrics_sees_them_as_they_are(backend: Backend) -> None:
    class Own(Sequential):
        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            found = self.compiled_metrics.result().values()
            return super().compute_loss(*args, **kwargs) * (1.0 + sum(found))

    weights = []
    for steps in (1, 50):
        set_random_seed(0)
        model = Own([Input((6,)), layers.Dense(1, "sigmoid")])
        model.compile("sgd", "binary_crossentropy", metrics=["accuracy"], steps_per_execution=steps)
        model.fit(X[:200], BINARY[:200], batch_size=4, verbose=0)
        weights.append(model.get_weights()[0])
    np.testing.assert_array_equal(*weights)


def test_the_nan_guard_and_metrics_that_count(backend: Backend) -> None:
    logs = []
    for guard in (False, True):
        config.set_nan_guard(guard)
        try:
            logs.append(history("binary"))
        finally:
            config.set_nan_guard(False)
    assert logs[0] == logs[1]
