"""The state of a model as a tree: the values of all variables by their paths."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from polykeras.training.steps.with_state import variables_of
from polykeras.variables import Variable

if TYPE_CHECKING:
    from polykeras.training.step_methods import StepMethods


def state_tree(model: StepMethods, value_format: str) -> dict[str, Any]:
    """Return the values of all variables of a model; see `get_state_tree`.

    Args:
        model: the model.
        value_format: `"backend_tensor"` or `"numpy_array"`.

    Returns:
        Nested dicts by the parts of the paths.

    Raises:
        ValueError: another format, or two variables have the same path.
    """
    if value_format not in ("backend_tensor", "numpy_array"):
        raise ValueError(f"`value_format` may be 'backend_tensor' or 'numpy_array'; received {value_format!r}.")
    read = Variable.numpy if value_format == "numpy_array" else lambda variable: variable.value
    made: dict[str, Any] = {}
    for kind, variables in variables_of(model, "train").items():
        made[kind] = {}
        for path, variable in _by_path(model, variables).items():
            *names, last = path.split("/")
            inner = made[kind]
            for name in names:
                inner = inner.setdefault(name, {})
            inner[last] = read(variable)
    return made


def assign_tree(model: StepMethods, tree: Mapping[str, Any]) -> None:
    """Set the variables of a model to the values of a tree; see `set_state_tree`.

    Args:
        model: the model.
        tree: as `state_tree` returns it.

    Raises:
        ValueError: the tree has another key, or a value of another shape. No variable is changed.
    """
    kinds = variables_of(model, "train")
    pairs: list[tuple[Variable, Any]] = []
    for kind, part in tree.items():
        if kind not in kinds:
            raise ValueError(f"set_state_tree: expected the keys {', '.join(kinds)}; received {kind!r}.")
        known = _by_path(model, kinds[kind])
        for path, value in _flat(part):
            if path not in known:
                warnings.warn(
                    f"{model.name!r} has no variable {path!r} among its {kind}; it is left out.", stacklevel=3
                )
                continue
            if tuple(getattr(value, "shape", ())) != tuple(known[path].shape):
                raise ValueError(f"The variable {path!r} has shape {known[path].shape}; received {value!r}.")
            pairs.append((known[path], value))
    for variable, value in pairs:
        variable.assign(value)


def _by_path(model: StepMethods, variables: Iterable[Variable]) -> dict[str, Variable]:
    found: dict[str, Variable] = {}
    for variable in variables:
        if found.setdefault(variable.path, variable) is not variable:
            raise ValueError(
                f"Two variables of {model.name!r} have the path {variable.path!r}: give parts names of their own."
            )
    return found


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value
