"""How an optimizer's rule runs over lists of variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras.backend import Backend
from polykeras.backend.families.execution import FusedKernel
from polykeras.backend.spec import Array
from polykeras.variables import Variable, by_dtype, read_state

if TYPE_CHECKING:
    from polykeras.optimizers.base import Optimizer


def run_rule(
    optimizer: Optimizer, backend: Backend, gradients: list[Array], variables: list[Variable], rate: Array
) -> None:
    """Run `rule` over all variables: those of one dtype together, without weight decay and with it."""
    scalars = optimizer.scalars(rate, optimizer._float(backend, optimizer.iterations) + 1.0)
    by_variable = {id(v): g for v, g in zip(variables, gradients, strict=True)}
    for group in by_dtype(variables):
        plain = [v for v in group if optimizer.weight_decay_of(v) is None]
        decayed = [v for v in group if optimizer.weight_decay_of(v) is not None]
        if plain:
            gradients = [by_variable[id(v)] for v in plain]
            _run(optimizer, backend, optimizer._element, gradients, plain, scalars, optimizer.fused_kernel())
        if decayed:
            shrink = rate * optimizer.weight_decay
            gradients = [by_variable[id(v)] for v in decayed]
            _run(optimizer, backend, optimizer._decayed_element, gradients, decayed, [*scalars, shrink])


def run_steps(
    optimizer: Optimizer, backend: Backend, gradients: list[Array], variables: list[Variable], rate: Array
) -> None:
    """Run `update_step`, variable by variable."""
    for gradient, variable in zip(gradients, variables, strict=True):
        decay = optimizer.weight_decay_of(variable)
        if decay is not None:
            (value,) = read_state([variable], backend)
            variable.assign(value - value * backend.cast(rate * decay, variable.dtype))
        optimizer.update_step(gradient, variable, rate)


def _run(
    optimizer: Optimizer,
    backend: Backend,
    rule: Callable[..., Any],
    gradients: list[Array],
    group: list[Variable],
    scalars: list[Array],
    fused_kernel: FusedKernel | None = None,
) -> None:
    """Run a rule over variables of one dtype, and store the results."""
    targets = [group, *(optimizer._of(slots, group) for slots in optimizer._slots)]
    lists = [gradients, *(read_state(variables, backend) for variables in targets)]
    scalars = [backend.cast(scalar, group[0].dtype) for scalar in scalars]
    results = backend.map_elementwise(rule, lists, scalars, fused_kernel)
    for variables, values in zip(targets, results, strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
