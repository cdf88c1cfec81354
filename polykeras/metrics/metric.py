"""The base class of metrics: numbers that accumulate over batches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from polykeras import collectives, config, dtypes, initializers, ops
from polykeras.backend.job import drawn_for_all
from polykeras.common import nested
from polykeras.common.naming import is_ours, to_snake_case
from polykeras.common.types import DTypeLike, InitializerLike
from polykeras.layers.base.own_metrics import Measure
from polykeras.layers.base.tracking import tracked
from polykeras.pending_sums import added_up, are_added_up
from polykeras.saving.configurable import Configurable
from polykeras.saving.serialization import Registry
from polykeras.variables import Variable, functionalize, unique

METRICS: Registry[Any] = Registry("metric", "keras.metrics")

M = TypeVar("M", bound=Callable[..., Any])


def _added_up(update_state: M) -> M:
    """Return a method that takes the samples of all workers, where these share a batch.

    The metrics of polykeras add numbers of samples up, so their sums are. A user's metric may do anything: it gets the
    whole batch. So does a metric that is given one number and no samples, such as a loss.
    """

    @functools.wraps(update_state)
    def update(self: Metric, *args: Any, **kwargs: Any) -> Any:
        if collectives.workers() == 1 or self.passes_on:
            return update_state(self, *args, **kwargs)
        alone = not any(map(ops.ndim, nested.flatten((args, kwargs)))) and not are_added_up(self.variables)
        if is_ours(type(self)) and not alone:
            with added_up(self.variables):
                return update_state(self, *args, **kwargs)
        args, kwargs = collectives.whole_batch((args, kwargs))
        if alone and (weight := kwargs.get("sample_weight")) is not None:  # the number of samples, most often
            kwargs["sample_weight"] = collectives.sum_over_workers(ops.convert_to_tensor(weight, self.dtype))
        with drawn_for_all():
            return update_state(self, *args, **kwargs)

    return update  # type: ignore[return-value]


class Metric(Configurable, Measure):
    """A number over all batches since the last reset.

    Subclasses make variables in `__init__`, change them in `update_state` and compute with them in `result`.

    Args:
        dtype: the dtype of the computation; by default the default float dtype.
        name: the name in logs.

    Example:
        >>> from polykeras import metrics
        >>> mean = metrics.Mean()
        >>> mean.update_state([1.0, 3.0])
        >>> mean.update_state([5.0])
        >>> float(mean.result())
        3.0
    """

    direction: str | None = None
    """`"up"` or `"down"`: which values are better, for callbacks with `mode="auto"`; None if unknown."""

    # A trait: samples that are masked change nothing. Of the metrics of polykeras; a user's must state it.
    sample_by_sample: ClassVar[bool] = True

    # Whether `update_state` does no more than to update other metrics, each of which sees to all workers by itself.
    passes_on: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "update_state" in vars(cls):
            cls.update_state = _added_up(cls.update_state)  # type: ignore[method-assign]

    def __init__(self, dtype: DTypeLike = None, name: str | None = None) -> None:
        self.name = name or to_snake_case(type(self).__name__)
        policy = getattr(dtype, "compute_dtype", dtype)
        self._dtype = config.floatx() if policy is None else dtypes.standardize_dtype(policy)
        self._own: list[Variable] = []
        self._initializers: list[Any] = []  # of the variables

    @property
    def dtype(self) -> str:
        """The dtype of the state."""
        return self._dtype

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: InitializerLike = "zeros",
        dtype: DTypeLike = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Return a new variable of this metric.

        Args:
            shape: the sizes of the axes.
            initializer: a name or an initializer, also used for every reset.
            dtype: by default the default float dtype, whatever the metric's dtype, as in Keras.
            aggregation: what the values of workers that share a batch become: `"sum"`, `"mean"`, or the value of the
                first worker, `"only_first_replica"`.
            name: for messages.

        Returns:
            The variable; it is not trainable.
        """
        initializer = initializers.get(initializer)
        variable = Variable(
            initializer, shape, dtype or config.floatx(), False, aggregation=aggregation, name=name or "variable"
        )
        variable.path = f"{self.name}/{variable.name}"
        self._own.append(variable)
        self._initializers.append(initializer)
        return variable

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: InitializerLike = None,
        dtype: DTypeLike = None,
        name: str | None = None,
    ) -> Variable:
        """Return a new variable of this metric; an older name of `add_variable`.

        Args:
            shape: the sizes of the axes.
            initializer: a name, an initializer, or a function `(shape, dtype)`, also used for resets; zeros if None.
            dtype: by default the default float dtype.
            name: for messages.
        """
        return self.add_variable(shape, "zeros" if initializer is None else initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """The state, including that of metrics within this one."""
        found = [*self._own, *tracked(self, Variable)]
        for metric in tracked(self, Metric):
            found += metric.variables
        return unique(found)

    def reset_state(self) -> None:
        """Forget all batches: reset each variable to its initializer, or to zeros."""
        for variable, initializer in self._first_values():
            variable.reinitialize(initializer)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `update_state`.")

    def result(self) -> Any:
        """Return the value: a scalar, or a dict of scalars."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `result`.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch and return the value so far; arguments are as for `update_state`."""
        self.update_state(*args, **kwargs)
        return self.result()

    def stateless_update_state(self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Return the state after a batch for a given state before it, without changing anything.

        Args:
            metric_variables: the values of `variables`, in that order.
            *args: as for `update_state`.
            **kwargs: as for `update_state`.
        """
        return functionalize(self.update_state, self.variables)(metric_variables, *args, **kwargs)[0]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """Return the value for a given state."""
        return functionalize(self.result, self.variables)(metric_variables)[1]

    def stateless_reset_state(self) -> list[Any]:
        """Return the state before the first batch."""
        return [initializer(v.shape, dtype=v.dtype) for v, initializer in self._first_values()]

    def _first_values(self) -> list[tuple[Variable, Any]]:
        """Return the variables, each with a function that returns its first value."""
        known = self._known_initializers()
        return [(v, known.get(id(v), ops.zeros)) for v in self.variables]

    def _known_initializers(self) -> dict[int, Any]:
        """Return the initializers by the identity of their variables, including those of inner metrics."""
        found = {id(v): first for v, first in zip(self._own, self._initializers, strict=True)}
        for metric in tracked(self, Metric):
            found |= metric._known_initializers()
        return found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
