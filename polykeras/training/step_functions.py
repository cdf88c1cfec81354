"""Steps as functions of an iterator, for loops that are written by hand: `make_train_function` and its kin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from polykeras.backend import registry
from polykeras.common import nested
from polykeras.training.data.checks import host_tree
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.training.logs import to_host
from polykeras.training.on_batch import OnBatch

StepFunction: TypeAlias = Callable[[Iterable[Any]], Any]
"""Takes an iterator (or a list of one batch), runs the next batch of it, and returns logs or predictions."""
FUNCTIONS = ("train_function", "test_function", "predict_function")


class StepFunctions(OnBatch):
    """Keeps one function a kind of step, as Keras's models do. `compile` forgets them.

    A class that overrides `make_train_function`, `make_test_function` or `make_predict_function`, or a function that is
    assigned after `compile` (`model.train_function = mine`), takes over: `fit`, `evaluate` and `predict` call it, as
    plain Python, with the next `steps_per_execution` batches of the backend's arrays (one where that is "auto", fewer
    at the end of the data). They come as an iterator that is also a list, as Keras gives lists on PyTorch. What comes
    back are logs by name, or the predictions for all batches of the call. The `*_on_batch` methods do not call it, and
    there is no form with a state, `train_function(state, iterator)`.

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

    train_function: StepFunction | None
    test_function: StepFunction | None
    predict_function: StepFunction | None

    def _forget_functions(self) -> None:
        self.train_function = self.test_function = self.predict_function = None

    def make_train_function(self, force: bool = False) -> StepFunction:
        """Make `train_function`, which trains on the next batch of an iterator and returns the metrics so far.

        A class may override it: `fit` calls what it leaves in `self.train_function`, with an iterator over the next
        `steps_per_execution` batches, and takes the dict that is returned for the logs.

        Args:
            force: whether a function that is there is replaced.

        Returns:
            The function. It raises `StopIteration` where the iterator ends, and resets no metrics.
        """
        self.train_function = self._function("train", None if force else self.train_function)
        return self.train_function

    def make_test_function(self, force: bool = False) -> StepFunction:
        """Make `test_function`, which evaluates the next batch of an iterator; see `make_train_function`."""
        self.test_function = self._function("test", None if force else self.test_function)
        return self.test_function

    def make_predict_function(self, force: bool = False) -> StepFunction:
        """Make `predict_function`, which returns the outputs for the next batch as NumPy arrays."""
        self.predict_function = self._function("predict", None if force else self.predict_function)
        return self.predict_function

    def _own_function(self, kind: str) -> StepFunction | None:
        """Return the function of the user's that is to run the batches; None where there is none."""
        name = f"{kind}_function"
        if getattr(type(self), f"make_{name}") is not getattr(StepFunctions, f"make_{name}"):
            getattr(self, f"make_{name}")()
        function: StepFunction | None = getattr(self, name)
        return None if getattr(function, "__qualname__", "") == _OURS else function

    def _function(self, kind: str, there: StepFunction | None) -> StepFunction:
        def function(iterator: Iterable[Any]) -> Any:
            if kind != "predict":
                self._require_compiled(f"{kind}_function")
            batch = next(iter(iterator))
            parts = batch if isinstance(batch, (tuple, list)) else (batch,)
            names = ("x", "y", "sample_weight")
            named = zip(parts, names, strict=False)
            host = tuple(None if part is None else host_tree(part, name) for part, name in named)
            data = host if isinstance(batch, (tuple, list)) else host[0]
            step = self._prepare(kind, data)
            if kind == "predict":
                return nested.map_structure(registry.current().to_numpy, step.run_batch(data))
            labels = unpack_x_y_sample_weight(data)[1]
            if self._compiled_loss is not None and labels is not None:
                self._compiled_loss.check_labels(labels)
            return to_host(step.run_batch(data), step.log_names)

        return there or function


_OURS = f"{StepFunctions._function.__qualname__}.<locals>.function"
