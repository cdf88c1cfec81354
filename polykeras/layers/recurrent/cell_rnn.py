"""The base of recurrent layers that make their own cell."""

from __future__ import annotations

from typing import Any

from polykeras.common.naming import to_snake_case
from polykeras.common.types import InputShape
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.recurrent.base_cell import RecurrentCell
from polykeras.layers.recurrent.rnn import RNN

_OWN = ("activity_regularizer", "return_sequences", "return_state", "go_backwards", "stateful", "unroll")
"""Arguments of recurrent layers that cells do not take."""

_NO_ARGUMENTS = ("self", "kwargs", "__class__", "use_cudnn")
"""Names in a constructor's `locals()` that are not arguments of the layer or its cell."""


class CellRNN(RNN):
    """A recurrent layer that takes its cell's arguments, and has its cell's attributes."""

    _input_axes = ("batch", "time", "features")
    _not_in_config = (*RNN._not_in_config, "cell", "given", "use_cudnn")

    def __init__(self, cell: type[RecurrentCell], given: dict[str, Any], **kwargs: Any) -> None:
        """Make the layer and its cell from the arguments of a constructor, by name as in its `locals()`."""
        kwargs.pop("implementation", None)  # as in the cell
        shared = {name: kwargs[name] for name in ("dtype", "trainable") if name in kwargs}
        own = {name: given[name] for name in _OWN if name in given}
        rest = {name: value for name, value in given.items() if name not in (*_OWN, *_NO_ARGUMENTS)}
        super().__init__(cell(**rest, **shared, name=to_snake_case(cell.__name__)), **own, **kwargs)
        self.input_spec = InputSpec(ndim=3)

    def build(self, sequences_shape: InputShape) -> None:
        """Build the cell, and the states of a stateful layer."""
        super().build(sequences_shape)
        self.input_spec = InputSpec(ndim=3, axes={-1: sequences_shape[-1]})

    def __getattr__(self, name: str) -> Any:
        cell = self.__dict__.get("cell")
        return getattr(cell, name) if cell is not None and name in vars(cell) else super().__getattr__(name)
