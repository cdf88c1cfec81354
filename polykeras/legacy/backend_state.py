"""Variables, functions of graphs and settings of Keras 2's backend: `K.variable`, `K.function`, `K.learning_phase`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import ops, random
from polykeras.backend import image_data_format, set_image_data_format
from polykeras.backend.spec import Array
from polykeras.common.naming import reset_names as reset_uids
from polykeras.common.types import ArrayLike, ConstraintLike, DTypeLike
from polykeras.config import ImageDataFormat, floatx
from polykeras.layers import Input
from polykeras.layers.base.context import current_context
from polykeras.models import Model
from polykeras.seeds import SeedGenerator
from polykeras.variables import Variable

if TYPE_CHECKING:
    from polykeras.graph import KerasTensor

__all__ = ["reset_uids"]

_ORDERS: dict[ImageDataFormat, str] = {"channels_last": "tf", "channels_first": "th"}
_phase: int | None = None


def variable(
    value: ArrayLike, dtype: DTypeLike = None, name: str | None = None, constraint: ConstraintLike = None
) -> Variable:
    """Return a variable that holds a value, in the default float dtype if none is named.

    Args:
        value: numbers, nested lists or an array.
        dtype: of the variable; the default float dtype where None.
        name: of the variable.
        constraint: a function of the new value after each update.
    """
    made = Variable(ops.convert_to_numpy(value), dtype=dtype or floatx(), name=name)
    if constraint is not None:
        made.constraint = constraint
    return made


def zeros(shape: Sequence[int], dtype: DTypeLike = None, name: str | None = None) -> Variable:
    """Return a variable of zeros.

    Args:
        shape: its sizes.
        dtype: of the variable; the default float dtype where None.
        name: of the variable.
    """
    return variable(np.zeros(shape), dtype, name)


def ones(shape: Sequence[int], dtype: DTypeLike = None, name: str | None = None) -> Variable:
    """Return a variable of ones.

    Args:
        shape: its sizes.
        dtype: of the variable; the default float dtype where None.
        name: of the variable.
    """
    return variable(np.ones(shape), dtype, name)


def eye(size: int, dtype: DTypeLike = None, name: str | None = None) -> Variable:
    """Return a variable that holds an identity matrix.

    Args:
        size: how many rows, and columns.
        dtype: of the variable; the default float dtype where None.
        name: of the variable.
    """
    return variable(np.eye(size), dtype, name)


def random_normal_variable(
    shape: Sequence[int],
    mean: float,
    scale: float,
    dtype: DTypeLike = None,
    name: str | None = None,
    seed: int | SeedGenerator | None = None,
) -> Variable:
    """Return a variable of normally distributed numbers.

    Args:
        shape: its sizes.
        mean: of the numbers.
        scale: their standard deviation.
        dtype: of the variable; the default float dtype where None.
        name: of the variable.
        seed: an int, or a `SeedGenerator`; None draws from the process-wide stream.
    """
    return variable(random.normal(shape, mean, scale, dtype, seed), dtype, name)


def random_uniform_variable(
    shape: Sequence[int],
    low: float,
    high: float,
    dtype: DTypeLike = None,
    name: str | None = None,
    seed: int | SeedGenerator | None = None,
) -> Variable:
    """Return a variable of numbers drawn evenly from a range.

    Args:
        shape: its sizes.
        low: the least.
        high: the end, not included.
        dtype: of the variable; the default float dtype where None.
        name: of the variable.
        seed: an int, or a `SeedGenerator`; None draws from the process-wide stream.
    """
    return variable(random.uniform(shape, low, high, dtype, seed), dtype, name)


def get_value(x: ArrayLike) -> np.ndarray:
    """Return the value of a variable or an array as a NumPy array."""
    return ops.convert_to_numpy(x)


eval = get_value


def batch_get_value(tensors: Iterable[Any]) -> list[np.ndarray]:
    """Return the values of variables or arrays as NumPy arrays."""
    return [get_value(tensor) for tensor in tensors]


def set_value(x: Variable, value: ArrayLike) -> None:
    """Give a variable a value.

    Args:
        x: the variable.
        value: an array of its shape.
    """
    x.assign(np.asarray(value))


def batch_set_value(tuples: Iterable[tuple[Variable, Any]]) -> None:
    """Give variables values."""
    for x, value in tuples:
        set_value(x, value)


def update(x: Variable, new_x: ArrayLike) -> Array:
    """Give a variable a value, and return the value.

    Args:
        x: the variable.
        new_x: an array of its shape.
    """
    return x.assign(new_x)


def update_add(x: Variable, increment: ArrayLike) -> Array:
    """Add to a variable, and return its value.

    Args:
        x: the variable.
        increment: a number, or an array of its shape.
    """
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: ArrayLike) -> Array:
    """Subtract from a variable, and return its value.

    Args:
        x: the variable.
        decrement: a number, or an array of its shape.
    """
    return x.assign_sub(decrement)


def moving_average_update(x: Variable, value: ArrayLike, momentum: float) -> Array:
    """Move a variable towards a value, `momentum * x + (1 - momentum) * value`, and return its new value.

    Args:
        x: the variable.
        value: an array of its shape.
        momentum: in [0, 1].
    """
    return x.assign(x * momentum + ops.cast(value, x.dtype) * (1 - momentum))


def placeholder(
    shape: Sequence[int | None] | None = None,
    ndim: int | None = None,
    dtype: DTypeLike = None,
    sparse: bool = False,
    name: str | None = None,
) -> KerasTensor:
    """Return a symbolic tensor of a shape, or of a number of axes of unknown size.

    Args:
        shape: None for unknown sizes.
        ndim: how many axes there are, where the shape is not known.
        dtype: the default float dtype where None.
        sparse: not used.
        name: of the input.
    """
    return Input(batch_shape=(None,) * (ndim or 0) if shape is None else tuple(shape), dtype=dtype, name=name)


def function(
    inputs: Sequence[Any], outputs: Sequence[Any], updates: Any = None, name: str | None = None
) -> Callable[[Sequence[Any]], list[np.ndarray]]:
    """Return a function from the values of some symbolic tensors of a graph to those of others.

    Args:
        inputs: symbolic tensors; `K.learning_phase()` among them stands for whether layers are in training.
        outputs: symbolic tensors.
        updates: not supported: a layer assigns to its variables when it is called.
        name: of no use.

    Raises:
        ValueError: there are `updates`.
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
    """Raise: there is no graph of gradients.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(
        "K.gradients takes a symbolic loss, whose graph is not kept here. Write the loss as a function and call "
        "`polykeras.value_and_grad(function, variables)` or `polykeras.grad(function)`."
    )


def learning_phase() -> int:
    """Return 1 while a layer is called in training, else 0; what `set_learning_phase` said, if it was called."""
    context = current_context()
    return _phase if _phase is not None else int(context is not None and bool(context.training))


def set_learning_phase(value: int) -> None:
    """Say what `learning_phase` returns from now on: 0 or 1.

    Raises:
        ValueError: another value.
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
        training: whether it is training; by default what `learning_phase` says.
    """
    chosen = x if (learning_phase() if training is None else training) else alt
    return chosen() if callable(chosen) else chosen


def in_test_phase(x: Any, alt: Any, training: bool | None = None) -> Any:
    """Return `alt` in training, else `x`; each may be a function without arguments.

    Args:
        x: an array, or a function that returns one.
        alt: an array, or a function that returns one.
        training: whether it is training; by default what `learning_phase` says.
    """
    return in_train_phase(alt, x, training)


def image_dim_ordering() -> str:
    """Return where channels are, in Keras 1's words: "tf" for last, "th" for first."""
    return _ORDERS[image_data_format()]


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Say where channels are, in Keras 1's words: "tf" for last, "th" for first.

    Raises:
        ValueError: another word.
    """
    for form, order in _ORDERS.items():
        if order == dim_ordering:
            return set_image_data_format(form)
    raise ValueError(f"set_image_dim_ordering: expected 'tf' or 'th'; received {dim_ordering!r}.")


@contextmanager
def name_scope(name: str) -> Iterator[str]:
    """A context that had a name in TensorFlow's graphs; here it does nothing."""
    yield name


def ctc_label_dense_to_sparse(labels: ArrayLike, label_lengths: ArrayLike) -> Any:
    """Raise: there are no sparse arrays.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        "There are no sparse arrays here; `K.ctc_batch_cost` and `ops.ctc_loss` take dense labels."
    )
