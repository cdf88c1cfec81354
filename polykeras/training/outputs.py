"""Which loss, metric or weight belongs to which output of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras.common import nested
from polykeras.common.naming import did_you_mean


def name_outputs(y_pred: Any, model_names: list[str] | None) -> list[str]:
    """Return the names of the flat outputs: keys of a dict, names of layers, or `output_0`, ...

    Args:
        y_pred: the tree of outputs.
        model_names: the names of the layers that give them, where the model knows.
    """
    leaves = nested.flatten(y_pred)
    if isinstance(y_pred, Mapping) and len(y_pred) == len(leaves):
        return sorted(y_pred)
    if model_names and len(model_names) == len(leaves):
        return list(model_names)
    return [f"output_{i}" for i in range(len(leaves))]


def by_output(spec: Any, names: list[str], what: str) -> list[Any]:
    """Return the entry of each output in what a user gave by position or by name.

    Args:
        spec: a list or tuple by position, a dict by name, or one entry for all.
        names: of the outputs.
        what: the argument's name, for messages.

    Raises:
        ValueError: another number of entries, or a name that no output has.
    """
    if isinstance(spec, Mapping):
        for key in spec:
            if key not in names:
                raise ValueError(
                    f"`{what}` names the output {key!r}.{did_you_mean(key, names)} The outputs are {names}."
                )
        return [spec.get(name) for name in names]
    if isinstance(spec, (list, tuple)):
        if len(spec) != len(names):
            raise ValueError(f"`{what}` has {len(spec)} entries; the model has {len(names)} outputs: {names}.")
        return list(spec)
    return [spec] * len(names)


def _by_structure(part: Any, y_pred: Any) -> list[Any] | None:
    """The leaves of a dict of dicts, lists or tuples that is built as the outputs are; None of another one."""
    if not isinstance(y_pred, Mapping) or not any(nested.is_nested(inner) for inner in y_pred.values()):
        return None
    try:
        nested.assert_same_structure(part, y_pred)
    except (TypeError, ValueError):
        return None
    return nested.flatten(part)


def flat_like(part: Any, y_pred: Any, names: list[str], what: str) -> list[Any]:
    """Return labels or weights as one entry an output, None for those that are missing.

    Args:
        part: a tree in the structure of the outputs, a dict by their names, or one array for a single output.
        y_pred: the tree of outputs.
        names: of the outputs.
        what: the argument's name, for messages.
    """
    if part is None:
        return [None] * len(names)
    if isinstance(part, Mapping):
        return _by_structure(part, y_pred) or by_output(part, names, what)
    if isinstance(part, (list, tuple)):
        return by_output(part, names, what)
    if len(names) == 1:
        return [part]
    raise ValueError(
        f"The model has {len(names)} outputs {names}; `{what}` is one array. Pass a list or a dict of arrays."
    )
