"""Assigning losses, metrics and weights to the outputs of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras.common import nested
from polykeras.common.naming import did_you_mean


def name_outputs(y_pred: Any, model_names: list[str] | None) -> list[str]:
    """Return the names of the flat outputs: the keys of a dict, the names of layers, or `output_0`, ...

    Args:
        y_pred: the tree of outputs.
        model_names: the names of the layers that compute the outputs, if the model knows them.
    """
    leaves = nested.flatten(y_pred)
    if isinstance(y_pred, Mapping) and len(y_pred) == len(leaves):
        return sorted(y_pred)
    if model_names and len(model_names) == len(leaves):
        return list(model_names)
    return [f"output_{i}" for i in range(len(leaves))]


def by_output(spec: Any, names: list[str], what: str) -> list[Any]:
    """Return the entry for each output.

    Args:
        spec: a list or tuple by position, a dict by name, or one entry for all outputs.
        names: the names of the outputs.
        what: the name of the argument, for messages.

    Raises:
        ValueError: the number of entries differs from that of the outputs, or no output has a name.
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
    """Return the leaves of a dict of dicts, lists or tuples with the structure of the outputs; None for others."""
    if not isinstance(y_pred, Mapping) or not any(nested.is_nested(inner) for inner in y_pred.values()):
        return None
    try:
        nested.assert_same_structure(part, y_pred)
    except (TypeError, ValueError):
        return None
    return nested.flatten(part)


def flat_like(part: Any, y_pred: Any, names: list[str], what: str) -> list[Any]:
    """Return the labels or weights of each output; None for missing ones.

    Args:
        part: a tree with the structure of the outputs, a dict by their names, or one array for a single output.
        y_pred: the tree of outputs.
        names: the names of the outputs.
        what: the name of the argument, for messages.

    Raises:
        ValueError: the labels or weights do not fit the outputs.
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


def flat_weights(sample_weight: Any, y_pred: Any, names: list[str]) -> list[Any]:
    """Return the sample weights of each output.

    Args:
        sample_weight: weights by output, as labels in `flat_like`; or one array, or None, for all outputs.
        y_pred: the tree of outputs.
        names: the names of the outputs.
    """
    if nested.is_nested(sample_weight):
        return flat_like(sample_weight, y_pred, names, "sample_weight")
    return [sample_weight] * len(names)
