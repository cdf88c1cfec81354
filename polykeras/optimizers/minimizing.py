"""A loss and its gradients in one call, known as `minimize` in the optimizers of tf.keras 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras.autodiff import value_and_grad
from polykeras.variables import Variable

if TYPE_CHECKING:
    from polykeras.optimizers.base import Optimizer


def minimize(optimizer: Optimizer, loss: Any, var_list: Any, tape: Any = None) -> Variable:
    """Update variables by the gradients of a loss.

    Args:
        optimizer: the optimizer that updates them.
        loss: a function without arguments that returns the loss; with `tape`, the loss itself, which the tape recorded.
        var_list: the variables, or a function that returns them.
        tape: a `tf.GradientTape` that recorded the loss.

    Returns:
        The counter of steps.

    Raises:
        ValueError: if the loss is a value, and there is no tape; or there are no variables.
    """
    given: Any = var_list() if callable(var_list) else var_list
    variables = list(given)
    if not variables:
        raise ValueError(f"Optimizer {optimizer.name!r}: minimize received no variables. Build the model first.")
    if tape is None and not callable(loss):
        raise ValueError(
            f"Optimizer {optimizer.name!r}: minimize takes a function that computes the loss, or a loss and the `tape` "
            f"that recorded it; received only {loss!r}."
        )
    if tape is None:
        variables = optimizer._ours(variables)
        _, gradients = value_and_grad(lambda: optimizer.scale_loss(loss()), variables)()
    else:
        with tape:
            scaled = optimizer.scale_loss(loss() if callable(loss) else loss)
        gradients = tape.gradient(scaled, variables)
    return optimizer.apply_gradients(zip(gradients, variables, strict=True))
