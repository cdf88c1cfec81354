"""The cells of recurrent layers: what happens at one time step.

A cell here works in two parts. `start` does what does not depend on the state (dropout and the product with the input
kernel) for the whole sequence at once, and returns the function that does the rest at each time. The product over all
times in one piece is what makes the scan fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import activations, ops, random
from polykeras.arguments import positive_int, rate
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.weights import keep_options, known_sizes, make_weight

Step = Callable[[Any, list[Any]], list[Any]]
"""Takes an input at one time and the states, returns the new states, of which the first is the output."""


class RecurrentCell(Layer):
    """What the cells have in common: weights, whose options a subclass keeps, dropout, and the two parts of a step.

    Attributes:
        gates: how many products of the width of the state a step takes from one kernel.
        state_size: the width of the state, or a list for several.
        output_size: the width of the output.
    """

    gates = 1
    bias_initializer: Any

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: bool,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)  # Keras 2's choice between two ways to compute the same
        super().__init__(**kwargs)
        self.units = positive_int(units, "units", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.dropout = rate(dropout, "dropout", self)
        self.recurrent_dropout = rate(recurrent_dropout, "recurrent_dropout", self)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed) if dropout or recurrent_dropout else None
        self.state_size: int | list[int] = self.units
        self.output_size = self.units

    def build(self, input_shape: Any) -> None:
        """Make the kernels and the bias."""
        (features,) = known_sizes(self, input_shape, [-1])
        width = self.gates * self.units
        self.kernel = make_weight(self, "kernel", (features, width))
        self.recurrent_kernel = make_weight(self, "recurrent_kernel", (self.units, width))
        self.bias = self._make_bias(width) if self.use_bias else None
        self.input_spec = InputSpec(ndim=2, axes={-1: features})

    def _make_bias(self, width: int) -> Any:
        return make_weight(self, "bias", (width,))

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Return zeros for the states of a batch, each `(batch, units)`."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in sizes]  # type: ignore[arg-type]

    def start(self, inputs: Any, training: Any = False) -> tuple[Any, Step]:
        """Do what does not depend on the state, and return what each step takes, and the step.

        Args:
            inputs: `(..., batch, features)`: all times, or one.
            training: whether dropout is applied.

        Returns:
            An array `(..., batch, gates * units)`, and a function that takes it at one time, with the states.
        """
        raise NotImplementedError

    def along(self, inputs: Any, states: list[Any], training: Any) -> tuple[Any, list[Any]] | None:
        """Run along all times in one operation, where there is one for this cell as it is set up.

        Args:
            inputs: `(time, batch, features)`.
            states: to begin with.
            training: whether dropout is applied.

        Returns:
            The outputs at all times and the last states; None where the step is to be repeated.
        """
        return None

    def call(self, inputs: Any, states: Any, training: Any = False) -> tuple[Any, Any]:
        """Return output and new states.

        Args:
            inputs: those at one time, `(batch, features)`.
            states: arrays `(batch, units)` in a list; or the only one.
            training: whether dropout is applied.
        """
        several = isinstance(states, (list, tuple))
        x, step = self.start(inputs, training)
        new = step(x, list(states) if several else [states])
        return new[0], new if several else new[0]

    def _dropped(self, inputs: Any, training: Any) -> Any:
        """Return the inputs after dropout, whose one mask serves all times."""
        if not (training and self.dropout):
            return inputs
        shape = ops.shape(inputs)
        noise = (*(1,) * (len(shape) - 2), *shape[-2:])
        return random.dropout(inputs, self.dropout, noise, seed=self.seed_generator)

    def _project(self, inputs: Any, bias: Any, training: Any) -> Any:
        """Return the product of the inputs (after dropout) with the kernel, plus the bias."""
        x = ops.matmul(self._dropped(inputs, training), self.kernel)
        return x if bias is None else ops.add(x, bias)

    def _state_dropout(self, inputs: Any, training: Any) -> Callable[[Any], Any]:
        """Return a function that drops from a state: the same elements at all times, and in all gates."""
        if not training or not self.recurrent_dropout:
            return lambda h: h
        ones = ops.ones((ops.shape(inputs)[-2], self.units), self.compute_dtype)
        factor = random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)
        return lambda h: ops.multiply(h, factor)


@LAYERS.register()
class SimpleRNNCell(RecurrentCell):
    """`h = activation(x @ kernel + h @ recurrent_kernel + bias)`. Arguments as for `SimpleRNN`."""

    sample_by_sample = True

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
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, dropout, recurrent_dropout, seed, **kwargs)
        keep_options(self, locals(), "kernel", "recurrent", "bias")

    def call(self, sequence: Any, states: Any, training: Any = False) -> tuple[Any, Any]:
        """Return output and new states, as `RecurrentCell.call`: Keras calls the inputs of this cell so."""
        return super().call(sequence, states, training)

    def start(self, inputs: Any, training: Any = False) -> tuple[Any, Step]:
        """Return the inputs' part, and the step; see `RecurrentCell.start`."""
        kernel, activation = self.recurrent_kernel.value, activations.get(self.activation)
        drop = self._state_dropout(inputs, training)

        def step(x: Any, states: list[Any]) -> list[Any]:
            return [activation(ops.add(x, ops.matmul(drop(states[0]), kernel)))]

        return self._project(inputs, self.bias, training), step


@LAYERS.register()
class LSTMCell(RecurrentCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), gates in the order input, forget, cell, output.

    Arguments as for `LSTM`.
    """

    sample_by_sample = True
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
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
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

    def start(self, inputs: Any, training: Any = False) -> tuple[Any, Step]:
        """Return the inputs' part, and the step, whose states are output and memory; see `RecurrentCell.start`."""
        kernel = self.recurrent_kernel.value
        activation, gate = activations.get(self.activation), activations.get(self.recurrent_activation)
        drop = self._state_dropout(inputs, training)

        def step(x: Any, states: list[Any]) -> list[Any]:
            h, c = states
            i, f, g, o = ops.split(ops.add(x, ops.matmul(drop(h), kernel)), 4, axis=-1)
            c = ops.add(ops.multiply(gate(f), c), ops.multiply(gate(i), activation(g)))
            return [ops.multiply(gate(o), activation(c)), c]

        return self._project(inputs, self.bias, training), step

    def along(self, inputs: Any, states: list[Any], training: Any) -> tuple[Any, list[Any]] | None:
        """Run along all times with `ops.lstm`, where the activations are its own; see `RecurrentCell.along`."""
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

    Arguments as for `GRU`.
    """

    sample_by_sample = True
    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
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

    def start(self, inputs: Any, training: Any = False) -> tuple[Any, Step]:
        """Return the inputs' part, and the step; see `RecurrentCell.start`."""
        kernel, bias = self.recurrent_kernel.value, None if self.bias is None else self.bias.value
        activation, gate = activations.get(self.activation), activations.get(self.recurrent_activation)
        drop, cut = self._state_dropout(inputs, training), 2 * self.units

        def finish(x_gates: Any, h_gates: Any, h: Any, candidate: Callable[[Any], Any]) -> list[Any]:
            z, r = ops.split(ops.add(x_gates, h_gates), 2, axis=-1)
            new = candidate(gate(r))
            return [ops.add(new, ops.multiply(gate(z), ops.subtract(h, new)))]

        def step_after(x: Any, states: list[Any]) -> list[Any]:
            inner = ops.matmul(drop(states[0]), kernel)
            if bias is not None:
                inner = ops.add(inner, bias[1])
            (x_gates, x_new), (h_gates, h_new) = ops.split(x, [cut], axis=-1), ops.split(inner, [cut], axis=-1)
            return finish(x_gates, h_gates, states[0], lambda r: activation(ops.add(x_new, ops.multiply(r, h_new))))

        def step_before(x: Any, states: list[Any]) -> list[Any]:
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

    def along(self, inputs: Any, states: list[Any], training: Any) -> tuple[Any, list[Any]] | None:
        """Run along all times with `ops.gru`, where it is that; see `RecurrentCell.along`."""
        usual = (self.activation, self.recurrent_activation) == (activations.tanh, activations.sigmoid)
        plain = self.reset_after and type(self).start is GRUCell.start
        if not usual or not plain or (training and self.recurrent_dropout):
            return None
        inputs = self._dropped(inputs, training)
        outputs = ops.gru(inputs, states[0], self.kernel, self.recurrent_kernel, self.bias)
        return outputs, [outputs[-1]]
