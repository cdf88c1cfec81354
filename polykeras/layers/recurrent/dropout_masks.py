"""Dropout masks that a cell of a user's own draws once a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array


class DropoutRNNCell:
    """Mixin of cells that drop the same inputs and states at all times of a sequence.

    A cell gives `dropout` and `recurrent_dropout`, rates in [0, 1), and a `seed_generator`. Where it says
    `dropout_mask_count`, a mask is a list of as many. `RNN` has the masks drawn before its loop.
    """

    dropout: float
    recurrent_dropout: float
    seed_generator: Any
    _dropout_mask: Any = None
    _recurrent_dropout_mask: Any = None

    def get_dropout_mask(self, step_input: Array) -> Array | None:
        """Return the mask of the inputs, of zeros and `1 / (1 - dropout)`; None without dropout.

        Args:
            step_input: `(batch, features)`, which gives the shape where the mask is drawn.
        """
        if self._dropout_mask is None and self.dropout > 0:
            self._dropout_mask = self._create_dropout_mask(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: Array) -> Array | None:
        """Return the mask of a state `(batch, size)`; None without dropout of states."""
        if self._recurrent_dropout_mask is None and self.recurrent_dropout > 0:
            self._recurrent_dropout_mask = self._create_dropout_mask(step_input, self.recurrent_dropout)
        return self._recurrent_dropout_mask

    def _create_dropout_mask(self, step_input: Array, dropout_rate: float) -> Array | None:
        count = getattr(self, "dropout_mask_count", None)
        ones = ops.ones_like(step_input)
        masks = [random.dropout(ones, dropout_rate, seed=self.seed_generator) for _ in range(count or 1)]
        return masks[0] if count is None else masks

    def reset_dropout_mask(self) -> None:
        """Forget the mask of the inputs: the next sequence has another."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Forget the mask of the states."""
        self._recurrent_dropout_mask = None


@contextmanager
def masks_drawn(cell: Any, inputs: Array, states: list[Array]) -> Iterator[None]:
    """Let a cell have its masks before the loop, in which nothing may be kept, and none after it.

    Args:
        cell: what the loop calls.
        inputs: of one time.
        states: with which it begins.
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
