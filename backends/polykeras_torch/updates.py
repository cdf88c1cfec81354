"""Torch's kernels for the rules of optimizers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from polykeras_torch.private import FUSED_ADAM, FUSED_SGD, is_transformed

# At such a late step, the kernel's bias corrections are 1; the learning rate already contains them.
_LATE = 1e30


def _adam(
    lists: Sequence[Sequence[Tensor]], scalars: Sequence[Tensor], beta_1: float, beta_2: float, epsilon: float
) -> list[list[Tensor]]:
    """Return new parameters, averages and (for AMSGrad) largest averages. The lists begin with the gradients."""
    gradients, *state = lists
    parameters, momenta, velocities, *largest = new = [[_own(x) for x in column] for column in state]
    late = torch.tensor(_LATE)
    FUSED_ADAM(
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
    """Return new parameters from the gradients and the old parameters."""
    gradients, state = lists
    parameters = [_own(x) for x in state]
    FUSED_SGD(
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
    """Return a row-major copy. A recorded step need not make it if it may use the memory."""
    return x.clone(memory_format=torch.contiguous_format)


KERNELS: dict[str, Callable[..., list[list[Tensor]]]] = {
    **({"adam": _adam} if FUSED_ADAM else {}),
    **({"gradient descent": _gradient_descent} if FUSED_SGD else {}),
}


def suits(lists: Sequence[Sequence[Any]]) -> bool:
    """Return whether a kernel can run on these lists: they have full precision, and nothing is differentiated."""
    return not is_transformed() and all(
        x.dtype in (torch.float32, torch.float64) and x.device.type == "cpu" and not x.requires_grad
        for column in lists
        for x in column
    )
