"""A user's `train_step` in a framework's idiom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class NativeSteps:
    """What a framework does for a `train_step` that asks parameters for their gradients.

    `polykeras/training/steps/native.py` calls these hooks.
    """

    def make_parameter(self, value: Any, previous: Any) -> Any:
        """Return a parameter that lives as long as a step.

        Args:
            value: of the variable.
            previous: the variable's parameter in this step until now, whose gradient the new one takes over, or None.
        """
        raise NotImplementedError

    def is_missing_gradient(self, error: Exception) -> bool:
        """Return whether an error says that nothing was there to differentiate by."""
        raise NotImplementedError

    def run_eagerly(self, step: Callable[[], Any], reason: str) -> Any:
        """Run a step that changes objects of the framework, and so cannot be repeated or recorded.

        Args:
            step: the step.
            reason: why it is not recorded, for the warning.

        Returns:
            What the step returns.

        Raises:
            RuntimeError: an optimizer of the framework holds arrays of an attempt that was given up.
        """
        raise NotImplementedError

    def run_with_update_hook(self, step: Callable[[], Any], before_update: Callable[[], None]) -> Any:
        """Run a step, and call a function before an optimizer of the framework changes anything in it.

        Args:
            step: the step.
            before_update: the function; it may raise.

        Returns:
            What the step returns.
        """
        raise NotImplementedError
