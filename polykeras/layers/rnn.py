"""Recurrent layers: a cell carried along the time axis."""

from __future__ import annotations

from typing import Any

from polykeras import ops, tree
from polykeras.layers.layer import LAYERS, Layer
from polykeras.layers.rnn_cells import GRUCell, LSTMCell, RecurrentCell, SimpleRNNCell
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object
from polykeras.variables import Variable


def _as_list(states: Any) -> list[Any]:
    return list(states) if isinstance(states, (list, tuple)) else [states]


def _per_sample(mask: Any, like: Any) -> Any:
    """Give a `(batch,)` mask the axes of an array `(batch, ...)`."""
    return ops.reshape(mask, (*ops.shape(mask), *(1,) * (len(ops.shape(like)) - 1)))


@LAYERS.register()
class StackedRNNCells(Layer):
    """Cells on top of each other, as one cell.

    Args:
        cells: the cells, the lowest first.
        **kwargs: as for `Layer`.
    """

    def __init__(self, cells: list[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = list(cells)
        self.state_size = [cell.state_size for cell in self.cells]
        self.output_size = self.cells[-1].output_size

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the initial states of all cells."""
        return [_initial_state(cell, batch_size) for cell in self.cells]

    def call(self, inputs: Any, states: list[Any], training: Any = False) -> tuple[Any, list[Any]]:
        """Return the top cell's output, and the new states of all."""
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, state = cell(inputs, state)
            new.append(state)
        return inputs, new


def _initial_state(cell: Any, batch_size: int) -> Any:
    if hasattr(cell, "get_initial_state"):
        states = cell.get_initial_state(batch_size=batch_size)
        return states[0] if isinstance(states, list) and not isinstance(cell.state_size, (list, tuple)) else states
    sizes = cell.state_size
    return tree.map_structure(lambda size: ops.zeros((batch_size, size), cell.compute_dtype), sizes)


@LAYERS.register()
class RNN(Layer):
    """A cell applied at each time of a sequence `(batch, time, features)`.

    Args:
        cell: a layer with `state_size`, whose `call(inputs, states)` returns `(output, new_states)`; or a list of them.
        return_sequences: return the outputs of all times, not only the last one.
        return_state: return the last states too.
        go_backwards: begin at the end of the sequence.
        stateful: begin each batch with the last states of the one before; the batch size must be fixed.
        unroll: a hint to the backend to unroll the loop.
        zero_output_for_mask: outputs at masked times are zeros, not the last output.
        **kwargs: as for `Layer`.
    """

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
        if not hasattr(self.cell, "state_size") or not callable(self.cell):
            raise ValueError(f"RNN needs a cell with `state_size` and `call(inputs, states)`; received {cell!r}.")
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self.states: Any = None

    def build(self, sequences_shape: Any) -> None:
        """Build the cell, and the states of a stateful layer."""
        batch, _, *features = sequences_shape
        if isinstance(self.cell, RecurrentCell) and not self.cell.built:
            self.cell.build((batch, *features))
            self.cell.built = True
        if self.stateful:
            if batch is None:
                raise ValueError(
                    f"Layer {self.name!r} is stateful and needs a fixed batch size: give `batch_size=` or `batch_shape=` to Input."
                )
            zeros = _initial_state(self.cell, batch)
            self.states = tree.map_structure(
                lambda x: Variable(ops.zeros, ops.shape(x), ops.dtype(x), trainable=False, name="state"), zeros
            )

    def reset_state(self) -> None:
        """Set the states of a stateful layer to zeros."""
        for variable in tree.flatten(self.states):
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    reset_states = reset_state

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = False) -> Any:
        """Run the cell along the time axis.

        Args:
            sequences: `(batch, time, ...)`; or a list of it and the initial states.
            initial_state: states to begin with, in the structure of `cell.state_size`; zeros by default.
            mask: bool `(batch, time)`; at a masked time nothing changes.
            training: whether dropout is applied.

        Returns:
            The output `(batch, units)` or outputs `(batch, time, units)`; a list with the states after it where
            `return_state`.
        """
        if isinstance(sequences, (list, tuple)):
            initial_state = list(sequences[1:]) if len(sequences) > 1 else initial_state
            sequences = sequences[0]
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        states = self._begin(sequences, initial_state)
        last, outputs, states = self._scan(sequences, states, mask, training)
        if self.stateful:
            for variable, value in zip(tree.flatten(self.states), tree.flatten(states), strict=True):
                variable.assign(value)
        result = ops.swapaxes(outputs, 0, 1) if self.return_sequences else last
        return [result, *_as_list(states)] if self.return_state else result

    def _begin(self, sequences: Any, initial_state: Any) -> Any:
        if initial_state is not None:
            several = isinstance(self.cell.state_size, (list, tuple))
            states = list(initial_state) if isinstance(initial_state, (list, tuple)) else initial_state
            return states[0] if isinstance(states, list) and not several else states
        if self.stateful:
            return tree.map_structure(lambda variable: variable.value, self.states)
        return _initial_state(self.cell, ops.shape(sequences)[0])

    def _step_function(self, sequences: Any, training: Any) -> tuple[Any, Any]:
        """Return the sequence as the step takes it, and the step."""
        cell = self.cell
        if not isinstance(cell, RecurrentCell):
            return sequences, lambda x, states: cell(x, states, training=training)
        factor = cell.recurrent_mask(ops.shape(sequences)[0], training)
        single = not isinstance(cell.state_size, list)

        def step(x: Any, states: Any) -> tuple[Any, Any]:
            output, new = cell.step(x, [states] if single else states, factor)
            return output, new[0] if single else new

        return cell.precompute(sequences, training), step

    def _scan(self, sequences: Any, states: Any, mask: Any, training: Any) -> tuple[Any, Any, Any]:
        prepared, step = self._step_function(sequences, training)
        xs = ops.swapaxes(prepared, 0, 1)
        if self.go_backwards:
            xs = ops.flip(xs, 0)
        if mask is None:

            def plain(carry: Any, x: Any) -> tuple[Any, Any]:
                output, new = step(x, carry)
                return new, output

            states, outputs = ops.scan(plain, states, xs, unroll=self.unroll or 1)
            return outputs[-1], outputs, states
        times = ops.swapaxes(ops.cast(mask, "bool"), 0, 1)
        if self.go_backwards:
            times = ops.flip(times, 0)
        width = self.cell.output_size if hasattr(self.cell, "output_size") else _as_list(self.cell.state_size)[0]
        empty = ops.zeros((ops.shape(xs)[1], *_as_list(width)), ops.dtype(xs))

        def masked(carry: Any, x_and_mask: Any) -> tuple[Any, Any]:
            previous, old = carry
            x, valid = x_and_mask
            output, new = step(x, old)
            new = tree.map_structure(lambda n, o: ops.where(_per_sample(valid, n), n, o), new, old)
            kept = ops.where(_per_sample(valid, output), output, previous)
            shown = ops.where(_per_sample(valid, output), output, empty) if self.zero_output_for_mask else kept
            return (kept, new), shown

        (last, states), outputs = ops.scan(masked, (empty, states), (xs, times), unroll=self.unroll or 1)
        return last, outputs, states

    def compute_mask(self, sequences: Any, previous_mask: Any) -> Any:
        """Return the mask of the outputs: that of the times where sequences are returned."""
        mask = previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask
        mask = mask if self.return_sequences else None
        if not self.return_state:
            return mask
        return [mask, *(None for _ in _as_list(self.cell.state_size))]

    def get_config(self) -> dict[str, Any]:
        """Return the cell and the arguments."""
        return super().get_config() | {"cell": serialize_keras_object(self.cell)}


class _NamedRNN(RNN):
    """A recurrent layer whose cell's arguments are its own."""

    cell_class: type[RecurrentCell]

    def __init__(self, units: int, *args: Any, **kwargs: Any) -> None:
        own = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
        layer = ("name", "trainable", "dtype", "activity_regularizer", "autocast")
        shape = ("input_shape", "input_dim", "input_length", "batch_input_shape", "batch_size", "weights")
        outer = {key: kwargs.pop(key) for key in (*own, *layer, *shape) if key in kwargs}
        kwargs.pop("use_cudnn", None)  # a hint for one framework's kernel
        kwargs.pop("implementation", None)  # Keras 2's choice between two ways to compute the same
        inner = {key: outer[key] for key in ("trainable", "dtype") if key in outer}
        super().__init__(self.cell_class(units, *args, **inner, **kwargs), **outer)

    def __getattr__(self, name: str) -> Any:
        # The cell's arguments (`units`, `activation`, ...) read as the layer's own.
        cell = self.__dict__.get("cell")
        if cell is None or name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(cell, name)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the cell and the layer."""
        cell = self.cell.get_config()
        for key in ("name", "trainable", "dtype", "activity_regularizer"):
            cell.pop(key, None)
        config = {k: v for k, v in Layer.get_config(self).items() if k not in ("cell", "units", "args")}
        return cell | config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return the layer of a config."""
        return cls(**{name: deserialize_keras_object(value) for name, value in config.items()})


@LAYERS.register()
class SimpleRNN(_NamedRNN):
    """A fully connected recurrent layer.

    Args:
        units: the width of state and output.
        activation: `"tanh"` by default.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel `(features, units)`.
        recurrent_initializer: of the kernel `(units, units)` for the state.
        bias_initializer: of the bias.
        dropout: the share of inputs to drop, the same at all times.
        recurrent_dropout: the share of the state to drop, the same at all times.
        seed: for dropout.
        **kwargs: regularizers and constraints (`kernel_...`, `recurrent_...`, `bias_...`), and arguments of `RNN`.
    """

    cell_class = SimpleRNNCell


@LAYERS.register("CuDNNLSTM")
class LSTM(_NamedRNN):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997).

    Args:
        units: the width of state and output.
        activation: of the cell and the output; `"tanh"` by default.
        recurrent_activation: of the gates; `"sigmoid"` by default.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel `(features, 4 * units)`, gates in the order input, forget, cell, output.
        recurrent_initializer: of the kernel `(units, 4 * units)` for the state.
        bias_initializer: of the bias.
        unit_forget_bias: begin with a bias of 1 at the forget gate.
        dropout: the share of inputs to drop, the same at all times.
        recurrent_dropout: the share of the state to drop, the same at all times.
        seed: for dropout.
        **kwargs: regularizers and constraints (`kernel_...`, `recurrent_...`, `bias_...`), and arguments of `RNN`.
    """

    cell_class = LSTMCell


@LAYERS.register("CuDNNGRU")
class GRU(_NamedRNN):
    """Gated recurrent units (Cho et al., 2014, https://arxiv.org/abs/1406.1078).

    Args:
        units: the width of state and output.
        activation: of the new state; `"tanh"` by default.
        recurrent_activation: of the gates; `"sigmoid"` by default.
        use_bias: whether there are biases.
        kernel_initializer: of the kernel `(features, 3 * units)`, gates in the order update, reset, new.
        recurrent_initializer: of the kernel `(units, 3 * units)` for the state.
        bias_initializer: of the biases.
        reset_after: apply the reset gate after the product with the state (as cuDNN), not before.
        dropout: the share of inputs to drop, the same at all times.
        recurrent_dropout: the share of the state to drop, the same at all times.
        seed: for dropout.
        **kwargs: regularizers and constraints (`kernel_...`, `recurrent_...`, `bias_...`), and arguments of `RNN`.
    """

    cell_class = GRUCell
