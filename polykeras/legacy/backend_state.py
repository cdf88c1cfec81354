"""Graphs and settings of Keras 2's backend: `K.function`, `K.learning_phase` and the like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import ops
from polykeras.backend import image_data_format, set_image_data_format
from polykeras.common.naming import reset_names as reset_uids
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.config import ImageDataFormat
from polykeras.layers import Input
from polykeras.layers.base.context import current_context
from polykeras.legacy.backend_variables import batch_get_value
from polykeras.models import Model

if TYPE_CHECKING:
    from polykeras.graph import KerasTensor

__all__ = ["reset_uids"]

_ORDERS: dict[ImageDataFormat, str] = {"channels_last": "tf", "channels_first": "th"}
_phase: int | None = None


def placeholder(
    shape: Sequence[int | None] | None = None,
    ndim: int | None = None,
    dtype: DTypeLike = None,
    sparse: bool = False,
    name: str | None = None,
) -> KerasTensor:
    """Return a symbolic tensor of a given shape, or with a number of axes of unknown size.

    Args:
        shape: the sizes, with None for unknown ones.
        ndim: the number of axes, if the shape is unknown.
        dtype: by default the default float dtype.
        sparse: not used.
        name: the name of the input.
    """
    return Input(batch_shape=(None,) * (ndim or 0) if shape is None else tuple(shape), dtype=dtype, name=name)


def function(
    inputs: Sequence[Any], outputs: Sequence[Any], updates: Any = None, name: str | None = None
) -> Callable[[Sequence[Any]], list[np.ndarray]]:
    """Return a function from the values of some symbolic tensors of a graph to the values of others.

    Args:
        inputs: symbolic tensors; `K.learning_phase()` among them says whether layers are in training.
        outputs: symbolic tensors.
        updates: not supported: a layer assigns to its variables when it is called.
        name: accepted as in Keras 2, without effect.

    Raises:
        ValueError: if there are `updates`.
    """
    if updates:
        raise ValueError("K.function: `updates` are not supported; assign to variables in a layer's `call`.")
    phases = [isinstance(x, int) for x in inputs]
    model = Model([x for x, phase in zip(inputs, phases, strict=True) if not phase], list(outputs))

    def run(values: Sequence[Any]) -> list[np.ndarray]:
        training = any(bool(value) for value, phase in zip(values, phases, strict=True) if phase) or bool(_phase)
        arrays = [ops.convert_to_tensor(value) for value, phase in zip(values, phases, strict=True) if not phase]
        results = model(arrays if len(arrays) != 1 else arrays[0], training=training)
        return batch_get_value(results if isinstance(results, (list, tuple)) else [results])

    return run


def gradients(loss: ArrayLike, variables: Any) -> Any:
    """Raise an error, because there is no graph of gradients.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(
        "K.gradients takes a symbolic loss, whose graph is not kept here. Write the loss as a function and call "
        "`polykeras.value_and_grad(function, variables)` or `polykeras.grad(function)`."
    )


def learning_phase() -> int:
    """Return 1 if a layer is being called in training, else 0; or the value of `set_learning_phase`, if it was set."""
    context = current_context()
    return _phase if _phase is not None else int(context is not None and bool(context.training))


def set_learning_phase(value: int) -> None:
    """Set the result of `learning_phase`: 0 or 1.

    Raises:
        ValueError: if the value is unknown.
    """
    global _phase
    if value not in (0, 1):
        raise ValueError(f"set_learning_phase: expected 0 or 1; received {value!r}.")
    _phase = value


def in_train_phase(x: Any, alt: Any, training: bool | None = None) -> Any:
    """Return `x` in training, else `alt`; each may be a function without arguments.

    Args:
        x: an array, or a function that returns one.
        alt: an array, or a function that returns one.
        training: whether it is training; by default as `learning_phase` says.
    """
    chosen = x if (learning_phase() if training is None else training) else alt
    return chosen() if callable(chosen) else chosen


def in_test_phase(x: Any, alt: Any, training: bool | None = None) -> Any:
    """Return `alt` in training, else `x`; each may be a function without arguments.

    Args:
        x: an array, or a function that returns one.
        alt: an array, or a function that returns one.
        training: whether it is training; by default as `learning_phase` says.
    """
    return in_train_phase(alt, x, training)


def image_dim_ordering() -> str:
    """Return the position of channels in Keras 1's words: "tf" for last, "th" for first."""
    return _ORDERS[image_data_format()]


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Set the position of channels in Keras 1's words: "tf" for last, "th" for first.

    Raises:
        ValueError: if the word is unknown.
    """
    for form, order in _ORDERS.items():
        if order == dim_ordering:
            return set_image_data_format(form)
    raise ValueError(f"set_image_dim_ordering: expected 'tf' or 'th'; received {dim_ordering!r}.")


@contextmanager
def name_scope(name: str) -> Iterator[str]:
    """Do nothing; in TensorFlow's graphs, this context had a name."""
    yield name


def ctc_label_dense_to_sparse(labels: ArrayLike, label_lengths: ArrayLike) -> Any:
    """Raise an error, because there are no sparse arrays.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        "There are no sparse arrays here; `K.ctc_batch_cost` and `ops.ctc_loss` take dense labels."
    )
