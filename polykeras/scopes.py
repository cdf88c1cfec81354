"""Keras's contexts and graph functions by their names: `StatelessScope`, `SymbolicScope`, `name_scope`, `Function`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

from polykeras import ops
from polykeras.backend.registry import use_backend
from polykeras.backend.symbolic import SYMBOLIC
from polykeras.common import nested
from polykeras.common.naming import to_snake_case, unique_name
from polykeras.graph import GraphFunction, KerasTensor
from polykeras.layers.base.context import within
from polykeras.variables import Scope, Variable


class StatelessScope(Scope):
    """A context in which variables have given values, and keep what is assigned to them to the context.

    Args:
        state_mapping: pairs of a variable and its value.
        collect_losses: whether `losses` takes what `add_loss` is given within.
        initialize_variables: kept for Keras code; variables have values from the beginning.

    Attributes:
        losses: what was collected, or given to this object's `add_loss`.

    Raises:
        ValueError: a pair begins with something else, or the value has another shape.

    Example:
        >>> weight = Variable(1.0)
        >>> with StatelessScope([(weight, 3.0)]) as scope:
        ...     _ = weight.assign_add(1.0)
        >>> float(scope.get_current_value(weight)), float(weight)
        (4.0, 1.0)
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Variable, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ) -> None:
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses: list[Any] = []
        pairs = list(state_mapping or ())
        super().__init__([variable for variable, _ in pairs], [self._checked(*pair) for pair in pairs])

    @staticmethod
    def _checked(variable: Any, value: Any) -> Any:
        if not isinstance(variable, Variable):
            raise ValueError(f"StatelessScope: expected pairs of a variable and a value; received {variable!r}.")
        value = ops.cast(value, variable.dtype)
        if tuple(ops.shape(value)) != tuple(variable.shape):
            raise ValueError(
                f"StatelessScope: the variable {variable.path!r} has shape {variable.shape}; received a value of shape "
                f"{ops.shape(value)}."
            )
        return value

    def get_current_value(self, variable: Variable) -> Any:
        """Return the value that a variable has here, None where it has none of its own."""
        return self.values.get(id(variable))

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Give a variable a value here."""
        self.write(*update)

    def add_loss(self, loss: Any) -> None:
        """Keep a loss in `losses`."""
        self.losses.append(loss)

    def take_losses(self, terms: list[Any]) -> None:
        """Keep the terms, where losses are collected."""
        if self.collect_losses:
            self.losses += terms
        else:
            super().take_losses(terms)


class SymbolicScope:
    """A context in which operations run on shapes and dtypes alone."""

    def __enter__(self) -> Self:
        self._inner = use_backend(SYMBOLIC)
        self._inner.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._inner.__exit__(*exc_info)


class name_scope:
    """A context whose name stands before those of the layers that are built within, in the paths of their weights.

    Args:
        name: without a "/".
        caller: kept for Keras code.
        deduplicate: kept for Keras code: a scope within another one of its name is that one.
        override_parent: kept for Keras code.

    Raises:
        ValueError: another name.
    """

    def __init__(self, name: str, caller: Any = None, deduplicate: bool = True, override_parent: Any = None) -> None:
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"name_scope: expected a name without '/'; received {name!r}.")
        self.name = name
        self.caller = caller
        self.deduplicate = deduplicate
        self.override_parent = override_parent

    def __enter__(self) -> Self:
        self._inner: AbstractContextManager[None] = within(self.name)
        self._inner.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._inner.__exit__(*exc_info)


class RematScope:
    """Keras's context in which layers compute their activations anew for gradients. Here they keep them.

    Numbers are the same; for memory, wrap functions by `polykeras.remat`.

    Args:
        mode: `"full"`, `"activations"`, `"larger_than"`, `"list_of_layers"` or None.
        output_size_threshold: kept for Keras code.
        layer_names: kept for Keras code.

    Raises:
        ValueError: an unknown mode.
    """

    def __init__(
        self,
        mode: str | None = "full",
        output_size_threshold: int = 1024,
        layer_names: Sequence[str] | None = None,
    ) -> None:
        modes = ("full", "activations", "larger_than", "list_of_layers", None)
        if mode not in modes:
            raise ValueError(f"RematScope: `mode` must be one of {modes}; received {mode!r}.")
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = list(layer_names or ())

    def __enter__(self) -> Self:
        if self.mode is not None:
            warnings.warn(
                "RematScope saves no memory here: layers keep their activations. Wrap a function by `polykeras.remat`.",
                UserWarning,
                stacklevel=2,
            )
        return self

    def __exit__(self, *exc_info: object) -> None: ...


class Function:
    """A function made of the part of a graph that leads from inputs to outputs.

    Args:
        inputs: a tree of symbolic tensors.
        outputs: a tree of symbolic tensors.
        name: for messages.

    Raises:
        ValueError: the outputs depend on other inputs.

    Example:
        >>> import polykeras as keras
        >>> x = keras.Input((2,))
        >>> float(ops.sum(Function(x, 3.0 * x)([[1.0, 2.0]])))
        9.0
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        self.name = name or unique_name(to_snake_case(type(self).__name__))
        self._graph = GraphFunction(inputs, outputs)
        self._inputs_struct, self._outputs_struct = inputs, outputs

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, flat."""
        return self._graph.inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, flat."""
        return self._graph.outputs

    @property
    def operations(self) -> list[Any]:
        """The operations, in the order in which they run."""
        return self._graph.operations

    def __call__(self, inputs: Any) -> Any:
        """Return the tree of outputs.

        Raises:
            ValueError: another number of inputs.
        """
        flat = nested.flatten(inputs) if nested.is_nested(self._inputs_struct) else [inputs]
        if len(flat) != len(self.inputs):
            raise ValueError(f"{self.name} takes {len(self.inputs)} input(s); received {len(flat)}.")
        return self._graph([x if isinstance(x, KerasTensor) else ops.convert_to_tensor(x) for x in flat])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the tree of the outputs' shapes for inputs of other shapes, as `inputs`, each a tuple."""
        shapes = [input_shape] if len(self.inputs) == 1 else list(input_shape)
        tensors = [KerasTensor(shape, dtype=t.dtype) for shape, t in zip(shapes, self.inputs, strict=True)]
        return nested.map_structure(lambda t: t.shape, self._graph(tensors))
