"""Helpers for layers that make weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from polykeras import constraints, initializers, regularizers
from polykeras.layers.base.layer import Layer
from polykeras.variables import Variable

_KINDS: dict[str, Callable[[Any], Any]] = {
    "initializer": initializers.get,
    "regularizer": regularizers.get,
    "constraint": constraints.get,
}

Options = tuple[Any, Any, Any]
"""An initializer, a regularizer and a constraint, as users write them."""


def as_arguments(**options: Options) -> dict[str, Any]:
    """Return options as Keras's keyword arguments: `kernel=(a, b, c)` becomes `kernel_initializer=a`, and so on."""
    return {
        f"{prefix}_{kind}": value
        for prefix, values in options.items()
        for kind, value in zip(_KINDS, values, strict=True)
    }


def keep_options(layer: Layer, given: Mapping[str, Any], *prefixes: str) -> None:
    """Store a user's options for weights as attributes, where `make_weight` and `get_config` look for them.

    Args:
        layer: the layer that has the weights.
        given: the arguments of its constructor by name, from `locals()`.
        *prefixes: `"kernel"` stores `kernel_initializer`, `kernel_regularizer` and `kernel_constraint`.
    """
    for prefix in prefixes:
        for kind, get in _KINDS.items():
            setattr(layer, f"{prefix}_{kind}", get(given[f"{prefix}_{kind}"]))


def make_weight(layer: Layer, name: str, shape: Sequence[int], prefix: str | None = None, **kwargs: Any) -> Variable:
    """Add a weight to `layer` with the options that `keep_options` stored, and return it.

    Args:
        layer: the layer that gets the weight.
        name: the name of the weight.
        shape: the shape of the weight.
        prefix: the prefix of the options; by default the name, or `"recurrent"` for a `"recurrent_kernel"`.
        **kwargs: arguments of `Layer.add_weight`; an `initializer` replaces the stored one.
    """
    prefix = prefix or name.removesuffix("_kernel")
    options = {option: getattr(layer, f"{prefix}_{option}") for option in _KINDS}
    return layer.add_weight(shape=shape, name=name, **(options | kwargs))


def known_sizes(layer: Layer, input_shape: Sequence[int | None], axes: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes of those axes of the inputs on which the weights of `layer` depend.

    Args:
        layer: the layer, for messages.
        input_shape: the shape of the inputs, with None for unknown sizes.
        axes: the axes.

    Raises:
        ValueError: an axis does not exist, or its size is not known.
    """
    shape = tuple(input_shape)
    for axis in axes:
        size = shape[axis] if -len(shape) <= axis < len(shape) else "missing"
        if not isinstance(size, (int, np.integer)):
            what = "unknown" if size is None else size
            raise ValueError(
                f"Layer {layer.name!r} ({type(layer).__name__}) makes weights for axis {axis} of its inputs, whose "
                f"size is {what}; received the shape {shape}. Give that size in Input(shape=...)."
            )
    return tuple(int(shape[axis]) for axis in axes)  # type: ignore[arg-type]
