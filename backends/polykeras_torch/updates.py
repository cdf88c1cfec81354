"""The kernels that torch has for the rules of optimizers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from polykeras_torch.global_state import is_transformed

aten: Any = torch.ops.aten

# Of a step that the kernel takes for so late, the corrections of the averages' bias are 1: they are in the rate.
_LATE = 1e30


def _adam(
    lists: Sequence[Sequence[Tensor]], scalars: Sequence[Tensor], beta_1: float, beta_2: float, epsilon: float
) -> list[list[Tensor]]:
    """Return new parameters, averages and (AMSGrad) largest averages, for lists that begin with the gradients."""
    gradients, *state = lists
    parameters, momenta, velocities, *largest = new = [[_own(x) for x in column] for column in state]
    late = torch.tensor(_LATE)
    aten._fused_adam_.tensor_lr(
        parameters,
        [gradient.contiguous() for gradient in gradients],
        momenta,
        velocities,
        largest[0] if largest else [],
        [late] * len(parameters),
        lr=scalars[0],
        beta1=beta_1,
        beta2=beta_2,
        weight_decay=0.0,
        eps=epsilon,
        amsgrad=bool(largest),
        maximize=False,
    )
    return new


def _gradient_descent(lists: Sequence[Sequence[Tensor]], scalars: Sequence[Tensor]) -> list[list[Tensor]]:
    """Return new parameters, for the gradients and the old ones."""
    gradients, state = lists
    parameters = [_own(x) for x in state]
    aten._fused_sgd_.tensor_lr(
        parameters,
        [gradient.contiguous() for gradient in gradients],
        [],
        weight_decay=0.0,
        momentum=0.0,
        lr=scalars[0],
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )
    return [parameters]


def _own(x: Tensor) -> Tensor:
    """Return a row-major copy, which a recorded step need not make where the memory is given to it."""
    return x.clone(memory_format=torch.contiguous_format)


KERNELS: dict[str, Callable[..., list[list[Tensor]]]] = {"adam": _adam, "gradient descent": _gradient_descent}


def suits(lists: Sequence[Sequence[Any]]) -> bool:
    """Return whether a kernel can run on these lists: they are of full precision, and nobody differentiates."""
    return not is_transformed() and all(
        x.dtype in (torch.float32, torch.float64) and x.device.type == "cpu" and not x.requires_grad
        for column in lists
        for x in column
    )
