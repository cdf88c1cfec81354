"""LSTMs with convolutions instead of products, for sequences of signals, images and volumes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from polykeras import activations, ops, random
from polykeras.backend.spec import Array, Shape
from polykeras.backend.windows import PerAxis
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.graph import KerasTensor, infer_outputs
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.weights import make_weight
from polykeras.layers.convolution.base import beside_channels, keep_window
from polykeras.layers.recurrent.base_cell import TimeStep
from polykeras.layers.recurrent.cell_rnn import CellRNN
from polykeras.layers.recurrent.cells import LSTMCell


class ConvLSTMCell(LSTMCell):
    """One time step of a `ConvLSTM2D`, over `rank` spatial axes; it takes the rank, then that layer's arguments.

    States have the shape `(batch, *space', filters)`, or channels first by `data_format`. `space'` are the spatial
    sizes after the convolution of the inputs. The convolution of the state keeps them: it has no strides and no
    dilation.
    """

    sample_by_sample = True

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: PerAxis,
        strides: PerAxis = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: PerAxis = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, **kwargs)
        self.rank = rank
        self.filters = filters
        self._window = keep_window(self, rank, kernel_size, strides, padding, data_format, dilation_rate)
        self._channel_axis = -1 if self._window["data_format"] == "channels_last" else -1 - rank
        self.input_spec = InputSpec(ndim=rank + 2)

    def build(self, input_shape: Shape) -> None:
        """Make the kernels and the bias, and find the size of the states from the size of the inputs."""
        if None in input_shape[1:]:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): all sizes of the inputs at one time step must be known, "
                f"because the sizes of the states follow from them; received the shape {tuple(input_shape)}. Set them "
                "in Input(shape=...)."
            )
        channels, width = input_shape[self._channel_axis], self.gates * self.filters
        self.kernel = make_weight(self, "kernel", (*self.kernel_size, channels, width))
        self.recurrent_kernel = make_weight(self, "recurrent_kernel", (*self.kernel_size, self.filters, width))
        self.bias = self._make_bias(width) if self.use_bias else None
        self.input_spec = InputSpec(shape=(None, *input_shape[1:]))
        projected = infer_outputs(self._project, (KerasTensor((1, *input_shape[1:]), self.compute_dtype), None), {})
        size = list(projected.shape[1:])
        size[self._channel_axis] = self.filters
        self._state_shape = tuple(size)

    def get_initial_state(self, batch_size: int) -> list[Array]:
        """Return zeros as the output and memory of a batch."""
        return [ops.zeros((batch_size, *self._state_shape), self.compute_dtype) for _ in range(2)]

    def start(self, inputs: Array, training: bool | None = False) -> tuple[Any, TimeStep]:
        """Return the part of the inputs, and the step; its states are output and memory. See `RecurrentCell.start`."""
        kernel, axis = self.recurrent_kernel.value, self._channel_axis
        activation, gate = activations.get(self.activation), activations.get(self.recurrent_activation)
        drop = self._state_dropout(inputs, training)

        def step(x: Array, states: list[Array]) -> list[Array]:
            h, c = states
            product = ops.conv(drop(h), kernel, padding="same", data_format=self.data_format)
            i, f, g, o = ops.split(ops.add(x, product), 4, axis=axis)
            c = ops.add(ops.multiply(gate(f), c), ops.multiply(gate(i), activation(g)))
            return [ops.multiply(gate(o), activation(c)), c]

        return self._project(inputs, self.bias, training), step

    def _project(self, inputs: Array, bias: Array, training: bool | None = False) -> Array:
        """Return the convolution of the inputs (after dropout) at all time steps at once, plus the bias."""
        x = self._dropped(inputs, training)
        shape = ops.shape(x)
        outer, item = shape[: -1 - self.rank], shape[-1 - self.rank :]
        x = ops.conv(ops.reshape(x, (prod(outer), *item)), self.kernel, **self._window)
        if bias is not None:
            x = ops.add(x, beside_channels(bias, self.rank, self.data_format))
        return ops.reshape(x, (*outer, *ops.shape(x)[1:]))

    # As in Keras, each gate has its own dropout mask. The masked inputs of the gates lie side by side in groups of
    # channels, and `ops.conv` multiplies each group by its part of the kernel.

    def _for_each_gate(self, x: Array) -> Array:
        return ops.concatenate([x] * self.gates, axis=self._channel_axis)

    def _dropped(self, inputs: Array, training: bool | None) -> Array:
        """Return the inputs, or a copy with dropout for each gate; the masks are the same at all time steps."""
        if not (training and self.dropout):
            return inputs
        x = self._for_each_gate(inputs)
        shape, own = ops.shape(x), self.rank + 2
        noise = (*(1,) * (len(shape) - own), *shape[-own:])
        return random.dropout(x, self.dropout, noise, seed=self.seed_generator)

    def _state_dropout(self, inputs: Array, training: bool | None) -> Callable[[Any], Any]:
        """Return a function that applies each gate's dropout to a state, with the same masks at all time steps."""
        if not training or not self.recurrent_dropout:
            return lambda h: h
        batch = ops.shape(inputs)[-2 - self.rank]
        ones = self._for_each_gate(ops.ones((batch, *self._state_shape), self.compute_dtype))
        factor = random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)
        return lambda h: ops.multiply(self._for_each_gate(h), factor)


class ConvLSTM(CellRNN):
    """Base of LSTMs with convolutions over `rank` spatial axes; arguments as for `ConvLSTM2D`."""

    rank = 1

    def __init__(
        self,
        filters: int,
        kernel_size: PerAxis,
        strides: PerAxis = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: PerAxis = 1,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(ConvLSTMCell, locals() | {"rank": self.rank}, **kwargs)
        self.input_spec = InputSpec(ndim=self.rank + 3)

    def build(self, sequences_shape: InputShape) -> None:
        """Build the cell, and the states of a stateful layer."""
        super().build(sequences_shape)
        self.input_spec = InputSpec(shape=(None, None, *sequences_shape[2:]))

    @staticmethod
    def _build_cell(cell: Any, inputs_shape: tuple[int | None, ...]) -> None:
        """Build the cell without calling it: a call would need the size of its states."""
        if not cell.built:
            cell.build(inputs_shape)


@LAYERS.register()
class ConvLSTM1D(ConvLSTM):
    """An LSTM over sequences of signals: `(batch, time, places, channels)` to `(batch, places', filters)`.

    The arguments are those of `ConvLSTM2D`, with one number instead of two; `"channels_first"` means `(batch, time,
    channels, places)`.
    """

    sample_by_sample = True
    rank = 1


@LAYERS.register()
class ConvLSTM2D(ConvLSTM):
    """An LSTM over sequences of images.

    It maps `(batch, time, height, width, channels)` to `(batch, height', width', filters)`, or to a sequence of these.
    It is `LSTM` with convolutions instead of products: Shi et al., "Convolutional LSTM network", 2015,
    https://arxiv.org/abs/1506.04214, without that paper's connections from the memory to the gates.

    Args:
        filters: the number of channels of states and output.
        kernel_size: height and width of the windows over inputs and state, or one number for both.
        strides: the distances between neighbouring windows over the inputs.
        padding: `"valid"`, or `"same"` (as many outputs as inputs / strides); over the state it is always `"same"`.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, time, channels, height, width)`.
        dilation_rate: the distances between neighbouring elements of a window over the inputs.
        activation: the activation of the candidate, and of the memory in the output.
        recurrent_activation: the activation of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: initializer of the kernel `(*kernel_size, channels, 4 * filters)`, in the order input,
            forget, candidate, output.
        recurrent_initializer: initializer of the kernel for the state, `(*kernel_size, filters, 4 * filters)`.
        bias_initializer: initializer of the bias `(4 * filters,)`.
        unit_forget_bias: whether the bias of the forget gate begins at 1.
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the kernel for the state.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: constraint applied to the kernel after each update.
        recurrent_constraint: constraint applied to the kernel for the state after each update.
        bias_constraint: constraint applied to the bias after each update.
        dropout: the share of inputs to drop while training; each gate has its own mask, the same at all time steps.
        recurrent_dropout: the share of the state to drop while training; each gate has its own mask, the same at all
            time steps.
        seed: an int that gives the dropout a random stream of its own.
        return_sequences: see `RNN`.
        return_state: see `RNN`; the states are output and memory.
        go_backwards: see `RNN`.
        stateful: see `RNN`.
        **kwargs: `unroll` and `zero_output_for_mask` as for `RNN`, and further arguments of `Layer`.

    Call arguments are those of `RNN`: sequences `(batch, time, height, width, channels)` of known height and width.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register()
class ConvLSTM3D(ConvLSTM):
    """An LSTM over sequences of volumes: `(batch, time, *space, channels)` to `(batch, *space', filters)`.

    The arguments are those of `ConvLSTM2D`, with three numbers instead of two; `"channels_first"` means `(batch, time,
    channels, *space)`.
    """

    sample_by_sample = True
    rank = 3
