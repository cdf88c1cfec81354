"""Sums and means of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import ops
from polykeras.layers.context import get_mask
from polykeras.losses.loss import match_ranks
from polykeras.metrics.metric import METRICS, Metric
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object


def _weighted(values: Any, sample_weight: Any, dtype: str) -> tuple[Any, Any]:
    """Return values times weights, and the weights broadcast to the values; None where there are none."""
    values = ops.cast(values, dtype)
    if sample_weight is None:
        return values, None
    weight = ops.cast(sample_weight, dtype)
    extra = len(ops.shape(values)) - len(ops.shape(weight))
    if extra < 0:  # one weight a sample for values that are one a sample no longer, or weights by element
        axes = tuple(range(len(ops.shape(values)), len(ops.shape(weight))))
        weight = ops.mean(weight, axes)
    elif extra > 0:
        weight = ops.reshape(weight, (*ops.shape(weight), *(1,) * extra))
    weight = ops.broadcast_to(weight, ops.shape(values))
    return values * weight, weight


@METRICS.register()
class Sum(Metric):
    """The weighted sum of all values.

    Args:
        name: for logs.
        dtype: of the state.
    """

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values, each times its weight."""
        products, _ = _weighted(values, sample_weight, self.dtype)
        self.total.assign(self.total + ops.sum(products))

    def result(self) -> Any:
        """Return the sum."""
        return self.total.value


@METRICS.register()
class Mean(Metric):
    """The weighted mean of all values; 0 where there are none.

    Args:
        name: for logs.
        dtype: of the state.
    """

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Take values into account, each with its weight."""
        products, weight = _weighted(values, sample_weight, self.dtype)
        self.total.assign(self.total + ops.sum(products))
        self.count.assign(self.count + (ops.sum(weight) if weight is not None else float(ops.size(products))))

    def result(self) -> Any:
        """Return the mean."""
        count = self.count.value
        return self.total / ops.where(ops.equal(count, 0), ops.ones_like(count), count)


@METRICS.register()
class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions.

    Args:
        fn: returns a value a sample.
        name: by default the function's.
        dtype: of the state.
        **kwargs: passed on to the function.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name or getattr(fn, "__name__", "metric"), dtype)
        self._fn = fn
        self._fn_kwargs = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch into account; a mask that a layer attached to the predictions counts."""
        mask = get_mask(y_pred)
        y_true, y_pred = match_ranks(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        if mask is not None:
            mask = ops.cast(mask, self.dtype)
            sample_weight = mask if sample_weight is None else ops.multiply(mask, _align(sample_weight, mask))
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the function and its arguments."""
        config = {"name": self.name, "dtype": self.dtype}
        if type(self) is MeanMetricWrapper:
            config["fn"] = serialize_keras_object(self._fn)
        return config | {key: serialize_keras_object(value) for key, value in self._fn_kwargs.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MeanMetricWrapper:
        """Return the metric of a config."""
        if "fn" in config:
            config = config | {"fn": deserialize_keras_object(config["fn"], default=METRICS)}
        return cls(**config)


def _align(weight: Any, mask: Any) -> Any:
    """Give sample weights the trailing axes of a mask."""
    extra = len(ops.shape(mask)) - len(ops.shape(weight))
    return ops.reshape(weight, (*ops.shape(weight), *(1,) * extra)) if extra > 0 else weight
