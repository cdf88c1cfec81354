"""Sums and means of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common.naming import object_name
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.layers.base.context import get_mask
from polykeras.losses.loss import LOSSES, cast_predictions, match_ranks
from polykeras.losses.reduction import left_aligned
from polykeras.metrics.metric import METRICS, Metric
from polykeras.saving.serialization import Registry, deserialize_keras_object, serialize_keras_object

FUNCTIONS: Registry[Callable[..., Any]] = Registry("metric function", "keras.metrics.functions")


def sample_weights(y_pred: ArrayLike, sample_weight: ArrayLike | None, dtype: str) -> Array | None:
    """Return the weights of samples, or None if all are 1.

    Args:
        y_pred: predictions. If a layer attached a mask to them, masked samples get the weight 0.
        sample_weight: the user's weights, or None.
        dtype: the dtype of the result.
    """
    mask = get_mask(y_pred)
    weight = None if sample_weight is None else ops.cast(sample_weight, dtype)
    if mask is None:
        return weight
    mask = ops.cast(mask, dtype)
    return mask if weight is None else left_aligned(weight, mask) * mask


def _weighted(values: ArrayLike, sample_weight: ArrayLike | None, dtype: str) -> tuple[Array, Array]:
    """Return values times weights, and the weights broadcast to the values; both unchanged without weights."""
    values = ops.cast(values, dtype)
    if sample_weight is None:
        return values, None
    weight = ops.cast(sample_weight, dtype)
    have, want = len(ops.shape(weight)), len(ops.shape(values))
    if have > want:  # the values belong to whole samples or batches, the weights to their parts
        weight = ops.mean(weight, tuple(range(want, have)))
    weight = ops.broadcast_to(left_aligned(weight, values), ops.shape(values))
    return values * weight, weight


def _by_sample(values: ArrayLike) -> Array:
    axes = tuple(range(1, len(ops.shape(values))))
    return ops.mean(values, axes) if axes else values


@METRICS.register()
class Sum(Metric):
    """The weighted sum of all values.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "sum", dtype: DTypeLike = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", self.dtype, name="total")

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add values, each times its weight.

        Args:
            values: numbers of any shape.
            sample_weight: weights that broadcast to the values from the left; None counts each value once.
        """
        products, _ = _weighted(values, sample_weight, self.dtype)
        self.total.assign(self.total + ops.sum(products))

    def result(self) -> Array:
        """Return the sum."""
        return self.total.value


@METRICS.register()
class Mean(Metric):
    """The weighted mean of all values; 0 if there are none.

    Each sample counts the same, whatever the number of its values, so the values of a longer sequence weigh less.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "mean", dtype: DTypeLike = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", self.dtype, name="total")
        self.count = self.add_variable((), "zeros", self.dtype, name="count")

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add values, each with its weight.

        Args:
            values: a scalar, or an array `(samples, ...)`.
            sample_weight: weights that broadcast to the values from the left.
        """
        products, weight = _weighted(values, sample_weight, self.dtype)
        samples = ops.shape(products)[0] if ops.shape(products) else 1
        self.total.assign(self.total + ops.sum(_by_sample(products)))
        self.count.assign(self.count + (samples * 1.0 if weight is None else ops.sum(_by_sample(weight))))

    def result(self) -> Array:
        """Return the mean."""
        return ops.divide_no_nan(self.total, self.count)


@METRICS.register()
class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions.

    Args:
        fn: takes labels and predictions, and returns a value for each sample (or a scalar).
        name: the name in logs; by default the function's name in snake case.
        dtype: the dtype of the state.
        **kwargs: passed on to the function.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: DTypeLike = None, **kwargs: Any) -> None:
        super().__init__(name or object_name(fn), dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if type(self).direction is None and (fn in LOSSES or type(fn) in LOSSES):
            self.direction = "down"

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true: labels.
            y_pred: predictions. A mask that a layer attached to them is applied.
            sample_weight: weights that broadcast to the function's values from the left.
        """
        weight = sample_weights(y_pred, sample_weight, self.dtype)
        y_true, y_pred = match_ranks(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
        if ops.dtype(y_pred) in dtypes.FLOATS:
            y_pred = cast_predictions(y_pred, self.dtype)
        super().update_state(self._fn(y_true, y_pred, **self._fn_kwargs), weight)

    def get_config(self) -> dict[str, Any]:
        """Return the function and its arguments; for a subclass, the arguments of its `__init__`."""
        config = super().get_config()
        if type(self) is MeanMetricWrapper:
            config |= {key: serialize_keras_object(value) for key, value in self._fn_kwargs.items()}
        elif self._writes_config():  # as in Keras, where such classes remove it again
            config.setdefault("fn", serialize_keras_object(self._fn))
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MeanMetricWrapper:
        """Return the metric of a config."""
        arguments = {key: deserialize_keras_object(value) for key, value in config.items()}
        name = arguments.get("fn")
        if isinstance(name, str):
            arguments["fn"] = (FUNCTIONS if name in FUNCTIONS.names() else LOSSES).find(name)
        return cls(**arguments)
