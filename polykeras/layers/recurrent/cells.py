"""The cells of recurrent layers, which compute one time step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import activations, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, RegularizerLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.weights import keep_options, make_weight
from polykeras.layers.recurrent.base_cell import RecurrentCell, TimeStep


@LAYERS.register()
class SimpleRNNCell(RecurrentCell):
    """`h = activation(x @ kernel + h @ recurrent_kernel + bias)`; arguments as for `SimpleRNN`."""

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, dropout, recurrent_dropout, seed, **kwargs)
        keep_options(self, locals(), "kernel", "recurrent", "bias")

    def call(
        self, sequence: Array, states: Array | list[Array], training: bool | None = False
    ) -> tuple[Array, Array | list[Array]]:
        """Return the output and the new states, like `RecurrentCell.call`; Keras names the inputs `sequence` here.

        Args:
            sequence: the inputs at one time step, `(batch, features)`.
            states: a list of arrays `(batch, units)`, or the only state.
            training: whether to apply dropout.
        """
        return super().call(sequence, states, training)

    def start(self, inputs: Array, training: bool | None = False) -> tuple[Any, TimeStep]:
        """Return the part of the inputs, and the step; see `RecurrentCell.start`."""
        kernel, activation = self.recurrent_kernel.value, activations.get(self.activation)
        drop = self._state_dropout(inputs, training)

        def step(x: Array, states: list[Array]) -> list[Array]:
            return [activation(ops.add(x, ops.matmul(drop(states[0]), kernel)))]

        return self._project(inputs, self.bias, training), step


@LAYERS.register()
class LSTMCell(RecurrentCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with gates in the order input, forget, cell, output.

    The arguments are those of `LSTM`.
    """

    sample_by_sample = True
    gates = 4

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, dropout, recurrent_dropout, seed, **kwargs)
        keep_options(self, locals(), "kernel", "recurrent", "bias")
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def _make_bias(self, width: int) -> Any:
        if not self.unit_forget_bias:
            return make_weight(self, "bias", (width,))

        def initializer(shape: Any, dtype: Any = None) -> Any:
            first, rest = (self.bias_initializer((n,), dtype=dtype) for n in (self.units, 2 * self.units))
            return ops.concatenate([first, ops.ones((self.units,), dtype), rest], 0)

        return make_weight(self, "bias", (width,), initializer=initializer)

    def start(self, inputs: Array, training: bool | None = False) -> tuple[Any, TimeStep]:
        """Return the part of the inputs, and the step; its states are output and memory. See `RecurrentCell.start`."""
        kernel = self.recurrent_kernel.value
        activation, gate = activations.get(self.activation), activations.get(self.recurrent_activation)
        drop = self._state_dropout(inputs, training)

        def step(x: Array, states: list[Array]) -> list[Array]:
            h, c = states
            i, f, g, o = ops.split(ops.add(x, ops.matmul(drop(h), kernel)), 4, axis=-1)
            c = ops.add(ops.multiply(gate(f), c), ops.multiply(gate(i), activation(g)))
            return [ops.multiply(gate(o), activation(c)), c]

        return self._project(inputs, self.bias, training), step

    def along(self, inputs: Array, states: list[Array], training: bool | None) -> tuple[Array, list[Array]] | None:
        """Run along all time steps with `ops.lstm`, if its activations are used; see `RecurrentCell.along`."""
        usual = (self.activation, self.recurrent_activation) == (activations.tanh, activations.sigmoid)
        if not usual or (training and self.recurrent_dropout) or type(self).start is not LSTMCell.start:
            return None
        h, c = states
        inputs = self._dropped(inputs, training)
        outputs, memory = ops.lstm(inputs, h, c, self.kernel, self.recurrent_kernel, self.bias)
        return outputs, [outputs[-1], memory]


@LAYERS.register()
class GRUCell(RecurrentCell):
    """Gated recurrent unit (Cho et al., 2014, https://arxiv.org/abs/1406.1078), gates in the order update, reset, new.

    The arguments are those of `GRU`.
    """

    sample_by_sample = True
    gates = 3

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, dropout, recurrent_dropout, seed, **kwargs)
        keep_options(self, locals(), "kernel", "recurrent", "bias")
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _make_bias(self, width: int) -> Any:
        return make_weight(self, "bias", (2, width) if self.reset_after else (width,))

    def start(self, inputs: Array, training: bool | None = False) -> tuple[Any, TimeStep]:
        """Return the part of the inputs, and the step; see `RecurrentCell.start`."""
        kernel, bias = self.recurrent_kernel.value, None if self.bias is None else self.bias.value
        activation, gate = activations.get(self.activation), activations.get(self.recurrent_activation)
        drop, cut = self._state_dropout(inputs, training), 2 * self.units

        def finish(x_gates: Array, h_gates: Array, h: Array, candidate: Callable[[Any], Any]) -> list[Array]:
            z, r = ops.split(ops.add(x_gates, h_gates), 2, axis=-1)
            new = candidate(gate(r))
            return [ops.add(new, ops.multiply(gate(z), ops.subtract(h, new)))]

        def step_after(x: Array, states: list[Array]) -> list[Array]:
            inner = ops.matmul(drop(states[0]), kernel)
            if bias is not None:
                inner = ops.add(inner, bias[1])
            (x_gates, x_new), (h_gates, h_new) = ops.split(x, [cut], axis=-1), ops.split(inner, [cut], axis=-1)
            return finish(x_gates, h_gates, states[0], lambda r: activation(ops.add(x_new, ops.multiply(r, h_new))))

        def step_before(x: Array, states: list[Array]) -> list[Array]:
            h = drop(states[0])
            x_gates, x_new = ops.split(x, [cut], axis=-1)
            return finish(
                x_gates,
                ops.matmul(h, kernel_gates),
                states[0],
                lambda r: activation(ops.add(x_new, ops.matmul(ops.multiply(r, h), kernel_new))),
            )

        if self.reset_after:
            return self._project(inputs, None if bias is None else bias[0], training), step_after
        kernel_gates, kernel_new = kernel[:, :cut], kernel[:, cut:]
        return self._project(inputs, bias, training), step_before

    def along(self, inputs: Array, states: list[Array], training: bool | None) -> tuple[Array, list[Array]] | None:
        """Run along all time steps with `ops.gru`, if its activations and form are used; see `RecurrentCell.along`."""
        usual = (self.activation, self.recurrent_activation) == (activations.tanh, activations.sigmoid)
        plain = self.reset_after and type(self).start is GRUCell.start
        if not usual or not plain or (training and self.recurrent_dropout):
            return None
        inputs = self._dropped(inputs, training)
        outputs = ops.gru(inputs, states[0], self.kernel, self.recurrent_kernel, self.bias)
        return outputs, [outputs[-1]]
