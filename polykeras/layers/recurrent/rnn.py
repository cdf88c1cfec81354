"""The base of recurrent layers: runs a cell along the time axis."""

from __future__ import annotations

from typing import Any

from polykeras import fast, ops
from polykeras.backend import registry
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras.common.types import InputShape
from polykeras.graph import KerasTensor, infer_outputs
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.recurrent.base_cell import RecurrentCell
from polykeras.layers.recurrent.cells import SimpleRNNCell
from polykeras.layers.recurrent.dropout_masks import masks_drawn
from polykeras.layers.recurrent.stacked_cells import (
    StackedRNNCells,
    as_list,
    call_cell,
    check_cell,
    initial_states,
    output_size,
)
from polykeras.layers.recurrent.time_loop import along_time, rehearse
from polykeras.variables import Variable

_CALLS = (RecurrentCell.call, SimpleRNNCell.call)
"""Methods `call` that consist of `start` and its step only."""


@LAYERS.register()
class RNN(Layer):
    """Runs a cell along a sequence `(batch, time, ...)`.

    Args:
        cell: a layer or other object with `state_size`, an int or a list of ints, and a `call(inputs, states)` that
            takes a list of states `(batch, size)` and returns `(output, new_states)`; or a list of such cells, which
            are stacked. It may have `output_size` and `get_initial_state(batch_size)`.
        return_sequences: whether to return the outputs at all time steps, instead of the last one.
        return_state: whether to return the last states too.
        go_backwards: whether to begin at the end of the sequence; outputs have this order too.
        stateful: whether each batch begins with the last states of the batch before; the batch size must be fixed.
        unroll: a hint to the backend to unroll the loop.
        zero_output_for_mask: whether outputs at masked steps are zeros, instead of the previous output.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `cell` is not a cell.
    """

    sample_by_sample = True
    _untracked = (*Layer._untracked, "states")  # no weights: they depend on the batch size

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cell = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else cell
        check_cell(self.cell)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self.states: list[Any] | None = None

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the states; for stacked cells, a list of each cell's sizes."""
        return as_list(self.cell.state_size)

    @property
    def single_state(self) -> bool:
        """Whether the cell has only one state."""
        return not isinstance(self.cell.state_size, (list, tuple))

    def get_initial_state(self, batch_size: int) -> list[Array]:
        """Return the states that the layer begins with if none are passed."""
        return initial_states(self.cell, batch_size)

    # ---- building ----------------------------------------------------------------------------------------------

    def build(self, sequences_shape: InputShape) -> None:
        """Build the cell, and the states of a stateful layer.

        Raises:
            ValueError: the layer is stateful, and the batch size is unknown.
        """
        batch, _, *features = sequences_shape
        shape = (batch, *features)
        for cell in self._cells():
            self._build_cell(cell, shape)
            shape = (batch, output_size(cell))
        self._build_cell(self.cell, (batch, *features))
        if self.stateful:
            if batch is None:
                raise ValueError(
                    f"Layer {self.name!r} is stateful and needs a fixed batch size: pass `batch_size=` or "
                    "`batch_shape=` to Input."
                )
            self.states = nested.map_structure(
                lambda x: Variable(x, trainable=False, name="state"), self._host_state(batch)
            )

    @staticmethod
    def _build_cell(cell: Any, inputs_shape: tuple[int | None, ...]) -> None:
        """Build a cell, and its sublayers by calling it on shapes: weights must exist before the loop."""
        sizes = as_list(cell.state_size)
        if isinstance(cell, Layer) and not cell.built and cell._has_own_build():
            cell.build(inputs_shape)
        if isinstance(cell, Layer) and not all(layer.built for layer in cell._flatten_layers()):
            batch = inputs_shape[0]
            states = nested.map_structure(lambda size: KerasTensor((batch, size), cell.compute_dtype), sizes)
            infer_outputs(cell, (KerasTensor(inputs_shape, cell.compute_dtype), states), {})

    def _host_state(self, batch: int) -> list[Any]:
        with registry.use_backend("numpy"):
            return self.get_initial_state(batch)

    def _cells(self) -> list[Any]:
        """The cells that run one after another along all time steps: those of a plain stack, or the only cell."""
        return self.cell.cells if type(self.cell) is StackedRNNCells else [self.cell]

    def reset_state(self) -> None:
        """Reset the states of a stateful layer to their initial values."""
        if self.states is not None:
            variables = nested.flatten(self.states)
            for variable, value in zip(variables, nested.flatten(self._host_state(variables[0].shape[0])), strict=True):
                variable.assign(value)

    reset_states = reset_state

    # ---- calling -----------------------------------------------------------------------------------------------

    def call(
        self, sequences: Array, initial_state: Any = None, mask: Array | None = None, training: bool | None = False
    ) -> Array:
        """Run the cell along the time axis.

        Args:
            sequences: the inputs `(batch, time, ...)`.
            initial_state: a list of initial states, in the structure of `state_size`; zeros by default.
            mask: bool `(batch, time)`; at a masked step, the states and the output stay as they were.
            training: whether to apply dropout.

        Returns:
            The last output `(batch, units)`, or all outputs `(batch, time, units)`; with `return_state`, a tuple of
            that and the last states.

        Raises:
            ValueError: the number of initial states is wrong, or the batch size of a stateful layer is.
        """
        xs, valid = self._by_time(sequences, mask)
        output, last = self._run_all(xs, self._begin(sequences, initial_state), valid, training, self.return_sequences)
        if self.states is not None:
            for variable, value in zip(nested.flatten(self.states), nested.flatten(last), strict=True):
                variable.assign(value)
        output = ops.swapaxes(output, 0, 1) if self.return_sequences else output
        return (output, *last) if self.return_state else output

    def inner_loop(
        self, sequences: Array, initial_state: Any, mask: Array | None, training: bool | None = False
    ) -> tuple[Any, Any, list[Any]]:
        """Run the cell along all time steps, whatever `return_sequences` and `return_state` say.

        Args:
            sequences: the inputs `(batch, time, ...)`.
            initial_state: the initial states.
            mask: bool `(batch, time)`, or None.
            training: whether to apply dropout.

        Returns:
            The last output, all outputs `(batch, time, units)`, and the last states.
        """
        xs, valid = self._by_time(sequences, mask)
        outputs, last = self._run_all(xs, as_list(initial_state), valid, training, True)
        return outputs[-1], ops.swapaxes(outputs, 0, 1), last

    def _by_time(self, sequences: Array, mask: Array | None) -> tuple[Any, Any]:
        """Return inputs and mask with the time axis first, in the order in which the cell sees them."""
        xs = ops.swapaxes(sequences, 0, 1)
        valid = None if mask is None else ops.swapaxes(ops.cast(mask, "bool"), 0, 1)
        if self.go_backwards:
            xs, valid = ops.flip(xs, 0), None if valid is None else ops.flip(valid, 0)
        return xs, valid

    def _begin(self, sequences: Array, given: Any) -> list[Array]:
        batch = ops.shape(sequences)[0]
        if self.states is not None:
            expected = nested.flatten(self.states)[0].shape[0]
            if batch != expected:
                raise ValueError(
                    f"Layer {self.name!r} is stateful and was built for batches of {expected} samples; received "
                    f"{batch}."
                )
        if given is not None:
            states = as_list(given)
            if len(states) != len(self.state_size):
                raise ValueError(
                    f"Layer {self.name!r} ({type(self).__name__}) has states of sizes {self.state_size}; received "
                    f"{len(states)} initial states."
                )
            return states
        if self.states is not None:
            return nested.map_structure(lambda variable: variable.value, self.states)
        return self.get_initial_state(batch)

    def _run_all(
        self, xs: Array, states: list[Array], valid: Array | None, training: bool | None, all_times: bool
    ) -> tuple[Array, list[Array]]:
        """Return the outputs at all time steps, or the last one, and the last states."""
        cells = self._cells()
        if cells == [self.cell]:
            return self._run(self.cell, xs, states, valid, training, all_times)
        # No cell of a stack sees another one's states, so each can run along all time steps before the next one begins.
        last: list[Any] = []
        for cell, state in zip(cells, states, strict=True):
            needed = all_times or cell is not cells[-1]
            xs, own = self._run(cell, xs, as_list(state), valid, training, needed)
            last.append(own if isinstance(state, (list, tuple)) else own[0])
        return xs, last

    def _run(
        self, cell: Any, xs: Array, states: list[Array], valid: Array | None, training: bool | None, all_times: bool
    ) -> tuple[Array, list[Array]]:
        loop = self.unroll, self.zero_output_for_mask
        if isinstance(cell, RecurrentCell) and type(cell).call in _CALLS:
            whole = cell.along(xs, states, training) if valid is None and fast.enabled("whole-recurrence") else None
            if whole is not None:
                outputs, states = whole
                return outputs if all_times else states[0], states
            xs, cell_step = cell.start(xs, training)
            return along_time(cell_step, xs, states, valid, all_times, *loop)

        def step(x: Array, carried: list[Array]) -> list[Array]:
            return list(call_cell(cell, x, carried[1], training))

        # The masks depend only on shapes. Zeros are used, because the sequence may have no time steps.
        with masks_drawn(cell, ops.zeros(ops.shape(xs)[1:], xs.dtype), states):
            variables, output = rehearse(step, xs, states)
            output, carried = along_time(step, xs, [output, states], valid, all_times, *loop, variables)
        return output, carried[1]

    def compute_mask(self, sequences: Array, mask: Array | None = None) -> Any:
        """Return the mask of the outputs: the input's mask if sequences are returned.

        Args:
            sequences: the inputs of the call.
            mask: bool `(batch, time)`, or None.
        """
        mask = mask if self.return_sequences else None
        return [mask, *(None for _ in self.state_size)] if self.return_state else mask
