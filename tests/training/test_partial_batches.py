"""A last batch that is filled up gives the numbers of the smaller one: losses, gradients, metrics, random numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras as keras
import polykeras.common.naming
from polykeras import Input, Model, Sequential, layers, losses, metrics, ops
from polykeras.backend import Backend, use_backend
from polykeras.optimizers import SGD
from polykeras.random import set_random_seed
from polykeras.training import padding
from polykeras.training.steps.fillable import why_not

ROWS, BATCH = 21, 8  # batches of 8, 8 and 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 4)).astype("float32")
CLASSES = RNG.integers(0, 3, ROWS).astype("int32")
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
POSITIVE = RNG.uniform(0.2, 2.0, (ROWS, 3)).astype("float32")
BINARY = RNG.integers(0, 2, (ROWS, 3)).astype("float32")
WEIGHTS = RNG.uniform(0.5, 2.0, ROWS).astype("float32")


def unfilled(model: Any) -> Any:
    """Return a model with a `compute_metrics` of the user's, which does the same: its last batches stay as they are."""
    own = model.compute_metrics
    model.compute_metrics = lambda *args: own(*args)
    return model


def fills(model: Any) -> list[bool]:
    """Return what was decided about each kind of batch that a model was run on."""
    return [answer for step in model._steps.values() for answer in step.sizes.fills.values()]


def compare(make: Callable[[], Any], x: Any, y: Any, tolerance: float = 2e-6, **fit: Any) -> Any:
    """Train and evaluate a model with its last batches filled up and as they are, and compare all numbers.

    Args:
        make: returns a compiled model, the same one each time.
        x: the inputs, of `ROWS` rows.
        y: the labels.
        tolerance: for values of the order of 1, relative for larger ones.
        **fit: further arguments of `fit`.

    Returns:
        The first of the two models.
    """
    runs = []
    for prepare in (lambda model: model, unfilled):
        polykeras.common.naming.reset_names()
        set_random_seed(0)
        model = prepare(make())
        data = (x, y) if fit.get("sample_weight") is None else (x, y, fit["sample_weight"])
        history = model.fit(x, y, batch_size=BATCH, epochs=2, validation_data=data, verbose=0, **fit).history
        runs.append((model, history, model.get_weights()))
    (filled, first, weights), (partial, second, expected) = runs
    assert fills(filled) == [True, True], why_not(filled, "train")
    assert fills(partial) == [False, False]
    assert list(first) == list(second)
    for name, values in second.items():
        np.testing.assert_allclose(first[name], values, rtol=tolerance, atol=tolerance, err_msg=name)
    for weight, value in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=tolerance, atol=tolerance)
    return filled


def heads(number: int, activation: str = "softmax") -> tuple[Any, list[Any]]:
    """Return the input of a network with dropout, and outputs of three numbers each."""
    x = Input((4,))
    h = layers.Dropout(0.3)(layers.Dense(5, activation="tanh")(x))
    return x, [layers.Dense(3, activation=activation, name=f"o{i}")(h) for i in range(number)]


# ---- losses ----------------------------------------------------------------------------------------------------------

OF_CLASSES = {
    "categorical_crossentropy": ONE_HOT,
    "sparse_categorical_crossentropy": CLASSES,
    "categorical_focal_crossentropy": ONE_HOT,
    "sparse_categorical_focal_crossentropy": CLASSES,
    "categorical_hinge": ONE_HOT,
    "binary_crossentropy": BINARY,
    "binary_focal_crossentropy": BINARY,
    "hinge": BINARY,
    "squared_hinge": 2 * BINARY - 1,
    "kl_divergence": POSITIVE / POSITIVE.sum(1, keepdims=True),
}
OF_NUMBERS = dict.fromkeys(
    ["mse", "mae", "mape", "msle", "huber", "log_cosh", "poisson", "cosine_similarity"], POSITIVE
)


def every_second(outputs: int) -> dict[str, np.ndarray]:
    return {f"o{i}": WEIGHTS for i in range(0, outputs, 2)}


@pytest.mark.parametrize(("table", "activation"), [(OF_CLASSES, "softmax"), (OF_NUMBERS, "softplus")])
def test_losses(backend: Backend, table: dict[str, np.ndarray], activation: str) -> None:
    """All losses at once, one an output, every second with weights of samples: the log of each is compared."""

    def make() -> Any:
        model = Model(*heads(len(table), activation))
        # That in percent is a hundred times as large as the others.
        model.compile(SGD(0.05), list(table), loss_weights=[0.01 if name == "mape" else 0.5 for name in table])
        return model

    model = compare(make, X, list(table.values()), sample_weight=every_second(len(table)))
    assert len(model.metrics) == 1 + len(table)


REDUCTIONS = ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight"]


def test_reductions(backend: Backend) -> None:
    """Each of them with weights of samples and without."""

    def make() -> Any:
        several: list[Any] = [losses.MeanSquaredError(reduction=r) for r in REDUCTIONS for _ in range(2)]
        several += [losses.SparseCategoricalCrossentropy(ignore_class=1) for _ in range(2)]
        model = Model(*heads(len(several)))
        model.compile(SGD(0.01), several)
        return model

    labels = [*[POSITIVE] * (2 * len(REDUCTIONS)), CLASSES, CLASSES]
    compare(make, X, labels, sample_weight=every_second(len(labels)))


def test_class_weights(backend: Backend) -> None:
    def make() -> Any:
        model = Sequential([Input((4,)), layers.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
        return model

    compare(make, X, CLASSES, class_weight={0: 1.0, 1: 3.0, 2: 0.5})


def test_one_row_is_left(backend: Backend) -> None:
    def make() -> Any:
        model = Sequential([Input((4,)), layers.Dense(3)])
        model.compile("sgd", "mse", metrics=["mae"])
        return model

    compare(make, X[:17], POSITIVE[:17])


# ---- metrics ---------------------------------------------------------------------------------------------------------


def classification_metrics() -> list[Any]:
    return [
        "accuracy",
        "binary_accuracy",
        "categorical_crossentropy",
        "kld",
        metrics.TopKCategoricalAccuracy(2),
        metrics.AUC(),
        metrics.AUC(curve="PR", multi_label=True, name="pr"),
        metrics.Precision(),
        metrics.Recall(class_id=1),
        metrics.TrueNegatives(),
        metrics.SensitivityAtSpecificity(0.5, num_thresholds=20),
        metrics.F1Score(average="macro"),
        metrics.OneHotMeanIoU(3),
    ]


def regression_metrics() -> list[Any]:
    return [
        "mse",
        "mape",
        "cosine_similarity",
        metrics.RootMeanSquaredError(),
        metrics.R2Score(num_regressors=2),
        metrics.PearsonCorrelation(),
        metrics.ConcordanceCorrelation(),
    ]


@pytest.mark.parametrize(("of", "labels"), [(classification_metrics, ONE_HOT), (regression_metrics, POSITIVE)])
def test_metrics(backend: Backend, of: Callable[[], list[Any]], labels: np.ndarray) -> None:
    """The metrics of `metrics=`, which no weights reach, and of `weighted_metrics=`."""

    def make() -> Any:
        model = Model(*heads(1))
        model.compile(SGD(0.1), "mse", metrics=of(), weighted_metrics=of()[-6:])
        return model

    compare(make, X, labels, sample_weight=WEIGHTS)


# ---- sequences, random layers, images --------------------------------------------------------------------------------

WORDS = RNG.integers(0, 6, (ROWS, 5)).astype("int32")
TAGS = RNG.integers(0, 3, (ROWS, 5)).astype("int32")


@pytest.mark.parametrize("weights", [None, WEIGHTS, RNG.uniform(0.5, 2.0, (ROWS, 5)).astype("float32")])
def test_masks_of_sequences(backend: Backend, weights: np.ndarray | None) -> None:
    def make() -> Any:
        model = Sequential(
            [
                Input((5,), dtype="int32"),
                layers.Embedding(6, 4, mask_zero=True),
                layers.LSTM(3, return_sequences=True),
                layers.TimeDistributed(layers.Dense(3, activation="softmax")),
            ]
        )
        model.compile(SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
        return model

    compare(make, WORDS, TAGS, sample_weight=weights)


def test_random_layers(backend: Backend) -> None:
    """Random numbers come from an element's place, counted along the samples first: those of the rows stay."""

    def make() -> Any:
        x = Input((5,), dtype="int32")
        h = layers.Embedding(6, 4)(x)
        h = layers.SpatialDropout1D(0.2)(h)
        h = layers.Add()([h, layers.MultiHeadAttention(2, 2, dropout=0.3)(h, h)])
        h = layers.GaussianNoise(0.1)(layers.Bidirectional(layers.GRU(3, dropout=0.3, recurrent_dropout=0.3))(h))
        h = h * layers.Dense(6, activation="sigmoid")(h) + 1.0
        model = Model(x, layers.Dense(1)(layers.GaussianDropout(0.2)(h)))
        model.compile(SGD(0.05), "mse")
        return model

    compare(make, WORDS, X[:, :1])


def test_images(backend: Backend) -> None:
    def make() -> Any:
        model = Sequential(
            [
                Input((6, 6, 2)),
                layers.Conv2D(3, 3, activation="tanh"),
                layers.AveragePooling2D(),
                layers.LayerNormalization(),
                layers.Flatten(),
                layers.Dense(3, activation="softmax", kernel_regularizer="l2"),
            ]
        )
        model.compile(SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    compare(make, RNG.normal(size=(ROWS, 6, 6, 2)).astype("float32"), CLASSES)


def test_batch_statistics_are_of_the_rows_alone(backend: Backend) -> None:
    def make() -> Any:
        model = Sequential([Input((4,)), layers.BatchNormalization(momentum=0.5), layers.Dense(3)])
        model.compile("sgd", "mse")
        return model

    model = make()
    model.fit(X, POSITIVE, batch_size=BATCH, validation_data=(X, POSITIVE), shuffle=False, verbose=0)
    assert fills(model) == [False, True]  # in training and in validation
    mean = np.zeros(4, "float32")
    for start in range(0, ROWS, BATCH):
        mean = 0.5 * mean + 0.5 * X[start : start + BATCH].mean(0)
    np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), mean, rtol=1e-5, atol=1e-6)


def squares(y_true: Any, y_pred: Any) -> Any:
    """A loss and metric of the user's, a function that states the trait."""
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def bent(x: Any) -> Any:
    """An activation of the user's."""
    return x / (1.0 + ops.abs(x))


squares.sample_by_sample = bent.sample_by_sample = True


def test_functions_may_state_the_trait(backend: Backend) -> None:
    def make() -> Any:
        model = Sequential([Input((4,)), layers.Dense(3, activation=bent)])
        model.compile(SGD(0.1), squares, metrics=[squares], weighted_metrics=[DeclaredMetric()])
        return model

    compare(make, X, POSITIVE, sample_weight=WEIGHTS)


class OwnMethods(Sequential):
    """Has a step, a loss and metrics of the user's, which combine samples by losses and metrics alone."""

    sample_by_sample = True

    def train_step(self, data: Any) -> Any:
        """Take the usual step, but for its last log."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)

        def loss_and_outputs() -> Any:
            y_pred = self(x, training=True)
            return self.compute_loss(x, y, y_pred, sample_weight), y_pred

        variables = self.trainable_variables
        (loss, y_pred), gradients = keras.value_and_grad(loss_and_outputs, variables, has_aux=True)()
        self.optimizer.apply(gradients, variables)
        return self.compute_metrics(x, y, y_pred, sample_weight) | {"loss": loss}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return another loss than that of `compile`."""
        return losses.Huber(0.5)(y, y_pred, sample_weight)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Update the metrics one by one."""
        for metric in self.metrics[1:]:
            metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


def test_methods_of_a_model_may_state_the_trait(backend: Backend) -> None:
    def make() -> Any:
        model = OwnMethods([Input((4,)), layers.Dropout(0.3), layers.Dense(3)])
        model.compile(SGD(0.1), "mse", metrics=["mae"])
        return model

    compare(make, X, POSITIVE, sample_weight=WEIGHTS)


def test_native_code_counts_each_row_once(backend: Backend) -> None:
    """What runs on no shapes alone cannot be masked, whatever its layers state."""
    framework = sys.modules[backend.name]
    tanh = (framework.numpy if backend.name == "jax" else framework).tanh

    class Native(layers.Layer):
        sample_by_sample = True

        def call(self, inputs: Any) -> Any:
            return tanh(inputs)

    model = Sequential([Input((4,)), Native(), layers.Dense(3)])
    model.compile("sgd", "mse", metrics=["mae"])
    few = model.evaluate(X, POSITIVE, batch_size=BATCH, verbose=0)
    np.testing.assert_allclose(few, model.evaluate(X, POSITIVE, batch_size=ROWS, verbose=0), rtol=1e-5)
    assert fills(model) == [False]


# ---- where it is not done: the model alone decides, so one backend shows it -------------------------------------------


class Alone(layers.Layer):
    """A layer of the user's who says that it treats each sample by itself."""

    sample_by_sample = True

    def call(self, inputs: Any) -> Any:
        """Return the inputs."""
        return inputs


class Heir(Alone):
    """Does not say so itself."""


class AddsLoss(layers.Layer):
    """Says that it treats each sample by itself, and adds a loss of the batch."""

    sample_by_sample = True

    def call(self, inputs: Any) -> Any:
        """Return the inputs."""
        self.add_loss(ops.mean(inputs))
        return inputs


class OwnLoss(losses.Loss):
    """May look at several samples."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return squares."""
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


class DeclaredLoss(OwnLoss):
    """Does not."""

    sample_by_sample = True


class OwnMetric(metrics.MeanSquaredError):
    """May have its own idea of weights."""


class DeclaredMetric(OwnMetric):
    """Has the same one."""

    sample_by_sample = True


class OwnStep(Sequential):
    """Has a step of its own, which may compare samples."""

    def train_step(self, data: Any) -> Any:
        """Do the usual."""
        return super().train_step(data)


class DeclaredStep(OwnStep):
    """Compares none."""

    sample_by_sample = True


def answers(*stack: Any, cls: Any = Sequential, y: Any = POSITIVE, x: Any = X, **compile_with: Any) -> list[bool]:
    """Return whether the last batch was filled up in training and in evaluation."""
    with use_backend("numpy"):
        model = cls([Input(x.shape[1:]), *stack])
        model.compile(**{"optimizer": "sgd", "loss": "mse"} | compile_with)
        model.fit(x, y, batch_size=BATCH, verbose=0)
        model.evaluate(x, y, batch_size=BATCH, verbose=0)
        return fills(model)


def dense() -> Any:
    return layers.Dense(3)


def test_what_is_not_known_is_left_as_it_is() -> None:
    assert answers(dense()) == [True, True]
    assert answers(Alone(), dense()) == [True, True]
    assert answers(Heir(), dense()) == [False, False]
    assert answers(layers.Lambda(lambda x: x), dense()) == [False, False]
    assert answers(dense(), cls=OwnStep) == [False, False]
    assert answers(dense(), cls=DeclaredStep) == [True, True]
    assert answers(layers.Dense(3, activation=lambda x: x)) == [False, False]
    assert answers(dense(), loss=lambda y_true, y_pred: ops.mean(ops.square(y_true - y_pred), axis=-1)) == [False] * 2
    assert answers(dense(), loss=OwnLoss()) == [False, False]
    assert answers(dense(), loss=DeclaredLoss()) == [True, True]
    assert answers(dense(), metrics=[lambda y_true, y_pred: ops.mean(y_pred)]) == [False, False]
    assert answers(dense(), metrics=[OwnMetric()]) == [False, False]
    assert answers(dense(), metrics=[DeclaredMetric()]) == [True, True]
    assert answers(dense(), loss=losses.Dice()) == answers(dense(), loss=losses.dice) == [False, False]
    assert answers(dense(), run_eagerly=True) == [False, False]


def test_what_sees_the_whole_batch_is_left_as_it_is() -> None:
    assert answers(layers.Dense(3, activity_regularizer="l2")) == [False, False]
    assert answers(layers.ActivityRegularization(0.1), dense()) == [False, False]
    assert answers(AddsLoss(), dense()) == [False, False]
    assert answers(dense(), layers.Softmax(axis=0)) == [False, False]
    assert answers(dense(), layers.Softmax(axis=-2)) == [False, False]
    assert answers(dense(), loss=losses.CosineSimilarity(axis=0)) == [False, False]
    assert answers(layers.BatchNormalization(), dense()) == [False, True]
    assert answers(layers.BatchNormalization(trainable=False), dense()) == [True, True]
    assert answers(layers.Dense(1), layers.Reshape(()), y=X[:, 0]) == [
        False,
        False,
    ]  # a loss takes the mean of all rows


def test_graphs() -> None:
    def answer(function: Callable[[Any], Any]) -> list[bool]:
        with use_backend("numpy"):
            x = Input((4,))
            model = Model(x, function(x))
            model.compile("sgd", "mse")
            model.fit(X, X, batch_size=BATCH, verbose=0)
            model.evaluate(X, X, batch_size=BATCH, verbose=0)
            return fills(model)

    assert answer(lambda x: x + ops.tanh(layers.Dense(4)(x)) * 2.0) == [True, True]
    assert answer(lambda x: layers.Dense(4)(x) - ops.mean(x, axis=0, keepdims=True)) == [False, False]
    assert answer(lambda x: layers.Dense(4)(layers.BatchNormalization()(x, training=True))) == [False, False]


def test_weights_that_no_mask_fits() -> None:
    """Weights of single outputs go with the loss, but not with metrics that have one value a sample."""
    weights = np.ones((ROWS, 3), "float32")
    with use_backend("numpy"):
        model = Sequential([Input((4,)), layers.Dense(3)])
        model.compile("sgd", "mse", weighted_metrics=[metrics.RootMeanSquaredError()])
        model.fit(X, POSITIVE, sample_weight=weights[:, :1], batch_size=BATCH, verbose=0)
        assert fills(model) == [True]
        model.fit(X, POSITIVE, sample_weight=WEIGHTS, batch_size=BATCH, verbose=0)
        assert fills(model) == [True, True]


def test_states_of_a_stateful_layer_are_not_filled_up() -> None:
    with use_backend("numpy"):
        model = Sequential([Input(batch_shape=(BATCH, 5, 1)), layers.LSTM(2, stateful=True)])
        model.compile("sgd", "mse")
        with pytest.raises(ValueError, match="built for batches of 8 samples; received 5"):
            model.fit(RNG.normal(size=(ROWS, 5, 1)), POSITIVE[:, :2], batch_size=BATCH, shuffle=False, verbose=0)


# ---- the parts -------------------------------------------------------------------------------------------------------


def test_filling(backend: Backend) -> None:
    rows = padding.fill(np.array([7, 3, 4], "int32"), 5)
    assert rows.tolist() == [7, 3, 4, 7, 7]
    assert rows.dtype == np.int32
    valid = padding.valid_rows(backend.asarray(rows))
    assert backend.to_numpy(valid).tolist() == [True, True, True, False, False]
    assert float(padding.count(valid)) == 3.0
    full = padding.valid_rows(backend.asarray(np.array([7, 3, 4], "int32")))
    assert backend.to_numpy(full).all()


def test_an_epoch_without_its_last_batch_is_not_masked(backend: Backend) -> None:
    model = Sequential([Input((4,)), layers.Dense(3)])
    model.compile("sgd", "mse")
    model.fit(X, POSITIVE, batch_size=BATCH, steps_per_epoch=2, verbose=0)
    model.fit(X[:16], POSITIVE[:16], batch_size=BATCH, verbose=0)
    assert fills(model) == []  # the question did not arise
