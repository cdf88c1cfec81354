"""A function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from polykeras.layers.base.layer import LAYERS, Layer


@LAYERS.register()
class Lambda(Layer):
    """Wraps a function as a layer.

    If the function needs weights, write a `Layer` instead. A config stores the function by its name if it is registered
    with `polykeras.saving.register_keras_serializable` or passed in `custom_objects`. It stores a `lambda` as compiled
    code, which runs only if the reader of the file passes `safe_mode=False`, and only on the same version of Python.

    Args:
        function: a function of the inputs; `mask` and `training` are passed if it has arguments of these names.
        output_shape: accepted for Keras code; shapes are found by running the function.
        mask: the mask of the outputs, or a function that computes it from inputs and mask.
        arguments: further keyword arguments of the function.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `function` cannot be called.

    Example:
        >>> from polykeras import layers
        >>> layers.Lambda(lambda x: x**2)([3.0]).tolist()
        [9.0]
    """

    _not_in_config = (*Layer._not_in_config, "output_shape")
    pure_call = False  # the function is a user's

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
        """Return the function's result.

        Args:
            inputs: the first argument of the function.
            mask: the mask of the inputs, passed to a function that takes `mask`.
            training: passed to a function that takes it.
        """
        extra = {name: value for name, value in (("mask", mask), ("training", training)) if name in self._takes}
        return self.function(inputs, **self.arguments, **extra)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask that was given, or the result of the function that was given for it.

        Args:
            inputs: the inputs of the call.
            mask: the mask of the inputs, or None.
        """
        return self.mask(inputs, mask) if callable(self.mask) else self.mask


def _argument_names(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # the signature of a built-in function may be unknown
        return set()
