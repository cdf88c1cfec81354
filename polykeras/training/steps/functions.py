"""Steps as functions of an iterator, for loops written by hand: what `make_train_function` makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from polykeras.backend import registry
from polykeras.common import nested
from polykeras.common.traits import overrides
from polykeras.training.data.batches import prepared
from polykeras.training.data.checks import check_values
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.training.logs import host_logs
from polykeras.training.steps.prepare import prepare


class StepFunction:
    """A function that takes an iterator (or a list of one batch), and runs a step on the next batch.

    A user's function takes its place if a class overrides `make_train_function`, `make_test_function` or
    `make_predict_function`, or if a function is assigned after `compile` (`model.train_function = mine`). `fit`,
    `evaluate` and `predict` then call it as plain Python. It gets the next `steps_per_execution` batches of the
    backend's arrays (one if that is `"auto"`, fewer at the end of the data), as an iterator that is also a list, since
    Keras gives lists on PyTorch. It returns logs by name, or the predictions for all batches of the call. The
    `*_on_batch` methods do not call it, and there is no form with a state, `train_function(state, iterator)`.

    Args:
        model: the model whose step runs.
        kind: `"train"`, `"test"` or `"predict"`.

    Example:
        >>> import numpy as np
        >>> import polykeras as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> _ = model.make_train_function()
        >>> batches = iter([(np.ones((4, 2)), np.ones((4, 1)))])
        >>> sorted(model.train_function(batches))
        ['loss']
    """

    def __init__(self, model: Any, kind: str) -> None:
        self._model, self._kind = model, kind

    def __call__(self, iterator: Iterable[Any]) -> Any:
        """Run a step on the next batch; return its logs by name, or its outputs as NumPy arrays.

        Args:
            iterator: over batches, `x`, `(x, y)` or `(x, y, sample_weight)`.

        Raises:
            StopIteration: there is no next batch.
            ValueError: the model is not compiled, or the arrays of the batch do not fit together or hold nan.
        """
        model, kind = self._model, self._kind
        if kind != "predict":
            model._require_compiled(f"{kind}_function")
        data = prepared(next(iter(iterator))).data
        check_values(data)
        step = prepare(model, kind, data)
        if kind == "predict":
            return nested.map_structure(registry.current().to_numpy, step.run_batch(data))
        labels = unpack_x_y_sample_weight(data)[1]
        if model._compiled_loss is not None and labels is not None and not overrides(model, "compute_loss"):
            model._compiled_loss.check_labels(labels)
        return host_logs(step.run_batch(data), model._steps.log_names.get(kind, ()))
