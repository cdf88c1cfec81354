"""Elementwise rules that run over lists of variables, and whose results the variables become."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras.backend import Backend
from polykeras.backend.families.execution import FusedKernel, Rule
from polykeras.backend.spec import Array
from polykeras.variables import Variable, read_state


def assign_elementwise(
    backend: Backend,
    rule: Rule,
    operands: Sequence[Sequence[Array]],
    targets: Sequence[Sequence[Variable]],
    scalars: Sequence[Array],
    fused_kernel: FusedKernel | None = None,
) -> None:
    """Run a rule over lists of arrays and of variables, and assign its results to the variables.

    Args:
        backend: the current one.
        rule: takes an array of each list of operands, the value of a variable of each list of targets, and the
            scalars; returns as many arrays as there are lists of targets.
        operands: lists of arrays of one dtype, all lists of one length.
        targets: as many variables in each list, of this dtype.
        scalars: the same for all.
        fused_kernel: what the rule is called where frameworks have a kernel of it.
    """
    lists = [*operands, *(read_state(variables, backend) for variables in targets)]
    results = backend.map_elementwise(rule, lists, scalars, fused_kernel)
    for variables, values in zip(targets, results, strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
