"""The base of the cells of recurrent layers.

A step of a cell has two parts. `start` computes what does not depend on the state, dropout and the product with the
input kernel, for the whole sequence at once. It returns a function that computes the rest for each time step. Computing
the product for all steps at once makes the scan fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import activations, ops, random
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int, rate
from polykeras.common.types import ActivationLike, InputShape
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import Layer
from polykeras.layers.base.weights import known_sizes, make_weight

TimeStep = Callable[[Any, list[Any]], list[Any]]
"""Takes the input at one time step and the states, and returns the new states, the first of which is the output."""


class RecurrentCell(Layer):
    """Base of cells: weights, with the options that a subclass stores, dropout, and the two parts of a step.

    Attributes:
        gates: the number of products, each as wide as the state, that a step takes from one kernel.
        state_size: the width of the state, or a list of widths of several states.
        output_size: the width of the output.
    """

    gates = 1
    bias_initializer: Any

    def __init__(
        self,
        units: int,
        activation: ActivationLike,
        use_bias: bool,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)  # Keras 2's choice between two equivalent implementations
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

    def build(self, input_shape: InputShape) -> None:
        """Make the kernels and the bias."""
        (features,) = known_sizes(self, input_shape, [-1])
        width = self.gates * self.units
        self.kernel = make_weight(self, "kernel", (features, width))
        self.recurrent_kernel = make_weight(self, "recurrent_kernel", (self.units, width))
        self.bias = self._make_bias(width) if self.use_bias else None
        self.input_spec = InputSpec(ndim=2, axes={-1: features})

    def _make_bias(self, width: int) -> Any:
        return make_weight(self, "bias", (width,))

    def get_initial_state(self, batch_size: int | None = None) -> list[Array]:
        """Return zeros as the states of a batch, each `(batch, units)`."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in sizes]  # type: ignore[arg-type]

    def start(self, inputs: Array, training: bool | None = False) -> tuple[Any, TimeStep]:
        """Compute what does not depend on the state; return the inputs of the steps, and the step.

        Args:
            inputs: the inputs at all time steps or at one, `(..., batch, features)`.
            training: whether to apply dropout.

        Returns:
            An array `(..., batch, gates * units)`, and a function that takes it at one time step, with the states.
        """
        raise NotImplementedError

    def along(self, inputs: Array, states: list[Array], training: bool | None) -> tuple[Array, list[Array]] | None:
        """Run along all time steps in one operation, if there is one for this cell's arguments.

        Args:
            inputs: the inputs `(time, batch, features)`.
            states: the initial states.
            training: whether to apply dropout.

        Returns:
            The outputs at all time steps and the last states; None if the steps must run one by one.
        """
        return None

    def call(
        self, inputs: Array, states: Array | list[Array], training: bool | None = False
    ) -> tuple[Array, Array | list[Array]]:
        """Return the output and the new states of one time step.

        Args:
            inputs: the inputs at one time step, `(batch, features)`.
            states: a list of arrays `(batch, units)`, or the only state.
            training: whether to apply dropout.
        """
        several = isinstance(states, (list, tuple))
        x, step = self.start(inputs, training)
        new = step(x, list(states) if several else [states])
        return new[0], new if several else new[0]

    def _dropped(self, inputs: Array, training: bool | None) -> Array:
        """Return the inputs after dropout, with the same mask at all time steps."""
        if not (training and self.dropout):
            return inputs
        shape = ops.shape(inputs)
        noise = (*(1,) * (len(shape) - 2), *shape[-2:])
        return random.dropout(inputs, self.dropout, noise, seed=self.seed_generator)

    def _project(self, inputs: Array, bias: Array, training: bool | None) -> Array:
        """Return the product of the inputs (after dropout) with the kernel, plus the bias."""
        x = ops.matmul(self._dropped(inputs, training), self.kernel)
        return x if bias is None else ops.add(x, bias)

    def _state_dropout(self, inputs: Array, training: bool | None) -> Callable[[Any], Any]:
        """Return a function that applies dropout to a state, with the same mask at all time steps and in all gates."""
        if not training or not self.recurrent_dropout:
            return lambda h: h
        ones = ops.ones((ops.shape(inputs)[-2], self.units), self.compute_dtype)
        factor = random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)
        return lambda h: ops.multiply(h, factor)
