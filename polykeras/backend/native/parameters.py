"""Parameters: a framework's objects that hold the value of a variable and gather its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class NativeParameters:
    """How a framework makes and changes parameters.

    Attributes:
        requested: whether native code of this process has asked for parameters. From then on each trainable variable
            that is read outside of steps gets one.
        calls: how many calls run now whose variables get one, see `NativeMixin.native_training_call`.
    """

    def __init__(self) -> None:
        self.requested = False
        self.calls = 0

    def wanted(self) -> bool:
        """Return whether a trainable variable that is read now outside of steps gets a parameter."""
        return (self.requested or self.calls > 0) and self.is_grad_enabled()

    def make(self, value: Any, trainable: bool) -> Any:
        """Return a parameter that holds an array's memory.

        It is the array itself where that can be, so that code which got the array before has the parameter.

        Args:
            value: the array.
            trainable: whether gradients gather in the parameter.
        """
        raise NotImplementedError

    def track_value(self, value: Any, make_parameter: Callable[[Any], None]) -> None:
        """Note that an array was given out as the value of a variable.

        Args:
            value: the array.
            make_parameter: a method of the variable. `make_parameter(value)` makes the array the variable's parameter
                if it still is its value.
        """

    def copy_into(self, parameter: Any, value: Any) -> None:
        """Copy new numbers into a parameter.

        Args:
            parameter: it stays the same object.
            value: an array of its shape and dtype.
        """
        raise NotImplementedError

    def set_trainable(self, parameter: Any, trainable: bool) -> None:
        """Set whether gradients gather in a parameter.

        Args:
            parameter: the parameter.
            trainable: whether they do.
        """
        raise NotImplementedError

    def clear_gradient(self, parameter: Any) -> None:
        """Drop the gradient that has gathered in a parameter."""
        raise NotImplementedError

    def version(self, parameter: Any) -> int:
        """Return a number that grows with each change of a parameter in place."""
        raise NotImplementedError

    def is_grad_enabled(self) -> bool:
        """Return whether the framework records gradients of what is computed now."""
        raise NotImplementedError
