"""scikit-learn estimators around models."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from polykeras.common.types import ArrayLike
from polykeras.models import Model, clone_model

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.utils.metadata_routing import MetadataRequest
    from sklearn.utils.multiclass import type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("polykeras.wrappers needs scikit-learn 1.6 or newer: pip install scikit-learn") from error


class SKLBase(BaseEstimator):
    """Base of the estimators.

    Args:
        model: a compiled model, which is cloned for each `fit`, or a function of `X`, `y` and `model_kwargs` that
            returns one.
        warm_start: whether a further `fit` continues with the existing model.
        model_kwargs: further arguments of such a function.
        fit_kwargs: further arguments of the model's `fit`.

    Attributes:
        model_: the trained model.
        history_: its history.
    """

    def __init__(
        self,
        model: Model | Callable[..., Model],
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    def __sklearn_clone__(self) -> Self:
        # scikit-learn would require that the copy of a parameter is the same object.
        model = copy.deepcopy(self.model) if isinstance(self.model, Model) else self.model
        return type(self)(model, self.warm_start, self.model_kwargs, self.fit_kwargs)

    @property
    def epoch_(self) -> list[int]:
        """The epochs of the last training."""
        history = getattr(self, "history_", None)
        return [] if history is None else history.epoch

    def set_fit_request(self, **kwargs: Any) -> Self:
        """Select the metadata that pipelines pass to `fit`, if scikit-learn's metadata routing is enabled.

        Returns:
            This estimator.

        Raises:
            RuntimeError: if it is not enabled.
        """
        import sklearn

        if not sklearn.get_config().get("enable_metadata_routing", False):
            raise RuntimeError(
                "set_fit_request needs metadata routing: sklearn.set_config(enable_metadata_routing=True)."
            )
        self._metadata_request = MetadataRequest(owner=self)
        for param, alias in kwargs.items():
            self._metadata_request.fit.add_request(param=param, alias=alias)
        return self

    def _new_model(self, X: ArrayLike, y: ArrayLike) -> Model:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if isinstance(self.model, Model):
            model = clone_model(self.model)
            if self.model.compiled and not model.compiled:
                model.compile_from_config(self.model.get_compile_config())
        else:
            model = self.model(X=X, y=y, **(self.model_kwargs or {}))
        if not getattr(model, "compiled", False) or not model.loss or model.optimizer is None:
            raise RuntimeError(f"{type(self).__name__}: the model must be compiled, with a loss and an optimizer.")
        return model

    def fit(self, X: ArrayLike, y: ArrayLike, **kwargs: Any) -> Self:
        """Train a model.

        Args:
            X: samples, `(samples, features)`.
            y: targets.
            **kwargs: further arguments of the model's `fit`, which take precedence over `fit_kwargs`.

        Returns:
            This estimator.
        """
        X, y = validate_data(self, X, y)
        y = self._encoded(y)
        model = self._new_model(X, y)
        self.history_ = model.fit(X, y, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def _outputs(self, X: ArrayLike) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        verbose = (self.fit_kwargs or {}).get("verbose", "auto")
        return self.model_.predict(X, verbose=verbose)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return predictions in the shape of the targets."""
        return self._decoded(self._outputs(X))

    def _encoded(self, y: np.ndarray) -> np.ndarray:
        """Return targets in the form for the model, with a last axis."""
        if type_of_target(y) == "unknown":
            raise ValueError(f"{type(self).__name__}: Unknown label type: {y!r}")
        self._is_flat = y.ndim == 1
        return y.reshape(-1, 1) if self._is_flat else y

    def _decoded(self, outputs: np.ndarray) -> np.ndarray:
        return outputs[:, 0] if self._is_flat and outputs.ndim == 2 and outputs.shape[1] == 1 else outputs


class SKLearnClassifier(ClassifierMixin, SKLBase):
    """A model as a scikit-learn classifier. The model gets one-hot targets.

    Args:
        model: see `SKLBase`.
        warm_start: see `SKLBase`.
        model_kwargs: see `SKLBase`.
        fit_kwargs: see `SKLBase`.

    Attributes:
        classes_: the classes, sorted.

    Example:
        >>> import numpy as np
        >>> import polykeras as keras
        >>> def make(X, y):
        ...     model = keras.Sequential([keras.layers.Dense(y.shape[1], "softmax")])
        ...     model.compile("adam", "categorical_crossentropy")
        ...     return model
        >>> classifier = SKLearnClassifier(make, fit_kwargs={"verbose": 0})
        >>> classifier.fit(np.eye(4), ["a", "b", "a", "b"]).predict(np.eye(4)).shape
        (4,)
    """

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the model's outputs, `(samples, classes)`."""
        return self._outputs(X)

    def _encoded(self, y: np.ndarray) -> np.ndarray:
        kind = type_of_target(y)
        if kind not in ("binary", "multiclass"):
            raise ValueError(f"Only binary and multiclass target types are supported. Unknown label type: {kind}")
        self.classes_ = np.unique(y)
        if len(self.classes_) == 1:
            raise ValueError("Classifier can't train when only one class is present.")
        self._encoder = OneHotEncoder(sparse_output=False).fit(y.reshape(-1, 1))
        encoded: Any = self._encoder.transform(y.reshape(-1, 1))
        return encoded

    def _decoded(self, outputs: np.ndarray) -> np.ndarray:
        classes: Any = self._encoder.inverse_transform(outputs)
        return classes[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


class SKLearnRegressor(RegressorMixin, SKLBase):
    """A model as a scikit-learn regressor.

    Args:
        model: see `SKLBase`.
        warm_start: see `SKLBase`.
        model_kwargs: see `SKLBase`.
        fit_kwargs: see `SKLBase`.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


class SKLearnTransformer(TransformerMixin, SKLBase):
    """A model as a scikit-learn transformer: its outputs are the transformed samples.

    Args:
        model: see `SKLBase`.
        warm_start: see `SKLBase`.
        model_kwargs: see `SKLBase`.
        fit_kwargs: see `SKLBase`.
    """

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the model's outputs."""
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
