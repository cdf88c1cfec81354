"""Steps as functions of an iterator, for loops written by hand: `train_function` and the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from polykeras.backend import registry
from polykeras.common import nested
from polykeras.training.compiling import Compiled
from polykeras.training.data.batches import prepared
from polykeras.training.data.checks import check_values
from polykeras.training.diagnosis import check_batch
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
            ValueError: the model is not compiled, the arrays of the batch do not fit together or hold nan, or an index
                or a label is out of range.
        """
        model, kind = self._model, self._kind
        if kind != "predict":
            model._require_compiled(f"{kind}_function")
        data = prepared(next(iter(iterator))).data
        check_values(data)
        step = prepare(model, kind, data)
        check_batch(model, kind, data)
        if kind == "predict":
            return nested.map_structure(registry.current().to_numpy, step.run_batch(data))
        return host_logs(step.run_batch(data), model._steps.log_names.get(kind, ()))


class StepFunctions(Compiled):
    """The functions that run steps, which a class may make in its own way."""

    def make_train_function(self, force: bool = False) -> Callable[[Iterable[Any]], Any]:
        """Make `train_function`, which trains on the next batch of an iterator and returns the metrics so far.

        A class may override this method: `fit` then calls what it leaves in `self.train_function`, with an iterator
        over the next `steps_per_execution` batches, and takes the dict that it returns as the logs.

        Args:
            force: whether to replace a function that is there.

        Returns:
            The function. It raises `StopIteration` at the end of the iterator, and resets no metrics.
        """
        if force or self.train_function is None:
            self.train_function = StepFunction(self, "train")
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable[[Iterable[Any]], Any]:
        """Make `test_function`, which evaluates the next batch of an iterator; see `make_train_function`.

        Returns:
            The function.
        """
        if force or self.test_function is None:
            self.test_function = StepFunction(self, "test")
        return self.test_function

    def make_predict_function(self, force: bool = False) -> Callable[[Iterable[Any]], Any]:
        """Make `predict_function`, which predicts for the next batch of an iterator; see `make_train_function`.

        Returns:
            The function. It returns a tree of NumPy arrays.
        """
        if force or self.predict_function is None:
            self.predict_function = StepFunction(self, "predict")
        return self.predict_function

    def _own_function(self, kind: str) -> Callable[[Iterable[Any]], Any] | None:
        """Return the user's function that is to run the batches; None if there is none."""
        name = f"{kind}_function"
        if getattr(type(self), f"make_{name}") is not getattr(StepFunctions, f"make_{name}"):
            getattr(self, f"make_{name}")()
        function = getattr(self, name)
        return None if isinstance(function, StepFunction) else function
