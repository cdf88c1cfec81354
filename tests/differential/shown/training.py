"""What training, evaluation and their logs give otherwise than in Keras, on purpose."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from differential.shown import Shown

X = np.array([[1.0], [2.0], [3.0]], "float32")
Y = np.array([0.0, 1.0, 1.0], "float32")


def identity(library: Any, **kwargs: Any) -> Any:
    """Return a model of one number that gives its inputs, compiled."""
    model = library.Sequential([library.Input((1,)), library.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", **{"loss": "mse", **kwargs})
    return model


def own_loss_in_logs(library: Any) -> Any:
    class Own(library.Sequential):  # type: ignore[misc, name-defined]
        def test_step(self, state: Any, data: Any) -> Any:
            return {"loss": library.ops.sum(data[1])}, state

    model = Own([library.Input((1,)), library.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model.evaluate(X, Y, verbose=0)


def false_negatives_of_masked_times(library: Any) -> Any:
    model = library.Sequential([library.Input((2, 1)), library.layers.Masking(), library.layers.Activation("linear")])
    model.compile(loss="mse", metrics=[library.metrics.FalseNegatives(name="missed")])
    x = np.array([[[1.0], [0.0]]], "float32")
    return model.evaluate(x, np.ones_like(x), verbose=0, return_dict=True)["missed"]


def function_of_labels_without_last_axis(library: Any) -> Any:
    def error(y_true: Any, y_pred: Any) -> Any:
        return library.ops.mean(library.ops.abs(y_true - y_pred), -1)

    model = identity(library, metrics=[error])
    return round(model.evaluate(X, X[:, 0], verbose=0, return_dict=True)["error"], 4)


def accuracy_of_numbers(library: Any) -> Any:
    class Flat(library.Model):  # type: ignore[misc, name-defined]
        def call(self, inputs: Any) -> Any:
            return inputs[:, 0]

    model = Flat()
    model.compile(loss="mse", metrics=["accuracy"])
    return round(model.evaluate(np.array([[0.1], [0.8], [0.9]], "float32"), Y, verbose=0, return_dict=True)["accuracy"])


def correlation_of_one_number(library: Any) -> Any:
    metric = library.metrics.PearsonCorrelation()
    metric.update_state(X, X + 1)
    return str(float(metric.result()))


def cosine_with_one_number(library: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = library.losses.CosineSimilarity()(np.ones((1, 1), "float32"), np.ones((1, 3), "float32"))
    return round(float(found), 3)


def weights_of_losses(library: Any) -> Any:
    x = library.Input((1,))
    outputs = [library.layers.Dense(1, name=name, kernel_initializer=name_of) for name, name_of in WEIGHTED]
    model = library.Model(x, [layer(x) for layer in outputs])
    model.compile("sgd", ["mse", "mse"], loss_weights={"a": 1.0, "b": 0.0})
    return model.evaluate(np.ones((1, 1)), [np.ones((1, 1))] * 2, verbose=0)[0]


WEIGHTED = [("b", "zeros"), ("a", "ones")]  # the loss of "a" is 0, that of "b" 1


def names_of_metrics(library: Any) -> Any:
    model = identity(library, metrics=["mae"])
    model.evaluate(X, Y, verbose=0)
    return model.metrics_names


def first_batch_of_a_sequence_with_workers(library: Any) -> Any:
    class Numbers(library.utils.PyDataset):  # type: ignore[misc, name-defined]
        def __len__(self) -> int:
            return 3

        def __getitem__(self, place: int) -> Any:
            return np.full((1, 1), float(place)), np.zeros((1, 1))

    model = identity(library)
    model.compile(library.optimizers.SGD(0.0), "mae")
    return model.fit(Numbers(workers=2), steps_per_epoch=1, shuffle=False, verbose=0).history["loss"]


def second_ones_without_a_name(library: Any) -> Any:
    class Judged(library.metrics.Metric):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()

    class ByNobody(library.losses.Loss):  # type: ignore[misc, name-defined]
        pass

    return [[kind().name for _ in range(2)][1] for kind in (Judged, ByNobody)]


SHOWN: Shown = {
    "a step that returns a loss of its own": (own_loss_in_logs, 2.0, 0.0),
    "metrics of masked outputs": (false_negatives_of_masked_times, 0.0, 1.0),
    "a metric that is a function, labels (n,), predictions (n, 1)": (function_of_labels_without_last_axis, 0.0, 0.8889),
    "accuracy of outputs (n,)": (accuracy_of_numbers, 1, 0),
    "PearsonCorrelation of one number": (correlation_of_one_number, "0.0", "nan"),
    "CosineSimilarity of labels (n, 1), predictions (n, k)": (cosine_with_one_number, -1.0, -1.732),
    "a dict of weights, a list of losses": (weights_of_losses, 0.0, 1.0),
    "first batch of a PyDataset with workers": (first_batch_of_a_sequence_with_workers, [0.0], [1.0]),
    "metrics_names": (names_of_metrics, ["loss", "mae"], ["loss", "compile_metrics"]),
    "a metric or loss without a name": (
        second_ones_without_a_name,
        ["judged", "by_nobody"],
        ["judged_1", "by_nobody_1"],
    ),
}
