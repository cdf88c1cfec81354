"""Steps as functions of an iterator, for loops by hand: `train_function` and the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from polykeras.training.compiling import Compiled
from polykeras.training.steps.functions import StepFunction


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
