"""Keras 2's scikit-learn estimators, which build a model with a function `build_fn`."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from polykeras.common.types import ArrayLike
from polykeras.models import Model
from polykeras.utils import to_categorical


class BaseWrapper(BaseEstimator):
    """Base of the estimators.

    Args:
        build_fn: a function that returns a compiled model. None: a subclass's `__call__`.
        **sk_params: arguments of `build_fn`, and of the model's `fit`, `predict` and `evaluate`, such as `epochs`.

    Attributes:
        model: the model, after `fit`.

    Raises:
        ValueError: if neither of them takes an argument.
    """

    def __init__(self, build_fn: Callable[..., Any] | None = None, **sk_params: Any) -> None:
        warnings.warn(
            f"{type(self).__name__} is a name of Keras 2; use SKLearnClassifier or SKLearnRegressor instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.check_params(sk_params)

    def _build_function(self) -> Callable[..., Any]:
        if self.build_fn is None and not callable(self):
            raise ValueError(f"{type(self).__name__} needs `build_fn`, a function that returns a compiled model.")
        return self.build_fn or self.__call__  # type: ignore[attr-defined]

    def check_params(self, params: dict[str, Any]) -> None:
        """Raise `ValueError` for unknown arguments.

        Raises:
            ValueError: if neither `build_fn` nor a method of the model takes an argument.
        """
        functions = (Model.fit, Model.predict, Model.evaluate, self._build_function())
        known = {"nb_epoch"}.union(*(inspect.signature(function).parameters for function in functions))
        for name in params:
            if name not in known:
                raise ValueError(f"{type(self).__name__}: neither `build_fn` nor the model takes `{name}`.")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all arguments."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Self:
        """Set some arguments, and return this object."""
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.check_params(params)
        self.sk_params = {**self.sk_params, **params}
        return self

    def filter_sk_params(self, fn: Callable[..., Any], override: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the arguments that a function accepts, and the given ones.

        Args:
            fn: any function.
            override: arguments to add, whether the function accepts them or not.
        """
        known = inspect.signature(fn).parameters
        return {name: value for name, value in self.sk_params.items() if name in known} | (override or {})

    def fit(self, x: ArrayLike, y: ArrayLike, **kwargs: Any) -> Any:
        """Build a model, train it, and return its history.

        Args:
            x: samples.
            y: targets.
            **kwargs: further arguments of the model's `fit`.
        """
        build = self._build_function()
        self.model = build(**self.filter_sk_params(build))
        if self.model.loss == "categorical_crossentropy" and np.ndim(y) != 2:
            y = to_categorical(y)
        self.fitted_ = True
        epochs = {"epochs": self.sk_params["nb_epoch"]} if "nb_epoch" in self.sk_params else {}
        return self.model.fit(x, y, **{**epochs, **self.filter_sk_params(Model.fit, kwargs)})

    def _outputs(self, x: Any, kwargs: dict[str, Any]) -> np.ndarray:
        return self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs))


class KerasClassifier(ClassifierMixin, BaseWrapper):
    """A model as a classifier. Labels of any kind are numbered for the model. Arguments are as for `BaseWrapper`.

    Attributes:
        classes_: the classes, sorted.
    """

    def fit(self, x: ArrayLike, y: ArrayLike, **kwargs: Any) -> Any:
        """Build a model, train it, and return its history.

        Args:
            x: samples.
            y: labels, `(samples,)` or `(samples, 1)`, or one-hot.
            **kwargs: further arguments of the model's `fit`.
        """
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_, y = np.unique(y.ravel(), return_inverse=True)
        return super().fit(x, y, **kwargs)

    def predict(self, x: ArrayLike, **kwargs: Any) -> np.ndarray:
        """Return classes, `(samples,)`. For a single output, the second class is that above 0.5.

        Args:
            x: samples.
            **kwargs: further arguments of the model's `predict`.
        """
        found = self._outputs(x, kwargs)
        numbers = found.argmax(-1) if found.shape[-1] > 1 else (found[:, 0] > 0.5).astype("int32")
        return self.classes_[numbers]

    def predict_proba(self, x: ArrayLike, **kwargs: Any) -> np.ndarray:
        """Return the probabilities of the classes, `(samples, classes)`; two columns for a single output.

        Args:
            x: samples.
            **kwargs: further arguments of the model's `predict`.
        """
        found = self._outputs(x, kwargs)
        return found if found.shape[-1] > 1 else np.hstack([1 - found, found])


class KerasRegressor(RegressorMixin, BaseWrapper):
    """A model as a regressor. Its score is scikit-learn's R2. Arguments are as for `BaseWrapper`."""

    def predict(self, x: ArrayLike, **kwargs: Any) -> np.ndarray:
        """Return predictions without axes of size 1.

        Args:
            x: samples.
            **kwargs: further arguments of the model's `predict`.
        """
        return np.squeeze(self._outputs(x, kwargs), -1)
