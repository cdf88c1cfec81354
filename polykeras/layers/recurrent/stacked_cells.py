"""Helpers for cells of any author, and stacks of cells."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import InputShape
from polykeras.layers.base.call_arguments import call_spec
from polykeras.layers.base.layer import LAYERS, Layer


def as_list(states: Array) -> list[Array]:
    """Return states as a list, even a single state."""
    return list(states) if isinstance(states, (list, tuple)) else [states]


def check_cell(cell: Any) -> None:
    """Raise `ValueError` if `cell` is not a cell."""
    if not hasattr(cell, "state_size") or not callable(cell):
        raise ValueError(
            "A recurrent layer needs a cell: an object with `state_size` that is called as `cell(inputs, states)` and "
            f"returns `(output, new_states)`; received {cell!r}."
        )


def initial_states(cell: Any, batch_size: int | None) -> list[Array]:
    """Return the initial states of a cell: zeros `(batch, size)`, unless it defines others."""
    if hasattr(cell, "get_initial_state"):
        return as_list(cell.get_initial_state(batch_size=batch_size))
    dtype = getattr(cell, "compute_dtype", None)
    return [ops.zeros((batch_size, size), dtype) for size in as_list(cell.state_size)]  # type: ignore[arg-type]


def output_size(cell: Any) -> int:
    """Return the width of a cell's output."""
    size = getattr(cell, "output_size", None)
    return as_list(cell.state_size)[0] if size is None else size


def call_cell(cell: Any, inputs: Array, states: list[Array], training: bool | None) -> tuple[Array, list[Array]]:
    """Return the output and the new states of a cell at one time step."""
    takes_training = isinstance(cell, Layer) and call_spec(type(cell).call).has_training
    output, new = cell(inputs, states, training=training) if takes_training else cell(inputs, states)
    return output, as_list(new)


@LAYERS.register()
class StackedRNNCells(Layer):
    """Stacks several cells into one cell.

    Args:
        cells: the cells, the lowest one first.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an element of `cells` is not a cell.
    """

    sample_by_sample = True

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = list(cells)
        for cell in self.cells:
            check_cell(cell)

    @property
    def state_size(self) -> list[Any]:
        """The state sizes of all cells."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The width of the top cell's output."""
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list[Array]:
        """Return the initial states of all cells, as a list for each cell."""
        return [initial_states(cell, batch_size) for cell in self.cells]

    def build(self, input_shape: InputShape) -> None:
        """Build the cells that have a `build` method; others are built at their first call."""
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built and type(cell).build is not Layer.build:
                cell.build(input_shape)
            input_shape = (*input_shape[:-1], output_size(cell))

    def call(self, inputs: Array, states: Array, training: bool | None = False) -> tuple[Array, list[Array]]:
        """Return the output of the top cell, and the new states of all cells.

        Args:
            inputs: the inputs at one time step, `(batch, features)`.
            states: for each cell a list of its states, or its only state.
            training: whether to apply dropout.
        """
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, own = call_cell(cell, inputs, as_list(state), training)
            new.append(own if isinstance(state, (list, tuple)) else own[0])
        return inputs, new
