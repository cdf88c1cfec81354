"""The inputs and outputs of models that were made from symbolic tensors, and the layers there."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from polykeras.common.default_property import default_property
from polykeras.common.naming import did_you_mean
from polykeras.common.traits import overrides
from polykeras.graph import KerasTensor, Node

ARGUMENTS = ("name", "trainable", "dtype", "autocast", "activity_regularizer")
"""What a model that is made from symbolic tensors takes beside them."""


def input_check(layer: Any) -> Callable[[Any], None] | None:
    """Return a function that checks inputs of a layer on the host; None if there is nothing to check.

    A `call` of the user may change inputs first, so they are not checked then.
    """
    find = getattr(layer, "_input_check", None)
    return None if find is None or overrides(layer, "call") else find()


def last_layers(layer: Any) -> list[Any]:
    """Return the layers that give the outputs of a nested model; [] for other layers, or if this is not known."""
    return layer._last_layers() if isinstance(layer, GraphEnds) and not overrides(layer, "call") else []


def known_arguments(cls: type, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what a model made from symbolic tensors takes. It warns of others, which Keras drops in silence."""
    known = {name: value for name, value in arguments.items() if name in ARGUMENTS}
    if unknown := [name for name in arguments if name not in known]:
        near = "".join(did_you_mean(name, ARGUMENTS) for name in unknown)
        warnings.warn(
            f"{cls.__name__} is made from symbolic tensors, and leaves out unexpected argument(s) {', '.join(unknown)}."
            f"{near} It takes {', '.join(ARGUMENTS)}.",
            stacklevel=4,
        )
    return known


class GraphEnds:
    """The inputs and outputs of a model with a graph; a model without one raises `AttributeError`.

    A user's class may set attributes of most of these names, as in Keras.
    """

    name: str
    inbound_nodes: list[Node]

    def _graph_model(self) -> Any:
        """Return the functional model of this model's graph; None if there is no graph."""
        return self.__dict__.get("_functional")

    def _graph_or_raise(self, what: str) -> Any:
        graph = self._graph_model()
        if graph is None:
            raise AttributeError(
                f"{type(self).__name__} {self.name!r} has no `{what}`: it was not made from symbolic tensors."
            )
        return graph

    def _input_check(self) -> Callable[[Any], None] | None:
        """Return a function that lets the first layers check inputs on the host; None if there is nothing to check."""
        graph = self._graph_model()
        return None if graph is None else graph._input_check()

    def _last_layers(self) -> list[Any]:
        """Return the layer or op that gives each output, also inside nested models; [] if this is not known."""
        graph = self._graph_model()
        return [] if graph is None else graph._last_layers()

    @default_property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, as a flat list."""
        return self._graph_or_raise("inputs").inputs

    @default_property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, as a flat list."""
        return self._graph_or_raise("outputs").outputs

    @property
    def input(self) -> Any:
        """The symbolic inputs, as passed to the constructor; of other models those of the first call in a graph."""
        return self._graph_or_raise("input").input if self._has_own_ends() else super().input  # type: ignore[misc]

    @property
    def output(self) -> Any:
        """The symbolic outputs, as passed to the constructor; of other models those of the first call in a graph."""
        return self._graph_or_raise("output").output if self._has_own_ends() else super().output  # type: ignore[misc]

    def _has_own_ends(self) -> bool:
        """Return whether `input` and `output` ask the model's own graph, and not the first call within another one."""
        return not self.inbound_nodes or self._graph_model() is not None

    @property
    def _inputs_struct(self) -> Any:
        """The inputs of the graph by Keras's private name, which other libraries read."""
        return self._graph_or_raise("_inputs_struct").input

    @property
    def _outputs_struct(self) -> Any:
        """The outputs of the graph by Keras's private name."""
        return self._graph_or_raise("_outputs_struct").output

    @default_property
    def input_shape(self) -> Any:
        """The shapes of the inputs."""
        return self._graph_or_raise("input_shape").input_shape

    @default_property
    def output_shape(self) -> Any:
        """The shapes of the outputs."""
        return self._graph_or_raise("output_shape").output_shape

    @default_property
    def output_names(self) -> list[str]:
        """The names of the layers that return the outputs."""
        return self._graph_or_raise("output_names").output_names
