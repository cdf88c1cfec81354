"""Dropout masks that a user's cell draws once for each sequence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array


class DropoutRNNCell:
    """Mixin for cells that drop the same inputs and states at all steps of a sequence.

    The cell must have the attributes `dropout` and `recurrent_dropout`, rates in [0, 1), and a `seed_generator`. If it
    has a `dropout_mask_count`, a mask is a list of that many arrays. `RNN` draws the masks before its loop.
    """

    dropout: float
    recurrent_dropout: float
    seed_generator: Any
    _dropout_mask: Any = None
    _recurrent_dropout_mask: Any = None

    def get_dropout_mask(self, step_input: Array) -> Array | None:
        """Return the mask for inputs, which contains zeros and `1 / (1 - dropout)`; None without dropout.

        Args:
            step_input: an array `(batch, features)`, whose shape the mask has.
        """
        if self._dropout_mask is None and self.dropout > 0:
            self._dropout_mask = self._create_dropout_mask(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: Array) -> Array | None:
        """Return the mask for a state `(batch, size)`; None without dropout of states."""
        if self._recurrent_dropout_mask is None and self.recurrent_dropout > 0:
            self._recurrent_dropout_mask = self._create_dropout_mask(step_input, self.recurrent_dropout)
        return self._recurrent_dropout_mask

    def _create_dropout_mask(self, step_input: Array, dropout_rate: float) -> Array | None:
        count = getattr(self, "dropout_mask_count", None)
        ones = ops.ones_like(step_input)
        masks = [random.dropout(ones, dropout_rate, seed=self.seed_generator) for _ in range(count or 1)]
        return masks[0] if count is None else masks

    def reset_dropout_mask(self) -> None:
        """Drop the mask for inputs, so that the next sequence gets a new one."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Drop the mask for states."""
        self._recurrent_dropout_mask = None


@contextmanager
def masks_drawn(cell: Any, inputs: Array, states: list[Array]) -> Iterator[None]:
    """Draw a cell's masks before a loop, because nothing can be stored inside it, and drop them afterwards.

    Args:
        cell: the cell that the loop calls.
        inputs: the inputs at one time step.
        states: the initial states.
    """
    if not isinstance(cell, DropoutRNNCell):
        yield
        return
    try:
        cell.get_dropout_mask(inputs)
        cell.get_recurrent_dropout_mask(states[0])
        yield
    finally:
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
