"""The ends of a model's graph, for models that were made from symbolic tensors."""

from __future__ import annotations

from typing import Any

from polykeras.graph import KerasTensor


class GraphEnds:
    """What a model with a graph tells of its inputs and outputs; a model without one raises `AttributeError`."""

    name: str

    def _graph_model(self) -> Any:
        """The functional model of this one's graph; None if there is no graph."""
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
        """The symbolic inputs, flat, of a model that has a graph."""
        return self._graph_or_raise("inputs").inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, flat."""
        return self._graph_or_raise("outputs").outputs

    @property
    def input(self) -> Any:
        """The symbolic inputs, in the structure in which they were given."""
        return self._graph_or_raise("input").input

    @property
    def output(self) -> Any:
        """The symbolic outputs, in the structure in which they were given."""
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
        """The names of the layers that give the outputs; the keys, where the outputs are a dict."""
        return self._graph_or_raise("output_names").output_names
