"""The cells of recurrent layers: what happens at one time step.

A cell here works in two parts. `precompute` does what does not depend on the state (dropout and the product with the
input kernel) for the whole sequence at once; `step` does the rest at each time. The product over all times in one
piece is what makes the scan fast.
"""

from __future__ import annotations

from typing import Any

from polykeras import activations, constraints, initializers, ops, random, regularizers
from polykeras.layers.dense import known_width
from polykeras.layers.layer import LAYERS, Layer
from polykeras.arguments import positive_int, rate


class RecurrentCell(Layer):
    """What the cells have in common: weights, dropout, and the two parts of a step."""

    gates = 1

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = positive_int(units, "units", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = rate(dropout, "dropout", self)
        self.recurrent_dropout = rate(recurrent_dropout, "recurrent_dropout", self)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed) if dropout or recurrent_dropout else None
        self.state_size: int | list[int] = self.units
        self.output_size = self.units

    def build(self, input_shape: Any) -> None:
        """Make the kernels and the bias."""
        self.kernel = self.add_weight(
            shape=(known_width(input_shape, self), self.gates * self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.gates * self.units),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=self._bias_shape(),
                initializer=self._initial_bias(),
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _initial_bias(self) -> Any:
        return self.bias_initializer

    def _input_bias(self) -> Any:
        return self.bias

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return zeros for the states of a batch."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in sizes]

    def precompute(self, inputs: Any, training: Any = False) -> Any:
        """Return what `step` needs of the inputs: `(..., features)` to `(..., gates * units)`.

        A dropout mask is the same at all times of a sequence.
        """
        if training and self.dropout:
            assert self.seed_generator is not None
            shape = ops.shape(inputs)
            noise = (shape[0], *(1,) * (len(shape) - 2), shape[-1])
            inputs = random.dropout(inputs, self.dropout, noise, seed=self.seed_generator)
        x = ops.matmul(inputs, self.kernel)
        bias = self._input_bias()
        return x if bias is None else ops.add(x, bias)

    def recurrent_mask(self, batch_size: int, training: Any) -> Any:
        """Return the factor for the state in recurrent dropout, the same at all times; None where there is none."""
        if not training or not self.recurrent_dropout:
            return None
        assert self.seed_generator is not None
        ones = ops.ones((batch_size, self.units), self.compute_dtype)
        return random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)

    def step(self, x: Any, states: list[Any], mask: Any = None) -> tuple[Any, list[Any]]:
        """Return output and new states.

        Args:
            x: what `precompute` gave, at one time.
            states: arrays `(batch, units)`.
            mask: what `recurrent_mask` gave.
        """
        raise NotImplementedError

    def call(self, sequence: Any, states: Any, training: Any = False) -> tuple[Any, Any]:
        """Return output and new states for inputs `(batch, features)` at one time."""
        given = list(states) if isinstance(states, (list, tuple)) else [states]
        mask = self.recurrent_mask(ops.shape(sequence)[0], training)
        output, new = self.step(self.precompute(sequence, training), given, mask)
        return output, new if isinstance(states, (list, tuple)) else new[0]


@LAYERS.register()
class SimpleRNNCell(RecurrentCell):
    """`h = activation(x @ kernel + h @ recurrent_kernel + bias)`. Arguments as for `SimpleRNN`."""

    def step(self, x: Any, states: list[Any], mask: Any = None) -> tuple[Any, list[Any]]:
        """Return the new state, as output and as state."""
        h = states[0] if mask is None else ops.multiply(states[0], mask)
        h = ops.add(x, ops.matmul(h, self.recurrent_kernel))
        if self.activation is not None:
            h = self.activation(h)
        return h, [h]


@LAYERS.register()
class LSTMCell(RecurrentCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), gates in the order input, forget, cell, output.

    Arguments as for `LSTM`.
    """

    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **kwargs
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def _initial_bias(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer

        def with_open_forget_gate(shape: Any, dtype: Any = None) -> Any:
            one = (self.units,)
            rest = self.bias_initializer((self.units * 2,), dtype=dtype)
            return ops.concatenate([self.bias_initializer(one, dtype=dtype), ops.ones(one, dtype), rest], 0)

        return with_open_forget_gate

    def step(self, x: Any, states: list[Any], mask: Any = None) -> tuple[Any, list[Any]]:
        """Return the output, and `[h, c]`."""
        h, c = states
        if mask is not None:
            h = ops.multiply(h, mask)
        z = ops.add(x, ops.matmul(h, self.recurrent_kernel))
        i, f, g, o = ops.split(z, 4, axis=-1)
        i, f, o = self.recurrent_activation(i), self.recurrent_activation(f), self.recurrent_activation(o)
        c = ops.add(ops.multiply(f, c), ops.multiply(i, self.activation(g)))
        h = ops.multiply(o, self.activation(c))
        return h, [h, c]


@LAYERS.register()
class GRUCell(RecurrentCell):
    """Gated recurrent unit (Cho et al., 2014, https://arxiv.org/abs/1406.1078), gates in the order update, reset, new.

    Arguments as for `GRU`.
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *args: Any,
        reset_after: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, *args, **kwargs)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        width = self.gates * self.units
        return (2, width) if self.reset_after else (width,)

    def _input_bias(self) -> Any:
        return self.bias[0] if self.reset_after and self.bias is not None else self.bias

    def step(self, x: Any, states: list[Any], mask: Any = None) -> tuple[Any, list[Any]]:
        """Return the new state, as output and as state."""
        h = states[0]
        masked = h if mask is None else ops.multiply(h, mask)
        x_zr, x_new = ops.split(x, [2 * self.units], axis=-1)
        if self.reset_after:
            inner = ops.matmul(masked, self.recurrent_kernel)
            if self.bias is not None:
                inner = ops.add(inner, self.bias[1])
            h_zr, h_new = ops.split(inner, [2 * self.units], axis=-1)
        else:
            h_zr, h_new = ops.matmul(masked, self.recurrent_kernel[:, : 2 * self.units]), None
        z, r = ops.split(self.recurrent_activation(ops.add(x_zr, h_zr)), 2, axis=-1)
        if h_new is None:
            h_new = ops.matmul(ops.multiply(r, masked), self.recurrent_kernel[:, 2 * self.units :])
        else:
            h_new = ops.multiply(r, h_new)
        candidate = self.activation(ops.add(x_new, h_new))
        h = ops.add(ops.multiply(z, h), ops.multiply(ops.subtract(1.0, z), candidate))
        return h, [h]
