"""Models, layers, optimizers and metrics in a `tf.train.Checkpoint` of a user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import tensorflow as tf

from polykeras.backend.door import Handle
from polykeras.backend.spec import Array
from polykeras.saveable import Saveable
from polykeras_tensorflow.native import HOME
from polykeras_tensorflow.private import Trackable, track

_NAME = "variables"


class Part(Trackable):
    """What stands for one of ours in a checkpoint: the values of its variables, as a vector of strings, one each.

    So a file is read also where some of the variables do not exist yet, as those of an optimizer before its first step.

    Args:
        part: has `variables`.
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
        stored = list(restored[_NAME].numpy())
        if len(stored) > len(self._variables()) and not getattr(self._part, "built", True):
            self._build_first(stored)
        else:
            self._give(stored)

    def _build_first(self, stored: Sequence[bytes]) -> None:
        """Give the variables their values when an optimizer's first step has made them.

        Raises:
            ValueError: it is no optimizer.
        """
        part = self._part
        if hasattr(part, "call"):
            raise ValueError(
                f"{type(part).__name__} {part.name!r} has no variables yet for the {len(stored)} values of a "
                "checkpoint: call it on data once (or `build` it) before `restore`."
            )
        build = part.build

        def built(*args: Any, **kwargs: Any) -> None:
            build(*args, **kwargs)
            del part.build
            with tf.init_scope():
                self._give(stored)

        part.build = built

    def _give(self, stored: Sequence[bytes]) -> None:
        variables = self._variables()
        if len(stored) != len(variables):
            raise ValueError(
                f"{type(self._part).__name__} {self._part.name!r} has {len(variables)} variables; the checkpoint holds "
                f"{len(stored)} values for it. It was made of another model; `model.save_weights` and `load_weights` "
                "can skip what does not fit."
            )
        for variable, value in zip(variables, stored, strict=True):
            tensor = tf.io.parse_tensor(value, variable.dtype)
            HOME.stored(variable).assign(tensor)  # for good, also where a step's scope is dropped
            variable.assign(tensor)


def _is_ours(part: Any) -> bool:
    ours = isinstance(part, (Handle, Saveable)) or hasattr(part, "variables")
    return ours and not isinstance(part, Trackable)


def _tracking(init: Callable[..., None]) -> Callable[..., None]:
    """Return `tf.train.Checkpoint.__init__` such that it takes what is ours."""

    @wraps(init)
    def method(self: Any, root: Any = None, **parts: Any) -> None:
        ours = {name: part for name, part in parts.items() if _is_ours(part)}
        others = {name: part for name, part in parts.items() if name not in ours}
        init(self, Part(root) if _is_ours(root) else root, **others)
        for name, part in ours.items():
            track(self, Part(part), name)
            object.__setattr__(self, name, part)

    return method


def accept_ours() -> None:
    """Have `tf.train.Checkpoint` take models, layers, optimizers, metrics and variables."""
    checkpoint: Any = tf.train.Checkpoint
    checkpoint.__init__ = _tracking(checkpoint.__init__)
