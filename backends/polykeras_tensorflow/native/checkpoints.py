"""Models, layers, optimizers and metrics of polykeras in a user's `tf.train.Checkpoint`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import tensorflow as tf

from polykeras.backend.handles import Handle
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras.common.checkpointable import Checkpointable
from polykeras_tensorflow.native.location import LOCATION
from polykeras_tensorflow.private import Trackable, track

_NAME = "variables"


class Part(Trackable):
    """The form of a polykeras object in a checkpoint: a vector of strings with the value of each variable.

    This form can be restored even if some variables do not exist yet, such as those of an optimizer before its first
    step.

    Args:
        part: the object, which has `variables`.
    """

    def __init__(self, part: Any) -> None:
        self._part = part

    def _variables(self) -> Sequence[Any]:
        part = self._part
        if isinstance(part, Handle):
            return [part]
        return part.variables if hasattr(part, "variables") else [part.state]

    def _serialize_to_tensors(self) -> dict[str, Array]:
        values = [tf.io.serialize_tensor(tf.constant(variable.numpy())) for variable in self._variables()]
        return {_NAME: tf.stack(values) if values else tf.zeros((0,), tf.string)}

    def _restore_from_tensors(self, restored: dict[str, Array]) -> None:
        part, stored = self._part, list(restored[_NAME].numpy())
        if isinstance(getattr(part, "build", None), _BuildFirst):  # an earlier checkpoint's values are still waiting
            del part.build
        if len(stored) <= len(self._variables()) or getattr(part, "built", True):
            _give(part, self._variables(), stored)
        elif hasattr(part, "call"):
            raise ValueError(
                f"{type(part).__name__} {part.name!r} has no variables yet for the {len(stored)} values of a "
                "checkpoint: call it on data once (or `build` it) before `restore`."
            )
        else:
            part.build = _BuildFirst(part, stored)


class _BuildFirst:
    """Replaces `build` of an optimizer, and assigns values to its variables once they are built.

    Args:
        part: the optimizer.
        stored: the stored values.
    """

    def __init__(self, part: Any, stored: Sequence[bytes]) -> None:
        self._part = part
        self._stored = stored

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        part = self._part
        type(part).build(part, *args, **kwargs)
        del part.build
        with tf.init_scope():
            _give(part, part.variables, self._stored)


def _give(part: Any, variables: Sequence[Any], stored: Sequence[bytes]) -> None:
    """Assign stored values to variables.

    Raises:
        ValueError: if the numbers of variables and values differ.
    """
    if len(stored) != len(variables):
        raise ValueError(
            f"{type(part).__name__} {part.name!r} has {len(variables)} variables; the checkpoint holds {len(stored)} "
            "values for it. It was made from another model; `model.save_weights` and `load_weights` can skip what does "
            "not fit."
        )
    for variable, value in zip(variables, stored, strict=True):
        tensor = tf.io.parse_tensor(value, variable.dtype)
        LOCATION.get_stored(variable).assign(tensor)  # for good, also where a step's scope is dropped
        variable.assign(tensor)


def _is_ours(part: Any) -> bool:
    ours = isinstance(part, (Handle, Checkpointable)) or hasattr(part, "variables")
    return ours and not isinstance(part, Trackable)


def _refuse_within(value: Any, name: str) -> None:
    """Raise if a list, tuple or dict contains a polykeras object, which TensorFlow would silently not save."""
    found = next((part for part in nested.flatten(value) if part is not value and _is_ours(part)), None)
    if found is not None:
        raise ValueError(
            f"tf.train.Checkpoint: expected a model, optimizer, metric or variable of polykeras as a part of its own; "
            f"received a {type(found).__name__} within {name}, a {type(value).__name__}. Give each a name: "
            "`tf.train.Checkpoint(first=..., second=...)`, or `**parts` for a dict of them."
        )


def _init_with_ours(init: Callable[..., None]) -> Callable[..., None]:
    """Return `tf.train.Checkpoint.__init__` such that it takes objects of ours."""

    @wraps(init)
    def method(self: Any, root: Any = None, **parts: Any) -> None:
        for name, part in {"root": root, **parts}.items():
            _refuse_within(part, f"`{name}`")
        ours = {name: part for name, part in parts.items() if _is_ours(part)}
        others = {name: part for name, part in parts.items() if name not in ours}
        init(self, Part(root) if _is_ours(root) else root, **others)
        for name, part in ours.items():
            setattr(self, name, part)

    return method


def _setattr_with_ours(set_attribute: Callable[[Any, str, Any], None]) -> Callable[[Any, str, Any], None]:
    """Return `tf.train.Checkpoint.__setattr__` such that it takes objects of ours."""

    @wraps(set_attribute)
    def method(self: Any, name: str, value: Any) -> None:
        if _is_ours(value):
            track(self, Part(value), name)
            object.__setattr__(self, name, value)
        else:
            _refuse_within(value, f"`{name}`")
            set_attribute(self, name, value)

    return method


def accept_checkpointables() -> None:
    """Let `tf.train.Checkpoint` take models, layers, optimizers, metrics and variables."""
    checkpoint: Any = tf.train.Checkpoint
    checkpoint.__init__ = _init_with_ours(checkpoint.__init__)
    checkpoint.__setattr__ = _setattr_with_ours(checkpoint.__setattr__)
