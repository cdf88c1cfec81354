"""What the cells of recurrent layers have in common.

A cell here works in two parts. `start` does what does not depend on the state (dropout and the product with the input
kernel) for the whole sequence at once, and returns the function that does the rest at each time. The product over all
times in one piece is what makes the scan fast.
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
        activation: ActivationLike,
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
        """Return zeros for the states of a batch, each `(batch, units)`."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in sizes]  # type: ignore[arg-type]

    def start(self, inputs: Array, training: bool | None = False) -> tuple[Any, Step]:
        """Do what does not depend on the state, and return what each step takes, and the step.

        Args:
            inputs: `(..., batch, features)`: all times, or one.
            training: whether dropout is applied.

        Returns:
            An array `(..., batch, gates * units)`, and a function that takes it at one time, with the states.
        """
        raise NotImplementedError

    def along(self, inputs: Array, states: list[Array], training: bool | None) -> tuple[Array, list[Array]] | None:
        """Run along all times in one operation, if there is one for this cell as it is set up.

        Args:
            inputs: `(time, batch, features)`.
            states: to begin with.
            training: whether dropout is applied.

        Returns:
            The outputs at all times and the last states; None if the step is to be repeated.
        """
        return None

    def call(
        self, inputs: Array, states: Array | list[Array], training: bool | None = False
    ) -> tuple[Array, Array | list[Array]]:
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

    def _dropped(self, inputs: Array, training: bool | None) -> Array:
        """Return the inputs after dropout, whose one mask serves all times."""
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
        """Return a function that drops from a state: the same elements at all times, and in all gates."""
        if not training or not self.recurrent_dropout:
            return lambda h: h
        ones = ops.ones((ops.shape(inputs)[-2], self.units), self.compute_dtype)
        factor = random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)
        return lambda h: ops.multiply(h, factor)
