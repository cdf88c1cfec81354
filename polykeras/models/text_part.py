"""The part of a graph that takes strings. It runs on the host, before data reach compiled steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend import foreign_data, registry
from polykeras.common import nested
from polykeras.common.traits import overrides
from polykeras.graph import GraphFunction, KerasTensor, Node
from polykeras.layers.base.layer import Layer
from polykeras.models.graph_ends import GraphEnds
from polykeras.models.subgraphs import unfolded
from polykeras.training.data.dataset import PyDataset
from polykeras.training.data.sources import is_stream


class TextPart:
    """The nodes of a graph from inputs of strings to the first tensors of numbers, and the rest of the graph.

    Args:
        graph: a graph with strings among its inputs.

    Attributes:
        names: the names of the arrays that the rest takes: input layers, and layers that turn strings into numbers.
        rest: the graph from these arrays to the outputs.

    Raises:
        ValueError: the part that runs on the host contains trained weights.
    """

    def __init__(self, graph: GraphFunction) -> None:
        graph = unfolded(graph, _trains_on_text)
        texts = {id(tensor) for tensor in graph.inputs if tensor.dtype == dtypes.STRING}
        numbers = [tensor for tensor in graph.inputs if id(tensor) not in texts]
        for node in graph.nodes:
            if any(id(tensor) in texts for tensor in node.input_tensors):
                texts |= {id(tensor) for tensor in node.output_tensors if tensor.dtype == dtypes.STRING}
                numbers += [tensor for tensor in node.output_tensors if tensor.dtype != dtypes.STRING]
        self._single = len(graph.inputs) == 1
        names = [_name(tensor) for tensor in numbers]
        self.names = [f"{name}_{i}" if name in names[:i] else name for i, name in enumerate(names)]
        self._host = GraphFunction(graph.inputs, numbers)
        self.rest = GraphFunction(numbers, nested.unflatten(graph.output_definition, graph.outputs))
        trained = [op.name for op in self._host.operations if isinstance(op, Layer) and op.trainable_weights]
        if trained:
            raise ValueError(
                f"The layers {trained} have weights, but their outputs go into a layer that also takes strings, and so "
                "runs on the host. They could not be trained. Let that layer take only inputs of the model."
            )

    def takes(self, inputs: Any) -> bool:
        """Return whether the inputs are a result of `of_arrays`."""
        return isinstance(inputs, Mapping) and set(inputs) == set(self.names)

    def of_arrays(self, flat: list[Any]) -> dict[str, np.ndarray]:
        """Return the arrays that the rest takes, by name, for a flat list of the graph's inputs."""
        with registry.use_backend("numpy") as numpy:
            pairs = zip(flat, self._host.inputs, strict=True)
            arrays = [to_rank(numpy, _host(x), tensor.shape) for x, tensor in pairs]
            return dict(zip(self.names, map(np.asarray, self._host(arrays)), strict=True))

    def of_data(self, x: Any, flatten: Callable[[Any], list[Any]]) -> Any:
        """Replace the graph's inputs in data by the arrays that the rest takes.

        Args:
            x: inputs, or a stream of batches that are inputs, or begin with inputs.
            flatten: a function that puts inputs into the order of the graph's inputs.
        """

        def of_inputs(inputs: Any) -> Any:
            return self.of_arrays(flatten(self._with_arrays(inputs)))

        def changed(batch: Any) -> Any:
            if isinstance(batch, (tuple, list)) and not _is_text(batch):
                return (of_inputs(batch[0]), *batch[1:])
            return of_inputs(batch)

        if x is None or self.takes(x):
            return x
        if isinstance(x, PyDataset):
            return _ChangedDataset(x, changed)
        if is_stream(x):
            return map(changed, x) if hasattr(x, "__next__") else _Changed(x, changed)
        return of_inputs(x)

    def _with_arrays(self, inputs: Any) -> Any:
        """Return inputs with lists of strings turned into arrays."""
        if not isinstance(inputs, (list, tuple)):
            return inputs
        if self._single:
            return np.array(inputs, object) if _is_text(inputs) else inputs
        return [np.array(part, object) if _is_text(part) else part for part in inputs]


def to_rank(backend: Any, x: Any, sizes: Sequence[int | None]) -> Any:
    """Add or remove a last axis of size 1, so that an array has the rank of its input."""
    shape = backend.shape(x)
    if len(shape) == len(sizes) - 1 and sizes[-1] == 1:
        return backend.expand_dims(x, -1)
    return backend.squeeze(x, -1) if len(shape) == len(sizes) + 1 and shape[-1] == 1 else x


def _is_text(x: Any) -> bool:
    """Return whether `x` is a list of strings, or of lists of them."""
    return isinstance(x, (list, tuple)) and all(isinstance(leaf, (str, bytes)) for leaf in nested.flatten(x))


def _trains_on_text(node: Node) -> bool:
    """Return whether this is the call of a graph model with trained weights that takes strings."""
    model = node.operation
    return (
        any(tensor.dtype == dtypes.STRING for tensor in node.input_tensors)
        and isinstance(model, GraphEnds)
        and isinstance(model, Layer)
        and not overrides(model, "call")
        and bool(model.trainable_weights)
        and model._graph_model() is not None
    )


def _name(tensor: KerasTensor) -> str:
    if tensor.history is None:
        return tensor.name
    node, place = tensor.history
    return node.operation.name if len(node.output_tensors) == 1 else f"{node.operation.name}_{place}"


def _host(x: Any) -> Any:
    from polykeras.layers.preprocessing.host import host_data

    return np.asarray(host_data(x))


class _Changed:
    """An iterable that applies a function to each batch of another one."""

    def __init__(self, batches: Any, change: Callable[[Any], Any]) -> None:
        self._batches, self._change = batches, change

    def __iter__(self) -> Iterator[Any]:
        return map(self._change, foreign_data.batches_of(self._batches))

    def __len__(self) -> int:
        return len(self._batches)


class _ChangedDataset(PyDataset):
    def __init__(self, dataset: PyDataset, change: Callable[[Any], Any]) -> None:
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self._dataset, self._change = dataset, change
        self.on_epoch_begin, self.on_epoch_end = dataset.on_epoch_begin, dataset.on_epoch_end

    def __getitem__(self, index: int) -> Any:
        return self._change(self._dataset[index])

    @property
    def num_batches(self) -> int | None:
        """The number of batches of the dataset."""
        return self._dataset.num_batches
