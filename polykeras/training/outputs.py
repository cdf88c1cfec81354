"""Assigning losses, metrics, labels and weights to the outputs of a model, and the names of these in logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from polykeras import ops, tree
from polykeras.common import nested
from polykeras.common.naming import did_you_mean


def known_names(y_pred: Any, model_names: list[str] | None) -> list[str] | None:
    """Return the names of the flat outputs: the keys of a dict, or the names of layers; None if they have none.

    Args:
        y_pred: the tree of outputs.
        model_names: the names of the layers that compute the outputs, if the model knows them.
    """
    leaves = nested.flatten(y_pred)
    if isinstance(y_pred, Mapping) and len(y_pred) == len(leaves):
        return sorted(y_pred)
    return list(model_names) if model_names and len(model_names) == len(leaves) else None


def name_outputs(y_pred: Any, model_names: list[str] | None) -> list[str]:
    """Return names of the flat outputs for messages and dicts: `known_names`, or `output_0`, ...

    Args:
        y_pred: the tree of outputs.
        model_names: the names of the layers that compute the outputs, if the model knows them.
    """
    return known_names(y_pred, model_names) or [f"output_{i}" for i in range(len(nested.flatten(y_pred)))]


def name_losses(y_pred: Any, model_names: list[str] | None, losses: Sequence[Any]) -> list[str]:
    """Return the names of the losses of several outputs in logs, without `_loss`.

    They are those of the outputs, with the way to outputs that lie deeper, as `a/b`. The loss of an output without a
    name has its own name.

    Args:
        y_pred: the tree of outputs.
        model_names: the names of the layers that compute the outputs, if the model knows them.
        losses: the loss of each output, or None.
    """
    known = known_names(y_pred, model_names)
    paths = [path for path, output in tree.flatten_with_path(y_pred) if output is not None]
    names = []
    for i, (path, loss) in enumerate(zip(paths, losses, strict=True)):
        last = path[-1] if path and isinstance(path[-1], str) else known[i] if known else getattr(loss, "name", "")
        names.append("/".join(map(str, (*path[:-1], last))))
    return names


def given_order(losses: Any, y_pred: Any) -> list[int]:
    """Return the places of the outputs in the order of the keys of a tree; in that of sorted keys where it has none.

    Args:
        losses: the tree: that of the losses, most often.
        y_pred: the tree of outputs.
    """
    leaves, definition = nested.flatten_with_def(y_pred)

    def places(spec: Any, part: Any) -> list[int]:
        if isinstance(part, Mapping):
            by_key = isinstance(spec, Mapping) and spec.keys() <= part.keys()
            keys = dict.fromkeys((*(spec if by_key else ()), *sorted(part)))
            return [i for key in keys for i in places(spec.get(key) if by_key else None, part[key])]
        if isinstance(part, (list, tuple)):
            specs = spec if isinstance(spec, (list, tuple)) and len(spec) == len(part) else [None] * len(part)
            return [i for pair in zip(specs, part, strict=True) for i in places(*pair)]
        return nested.flatten(part)

    return places(losses, nested.unflatten(definition, range(len(leaves))))


def form_of_labels(y_true: Any, y_pred: Any) -> str:
    """Return the form of accuracy or cross-entropy for labels and outputs: "binary", "sparse" or "categorical"."""
    true_shape, pred_shape = ops.shape(y_true), ops.shape(y_pred)
    if not pred_shape or pred_shape[-1] == 1 or len(pred_shape) == 1:
        return "binary"
    if len(true_shape) < len(pred_shape) or true_shape[-1] == 1:
        return "sparse"
    return "categorical"


def by_output(spec: Any, names: list[str], what: str, y_pred: Any = None) -> list[Any]:
    """Return the entry for each output.

    Args:
        spec: a tree like that of the outputs, a list or tuple by position, a dict by name, or one entry for all.
        names: the names of the outputs.
        what: the name of the argument, for messages.
        y_pred: the tree of outputs, if it is known.

    Raises:
        ValueError: the number of entries differs from that of the outputs, or no output has a name.
    """
    if not isinstance(spec, (Mapping, list, tuple)):
        return [spec] * len(names)
    placed = _placed(spec, y_pred) if isinstance(y_pred, (Mapping, list, tuple)) else None
    if placed is not None:
        return placed
    if isinstance(spec, Mapping):
        for key in spec:
            if key not in names:
                raise ValueError(
                    f"`{what}` names the output {key!r}.{did_you_mean(key, names)} The outputs are {names}."
                )
        return [spec.get(name) for name in names]
    if len(spec) != len(names):
        raise ValueError(f"`{what}` has {len(spec)} entries; the model has {len(names)} outputs: {names}.")
    return list(spec)


def _placed(spec: Any, y_pred: Any) -> list[Any] | None:
    """Return the parts of a tree at the places of the outputs, None where it lacks one; None if it has another form."""
    if not nested.is_nested(y_pred):
        return [spec]
    if spec is None or y_pred is None:
        return [None] * len(nested.flatten(y_pred))
    if isinstance(spec, Mapping) and isinstance(y_pred, Mapping) and spec.keys() <= y_pred.keys():
        pairs = [(spec.get(key), y_pred[key]) for key in sorted(y_pred)]
    elif isinstance(spec, (list, tuple)) and isinstance(y_pred, (list, tuple)) and len(spec) == len(y_pred):
        pairs = list(zip(spec, y_pred, strict=True))
    else:
        return None
    parts = [_placed(*pair) for pair in pairs]
    return None if None in parts else [entry for part in parts for entry in part or ()]


def flat_like(part: Any, y_pred: Any, names: list[str], what: str, losses: Sequence[Any] = ()) -> list[Any]:
    """Return the labels or weights of each output; None for missing ones.

    Args:
        part: a tree with the structure of the outputs, a dict by their names, or one array for a single output.
        y_pred: the tree of outputs.
        names: the names of the outputs.
        what: the name of the argument, for messages.
        losses: the loss of each output, or None. If some have none, labels may be those of the others alone.

    Raises:
        ValueError: the labels or weights do not fit the outputs.
    """
    if part is None:
        return [None] * len(names)
    if isinstance(part, Mapping):
        return by_output(part, names, what, y_pred)
    parts = list(part) if isinstance(part, (list, tuple)) else [part]
    wanted = [i for i, loss in enumerate(losses) if loss is not None]
    if len(parts) == len(wanted) < len(names):
        found = dict(zip(wanted, parts, strict=True))
        return [found.get(i) for i in range(len(names))]
    if isinstance(part, (list, tuple)):
        return by_output(part, names, what, y_pred)
    if len(names) == 1:
        return parts
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
