"""Checks and clipping of gradients before an update."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from polykeras import dtypes
from polykeras.backend import Backend
from polykeras.backend.handles import convert
from polykeras.backend.spec import Array

if TYPE_CHECKING:
    from polykeras.variables import Variable


class NoGradients(ValueError):
    """Raised if none of the variables has a gradient."""


def present(gradients: Sequence[Array], variables: Sequence[Variable]) -> list[tuple[Any, Variable]]:
    """Return pairs of gradients and variables, without those that have no gradient; warn about trainable ones of these.

    Raises:
        NoGradients: if no variable has a gradient.
    """
    pairs = list(zip(gradients, variables, strict=True))
    found = [pair for pair in pairs if pair[0] is not None]
    lacking = [repr(variable.path) for gradient, variable in pairs if gradient is None and variable.trainable]
    if lacking:
        message = (
            f"Variable {', '.join(lacking)} has no gradient (None): the loss does not depend on it. Leave it out of "
            "the list, set `trainable = False`, or take gradients with `polykeras.value_and_grad`, which returns zeros."
        )
        if not found:
            raise NoGradients(
                f"{message} In a training loop in PyTorch's idiom, call `model.zero_grad()` before the first forward "
                "pass, so that weights get gradients."
            )
        warnings.warn(f"{message} It is not changed.", stacklevel=4)
    return found


def checked(backend: Backend, gradient: Array, variable: Variable) -> Array:
    """Return a gradient as an array of the variable's dtype.

    Raises:
        ValueError: if it has another shape than the variable.
        TypeError: if it is not of a float dtype.
    """
    gradient = convert(backend, gradient)
    dtype = backend.dtype(gradient)
    if not dtypes.is_float(dtype):
        raise TypeError(
            f"The gradient of variable {variable.path!r} has dtype {dtype}; expected a float dtype. Make the variable "
            f"(now {variable.dtype}) or the loss a float."
        )
    if backend.shape(gradient) != variable.shape:
        raise ValueError(
            f"The gradient of variable {variable.path!r} has shape {backend.shape(gradient)}; expected "
            f"{variable.shape}."
        )
    return gradient if dtype == variable.dtype else backend.cast(gradient, variable.dtype)


def _square_sum(backend: Backend, x: Array) -> Array:
    if backend.dtype(x) != "float64":
        x = backend.cast(x, "float32")  # squares of 16-bit floats overflow early
    return backend.sum(x * x)


def _scaled(backend: Backend, x: Array, factor: Any) -> Array:
    return x * backend.cast(factor, backend.dtype(x))


def clip_each(backend: Backend, gradients: list[Array], bound: float) -> list[Array]:
    """Return the gradients, each shrunk so that its L2 norm is at most `bound`."""
    clipped = []
    for gradient in gradients:
        norm = backend.sqrt(_square_sum(backend, gradient))
        clipped.append(_scaled(backend, gradient, bound / backend.maximum(norm, bound)))
    return clipped


def clip_together(backend: Backend, gradients: list[Array], bound: float) -> list[Array]:
    """Return the gradients, shrunk by one factor so that the L2 norm of all of them together is at most `bound`."""
    sums = [_square_sum(backend, gradient) for gradient in gradients]
    total = sums[0]
    for part in sums[1:]:
        total = total + backend.cast(part, backend.dtype(total))
    norm = backend.sqrt(total)
    # An infinite norm must not count as a large one, which would set all finite gradients to 0.
    factor = backend.where(backend.isfinite(norm), bound / backend.maximum(norm, bound), float("nan"))
    return [_scaled(backend, gradient, factor) for gradient in gradients]


def clip_values(backend: Backend, gradients: list[Array], bound: float) -> list[Array]:
    """Return the gradients with each element clipped to `[-bound, bound]`."""
    return [backend.minimum(backend.maximum(gradient, -bound), bound) for gradient in gradients]
