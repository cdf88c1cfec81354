"""What verification tells: a step that is wrong, and one that it cannot verify."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from polykeras.variables import Variable

_MIXED = (
    " Or, as several workers share each batch, a layer, loss or metric of yours combines samples otherwise than by a "
    "mean of losses: use polykeras.collectives, or train on one worker."
)


def wrong_step(backend: str, model: str, where: str, other: str, wrong: Sequence[str], is_shared: bool) -> RuntimeError:
    """Return the error for steps that do not give what they should.

    Args:
        backend: its name.
        model: the name of the model.
        where: which steps.
        other: the steps that they are compared with.
        wrong: the differences, in words.
        is_shared: whether several workers share each batch.
    """
    return RuntimeError(
        f"Verification of compiled steps on {backend}, model {model!r}: {where} of the pass over the data does not "
        f"give what {other} give{'' if 'steps' in other else 's'}: {'; '.join(wrong)}. The model is as it was before "
        "the chunk. Either the step depends on something in Python that changed since it was compiled (an attribute, a "
        "global, a setting: make it a Variable), or a fast path is wrong: please report it."
        f"{_MIXED if is_shared else ''} With POLYKERAS_FAST=0, or compiled with run_eagerly=True, the model may do "
        "without."
    )


def not_verified(kind: str, model: str, names: Sequence[str]) -> str:
    """Return the warning for a step that gives several results from one state.

    Args:
        kind: `"train"`, `"test"` or `"predict"`.
        model: the name of the model.
        names: the results that differ.
    """
    return (
        f"The {kind} step of model {model!r} cannot be verified in full: twice from the same state it gave other "
        f"values for {', '.join(names)}. It draws random numbers of a framework or NumPy, or changes Python's state. "
        "Draw with polykeras.random and a SeedGenerator to have it verified, or switch verification off for this model."
    )


def names_of(variables: Iterable[Variable]) -> list[str]:
    """Return unique names of variables for messages: their paths, and numbers if a path occurs again."""
    seen = Counter[str]()
    names = []
    for variable in variables:
        number = seen[variable.path]
        names.append(f"variable {variable.path!r}" + (f" (no. {number + 1} of that path)" if number else ""))
        seen[variable.path] += 1
    return names
