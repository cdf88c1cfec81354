"""The base class of losses: per-sample values, masks, weights, and their reduction to one number."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any, ClassVar, TypeVar

from polykeras import config, dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common import logits, nested
from polykeras.common.naming import is_ours, object_name, to_snake_case
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.layers.base.context import get_mask
from polykeras.losses.reduction import REDUCTIONS, reduce_weighted, spread
from polykeras.saving.configurable import Configurable, init_parameters
from polykeras.saving.serialization import Registry, deserialize_keras_object, serialize_keras_object

LOSSES: Registry[Any] = Registry("loss", "keras.losses")


class Loss(Configurable):
    """A number that measures how wrong predictions are.

    Subclasses write `call(y_true, y_pred)`, which returns the losses of the samples.

    Args:
        name: the name in logs.
        reduction: how the losses of the samples become one number: `"sum_over_batch_size"` (their mean), `"sum"`,
            `"mean_with_sample_weight"` (the weighted sum over the sum of the weights), or `"none"` (no reduction).
        dtype: the dtype of the computation; by default the default float dtype.

    Raises:
        ValueError: if the reduction is unknown.
    """

    # Whether labels are cast to the loss's dtype. The built-in losses convert labels themselves, so that class numbers
    # stay integers.
    casts_labels: ClassVar[bool] = True

    # A trait: no sample changes the loss of another one. Of the losses of polykeras; a user's must state it.
    sample_by_sample: ClassVar[bool] = True

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: DTypeLike = None
    ) -> None:
        reduction = "sum_over_batch_size" if reduction == "auto" else reduction  # Keras 2's name
        if reduction not in REDUCTIONS:
            known = ", ".join(repr(r) for r in REDUCTIONS)
            raise ValueError(f"Unknown reduction {reduction!r} of loss {type(self).__name__}. Known: {known}.")
        self.name = name or to_snake_case(type(self).__name__)
        self.reduction = reduction
        self._dtype = dtype

    @property
    def dtype(self) -> str:
        """The dtype in which the loss is computed."""
        policy = getattr(self._dtype, "compute_dtype", self._dtype)
        return config.floatx() if policy is None else dtypes.standardize_dtype(policy)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        """Return the loss of a batch.

        Args:
            y_true: labels, a tree of arrays.
            y_pred: predictions, of the same structure. A mask that a layer attached to them is applied.
            sample_weight: weights that broadcast to the samples' losses.

        Returns:
            A scalar. If the reduction is `"none"`, one value for each sample, as a column for weights `(batch, 1)`.
        """
        mask = get_mask(y_pred) if not nested.is_nested(y_pred) else None
        dtype = self.dtype
        y_pred = nested.map_structure(lambda x: cast_predictions(x, dtype), y_pred)
        y_true = nested.map_structure(
            lambda x: ops.cast(x, dtype) if self.casts_labels else _floats_as(x, dtype), y_true
        )
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, dtype)
        values = ops.convert_to_tensor(self.call(y_true, y_pred))
        if ops.dtype(values) != dtype:
            values = ops.cast(values, dtype)
        counts = self.compute_mask(y_true, y_pred)
        if counts is not None:
            mask = counts if mask is None else ops.logical_and(mask, counts)
        if not ops.shape(values) and self._is_users():
            values = spread(values, sample_weight, mask)
        return reduce_weighted(values, sample_weight, mask, self.reduction)

    def _is_users(self) -> bool:
        """Whether a user wrote it. Such a loss may be one number for all samples, whose weights then give a mean."""
        return not is_ours(type(self))

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the losses of the samples, with the shape of the labels without the last axis."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `call`.")

    def compute_mask(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array | None:
        """Return which samples count, as bools in the shape of `call`'s result, or None for all.

        Args:
            y_true: labels.
            y_pred: predictions.
        """
        return None

    def check_labels(self, labels: ArrayLike, output_shape: tuple[int | None, ...], output: str) -> None:
        """Refuse host labels that can only be a mistake.

        Args:
            labels: a NumPy array.
            output_shape: the shape of the model's output.
            output: the name of the output, for the message.

        Raises:
            ValueError: if a label is out of range.
        """

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        made = super().get_config()
        if any(parameter.name == "dtype" for parameter in init_parameters(type(self))):  # not every user's class has it
            made["dtype"] = self._dtype if isinstance(self._dtype, str) else None
        return made


class FunctionLoss(Loss):
    """Base class of the built-in losses: a registered function, whose further arguments are attributes of the loss.

    A loss without further arguments is one line, `class Poisson(FunctionLoss, fn=poisson)`. It gets a constructor with
    the function's name as the default of `name`.

    Args:
        reduction: see `Loss`.
        name: the name in logs; by default the function's name.
        dtype: see `Loss`.

    Attributes:
        fn: takes labels, predictions and the further arguments, and returns the losses of the samples.
    """

    casts_labels = False
    fn: ClassVar[Callable[..., Any]]

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: DTypeLike = None
    ) -> None:
        super().__init__(name, reduction, dtype)

    def __init_subclass__(cls, fn: Callable[..., Any] | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if fn is None:
            return
        cls.fn = staticmethod(fn)
        if "__init__" not in vars(cls):
            cls.__init__ = _constructor(fn.__name__)
            cls.__doc__ = f"{cls.__doc__}\n\n    Args:\n{_SHARED_ARGUMENTS}"

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the result of the function."""
        function = type(self).fn
        return function(y_true, y_pred, **{name: getattr(self, name) for name in further_arguments(function)})


_SHARED_ARGUMENTS = "".join(
    f"        {line}\n" for line in ("reduction: see `Loss`.", "name: for logs.", "dtype: see `Loss`.")
)


def _constructor(default: str) -> Callable[..., None]:
    """Return the constructor of a loss without further arguments."""

    def __init__(
        self: FunctionLoss, reduction: str | None = "sum_over_batch_size", name: str = default, dtype: DTypeLike = None
    ) -> None:
        FunctionLoss.__init__(self, reduction, name, dtype)

    return __init__


F = TypeVar("F", bound=Callable[..., Any])


def mixes_samples(function: F) -> F:
    """Deny the trait `sample_by_sample`, as a decorator: the losses of a function's samples depend on each other."""
    vars(function)["sample_by_sample"] = False
    return function


@cache
def further_arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a loss function's arguments after labels and predictions."""
    return tuple(inspect.signature(function).parameters)[2:]


class LossFunctionWrapper(Loss):
    """A loss from a function of labels and predictions.

    Args:
        fn: a function that returns the losses of the samples.
        reduction: see `Loss`.
        name: the name in logs; by default the function's name in snake case.
        dtype: see `Loss`.
        **kwargs: passed on to the function.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name or object_name(fn), reduction, dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the result of the function for labels and predictions of equal rank."""
        if not nested.is_nested(y_true) and not nested.is_nested(y_pred):
            y_true, y_pred = match_ranks(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def _is_users(self) -> bool:
        return not (isinstance(self.fn, FunctionType) and is_ours(self.fn))

    def get_config(self) -> dict[str, Any]:
        """Return the function and its arguments."""
        return super().get_config() | {key: serialize_keras_object(value) for key, value in self._fn_kwargs.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LossFunctionWrapper:
        """Return the loss of a config."""
        arguments = {key: deserialize_keras_object(value) for key, value in config.items()}
        return cls(**arguments | {"fn": LOSSES.get(arguments["fn"])})


def _floats_as(x: Array, dtype: str) -> Array:
    x = ops.convert_to_tensor(x)
    return ops.cast(x, dtype) if ops.dtype(x) in dtypes.FLOATS else x


def aligned(y_true: ArrayLike, y_pred: ArrayLike, name: str) -> tuple[Array, Array]:
    """Return labels and predictions as arrays of one shape.

    Args:
        y_true: labels, which may have one last axis of size 1 more or less.
        y_pred: predictions.
        name: the name of the loss or metric, for the message.

    Raises:
        ValueError: if their shapes differ.
    """
    y_true, y_pred = match_ranks(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    if ops.shape(y_true) != ops.shape(y_pred):
        raise ValueError(
            f"{name}: labels and predictions must have the same shape; received labels {tuple(ops.shape(y_true))} "
            f"and predictions {tuple(ops.shape(y_pred))} (the first number counts the samples). The last layer needs "
            "as many units as a label has numbers."
        )
    return y_true, y_pred


def match_ranks(x1: Array, x2: Array) -> tuple[Array, Array]:
    """Return two arrays of equal rank. If one has an extra last axis of size 1, it is dropped or added to the other."""
    s1, s2 = ops.shape(x1), ops.shape(x2)
    if len(s1) == len(s2) + 1 and s1[-1] == 1:
        return (x1, ops.expand_dims(x2, -1)) if len(s2) == 1 else (ops.squeeze(x1, -1), x2)
    if len(s2) == len(s1) + 1 and s2[-1] == 1:
        return (ops.expand_dims(x1, -1), x2) if len(s1) == 1 else (x1, ops.squeeze(x2, -1))
    return x1, x2


def cast_predictions(y_pred: ArrayLike, dtype: str) -> Array:
    """Return predictions in a dtype, and keep the link to their logits if it is known."""
    result = ops.cast(y_pred, dtype)
    logits.follow(y_pred, result, lambda x: ops.cast(x, dtype))
    return result
