"""The recurrent layers: simple, LSTM and GRU."""

from __future__ import annotations

from typing import Any

from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, RegularizerLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.recurrent.cell_rnn import CellRNN
from polykeras.layers.recurrent.cells import GRUCell, LSTMCell, SimpleRNNCell


@LAYERS.register()
class SimpleRNN(CellRNN):
    """A fully connected recurrent layer: `h = activation(x @ kernel + h @ recurrent_kernel + bias)`.

    Args:
        units: the width of state and output.
        activation: the name of an activation, or a function.
        use_bias: whether there is a bias.
        kernel_initializer: initializer of the kernel `(features, units)`.
        recurrent_initializer: initializer of the kernel for the state, `(units, units)`.
        bias_initializer: initializer of the bias `(units,)`.
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the kernel for the state.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: constraint applied to the kernel after each update.
        recurrent_constraint: constraint applied to the kernel for the state after each update.
        bias_constraint: constraint applied to the bias after each update.
        dropout: the share of inputs to drop while training; the mask is the same at all time steps.
        recurrent_dropout: the share of the state to drop while training; the mask is the same at all time steps.
        return_sequences: see `RNN`.
        return_state: see `RNN`.
        go_backwards: see `RNN`.
        stateful: see `RNN`.
        unroll: see `RNN`.
        seed: an int that gives the dropout a random stream of its own.
        **kwargs: `zero_output_for_mask` as for `RNN`, and further arguments of `Layer`.

    Call arguments are those of `RNN`: sequences `(batch, time, features)`.
    """

    sample_by_sample = True

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(SimpleRNNCell, locals(), **kwargs)


@LAYERS.register("CuDNNLSTM")
class LSTM(CellRNN):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997, https://doi.org/10.1162/neco.1997.9.8.1735).

    With gates `i, f, o = recurrent_activation(...)` and candidate `g = activation(...)` of `x @ kernel + h @
    recurrent_kernel + bias`, the memory becomes `c = f * c + i * g` and the output `h = o * activation(c)`.

    Args:
        units: the width of state and output.
        activation: the activation of the candidate, and of the memory in the output.
        recurrent_activation: the activation of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: initializer of the kernel `(features, 4 * units)`, in the order input, forget, candidate,
            output.
        recurrent_initializer: initializer of the kernel for the state, `(units, 4 * units)`.
        bias_initializer: initializer of the bias `(4 * units,)`.
        unit_forget_bias: whether the bias of the forget gate begins at 1.
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the kernel for the state.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: constraint applied to the kernel after each update.
        recurrent_constraint: constraint applied to the kernel for the state after each update.
        bias_constraint: constraint applied to the bias after each update.
        dropout: the share of inputs to drop while training; the mask is the same at all time steps.
        recurrent_dropout: the share of the state to drop while training; the mask is the same at all time steps and in
            all gates.
        seed: an int that gives the dropout a random stream of its own.
        return_sequences: see `RNN`.
        return_state: see `RNN`; the states are output and memory.
        go_backwards: see `RNN`.
        stateful: see `RNN`.
        unroll: see `RNN`.
        use_cudnn: accepted for Keras code; a backend chooses its kernels itself.
        **kwargs: `zero_output_for_mask` as for `RNN`, and further arguments of `Layer`.

    Call arguments are those of `RNN`: sequences `(batch, time, features)`.
    """

    sample_by_sample = True

    def __init__(
        self,
        units: int,
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
        unroll: bool = False,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(LSTMCell, locals(), **kwargs)


@LAYERS.register("CuDNNGRU")
class GRU(CellRNN):
    """Gated recurrent units (Cho et al., 2014, https://arxiv.org/abs/1406.1078).

    With gates `z, r = recurrent_activation(...)` and a candidate `g = activation(...)`, for which the reset gate `r`
    scales the state, the new state and output is `h = z * h + (1 - z) * g`.

    Args:
        units: the width of state and output.
        activation: the activation of the candidate.
        recurrent_activation: the activation of the gates.
        use_bias: whether there are biases.
        kernel_initializer: initializer of the kernel `(features, 3 * units)`, in the order update, reset, candidate.
        recurrent_initializer: initializer of the kernel for the state, `(units, 3 * units)`.
        bias_initializer: initializer of the biases: `(2, 3 * units)` for inputs and state, or `(3 * units,)` without
            `reset_after`.
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the kernel for the state.
        bias_regularizer: penalty on the biases.
        activity_regularizer: penalty on the output.
        kernel_constraint: constraint applied to the kernel after each update.
        recurrent_constraint: constraint applied to the kernel for the state after each update.
        bias_constraint: constraint applied to the biases after each update.
        dropout: the share of inputs to drop while training; the mask is the same at all time steps.
        recurrent_dropout: the share of the state to drop while training; the mask is the same at all time steps and in
            all gates.
        seed: an int that gives the dropout a random stream of its own.
        return_sequences: see `RNN`.
        return_state: see `RNN`.
        go_backwards: see `RNN`.
        stateful: see `RNN`.
        unroll: see `RNN`.
        reset_after: whether to apply the reset gate after the product with the state (as cuDNN does) or before it (as
            the paper does).
        use_cudnn: accepted for Keras code; a backend chooses its kernels itself.
        **kwargs: `zero_output_for_mask` as for `RNN`, and further arguments of `Layer`.

    Call arguments are those of `RNN`: sequences `(batch, time, features)`.
    """

    sample_by_sample = True

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
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
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(GRUCell, locals(), **kwargs)


CuDNNLSTM = LSTM
CuDNNGRU = GRU
