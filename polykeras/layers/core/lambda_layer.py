"""A function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from polykeras.layers.base.layer import LAYERS, Layer


@LAYERS.register()
class Lambda(Layer):
    """A function as a layer.

    For anything with weights write a `Layer` instead. A config can name a function that is registered with
    `polykeras.saving.register_keras_serializable` or passed in `custom_objects`. A `lambda` is written as its compiled
    code, which is not run unless the reader of the file says `safe_mode=False`; other versions of Python cannot.

    Args:
        function: takes the inputs, and `mask` or `training` where it has arguments of these names.
        output_shape: accepted for Keras code; shapes are found by running the function.
        mask: the mask of the outputs, or a function of inputs and mask that gives it.
        arguments: further keyword arguments of the function.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `function` cannot be called.

    Example:
        >>> from polykeras import layers
        >>> layers.Lambda(lambda x: x**2)([3.0]).tolist()
        [9.0]
    """

    _not_in_config = (*Layer._not_in_config, "output_shape")
    pure_call = False  # its function is the user's

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise ValueError(f"Lambda takes a function; received {function!r} ({type(function).__name__}).")
        self.function = function
        self.arguments = arguments or {}
        self.mask = mask
        self.supports_masking = self._makes_masks = mask is not None
        self._takes = _argument_names(function) & {"mask", "training"}

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Return what the function gives.

        Args:
            inputs: the first argument of the function.
            mask: that of the inputs, for a function that takes a `mask`.
            training: for a function that takes it.
        """
        extra = {name: value for name, value in (("mask", mask), ("training", training)) if name in self._takes}
        return self.function(inputs, **self.arguments, **extra)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask that was given, or what the function for it gives.

        Args:
            inputs: what the layer was called with.
            mask: the mask of the inputs, or None.
        """
        return self.mask(inputs, mask) if callable(self.mask) else self.mask


def _argument_names(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # built-in functions may hide theirs
        return set()
