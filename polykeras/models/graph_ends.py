"""The inputs and outputs of models that were made from symbolic tensors."""

from __future__ import annotations

from typing import Any

from polykeras.graph import KerasTensor


class GraphEnds:
    """The inputs and outputs of a model with a graph; a model without one raises `AttributeError`."""

    name: str

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

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, as a flat list."""
        return self._graph_or_raise("inputs").inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, as a flat list."""
        return self._graph_or_raise("outputs").outputs

    @property
    def input(self) -> Any:
        """The symbolic inputs, in the structure in which they were passed."""
        return self._graph_or_raise("input").input

    @property
    def output(self) -> Any:
        """The symbolic outputs, in the structure in which they were passed."""
        return self._graph_or_raise("output").output

    @property
    def input_shape(self) -> Any:
        """The shapes of the inputs."""
        return self._graph_or_raise("input_shape").input_shape

    @property
    def output_shape(self) -> Any:
        """The shapes of the outputs."""
        return self._graph_or_raise("output_shape").output_shape

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that return the outputs; for a dict of outputs, its keys."""
        return self._graph_or_raise("output_names").output_names
