"""Models made from a graph between symbolic inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from polykeras import dtypes, tree
from polykeras.backend import registry
from polykeras.backend.symbolic import UnknownDim
from polykeras.common import nested, version_counter
from polykeras.graph import GraphFunction, KerasTensor
from polykeras.layers.base.context import set_masks
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.models.functional_config import functional_config
from polykeras.models.graph_ends import input_check, known_arguments, last_layers
from polykeras.models.model import Model, functional_class
from polykeras.models.subgraphs import begun_with_inputs
from polykeras.models.text_part import TextPart, to_rank
from polykeras.training.data.tables import columns_by_name


@functional_class.supply
@LAYERS.register()
class Functional(Model):
    """A model made from the operations between `inputs` and `outputs`.

    Args:
        inputs: a symbolic tensor, or a tree of them.
        outputs: a symbolic tensor, or a tree of them.
        name: the model's name; by default made from the name of its class.
        trainable: whether the layers are trained; False freezes them all.
        **kwargs: further arguments of `Model`.

    Raises:
        ValueError: the graph is disconnected, or two layers have the same name.
    """

    sample_by_sample = True
    _module_in_configs = "keras.src.models.functional"
    _first_end_in_configs = 1
    _takes_arguments_as_passed = True
    _casts_inputs = False
    _checks_sizes = True
    _untracked = (*Model._untracked, "_inputs_tree", "_outputs_tree", "_graph", "_text_part", "_input_checks")

    def __init__(
        self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(name=name, trainable=trainable, **known_arguments(type(self), kwargs))
        self._graph = begun_with_inputs(GraphFunction(inputs, outputs))
        self._tells_training = any("training" in node.kwargs for node in self._graph.nodes)
        takes_texts = any(tensor.dtype == dtypes.STRING for tensor in self._graph.inputs)
        self._text_part = TextPart(self._graph) if takes_texts else None
        self._inputs_tree = nested.unflatten(self._graph.input_definition, self._graph.inputs)
        self._outputs_tree = nested.unflatten(self._graph.output_definition, self._graph.outputs)
        self._input_checks = [] if takes_texts else list(self._find_input_checks())
        self._operations = self._graph.operations
        self._layers = [operation for operation in self._operations if isinstance(operation, Layer)]
        self._check_names()
        self._parts_as_of = version_counter.version()
        self.built = True
        if not trainable:
            self.trainable = False

    def _check_names(self) -> None:
        seen: dict[str, Any] = {}
        for operation in self._operations:
            other = seen.setdefault(operation.name, operation)
            if other is not operation:
                raise ValueError(
                    f"Two layers of the model {self.name!r} have the name {operation.name!r} ({type(other).__name__} "
                    f"and {type(operation).__name__}). Give each its own `name`."
                )

    def _has_new_parts(self) -> bool:
        """Return whether a layer within the model got a part since the graph was made; see `version_counter`."""
        layers = (layer for layer in self._flatten_layers() if layer is not self)
        return any(when > self._parts_as_of for layer in layers for when in layer._set_at.values())

    def _graph_model(self) -> Functional:
        return self

    @property
    def layers(self) -> list[Layer]:
        """The layers in Keras's order, those farthest from the outputs first; see `polykeras.graph.order`."""
        return list(self._layers)

    @property
    def operations(self) -> list[Any]:
        """The layers and the ops that were called on symbolic tensors, in Keras's order."""
        return list(self._operations)

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, as a flat list."""
        return list(self._graph.inputs)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, as a flat list."""
        return list(self._graph.outputs)

    @property
    def input(self) -> Any:
        """The symbolic inputs, as passed to the constructor."""
        return self._inputs_tree

    @property
    def output(self) -> Any:
        """The symbolic outputs, as passed to the constructor."""
        return self._outputs_tree

    @property
    def input_shape(self) -> Any:
        """The shape of the input; of several, the list of their shapes in the order of `inputs`."""
        return _shapes(self._graph.inputs)

    @property
    def output_shape(self) -> Any:
        """The shape of the output; of several, the list of their shapes in the order of `outputs`."""
        return _shapes(self._graph.outputs)

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that return the outputs."""
        return list(map(self._name_of, self._graph.outputs))

    def _flat_inputs(self, inputs: Any) -> list[Any]:
        """Put the inputs of a call into the order of the graph's inputs, and check their shapes."""
        backend = registry.current()
        pairs = zip(self._in_order(inputs), self._graph.inputs, strict=True)
        return [self._fit(backend, x, tensor) for x, tensor in pairs]

    @staticmethod
    def _name_of(tensor: KerasTensor) -> str:
        return tensor.history[0].operation.name if tensor.history else tensor.name

    def _input_names(self) -> list[str]:
        return list(map(self._name_of, self._graph.inputs))

    def _in_order(self, inputs: Any) -> list[Any]:
        """Put the inputs of a call into the order of the graph's inputs."""
        if isinstance(inputs, Mapping) and not isinstance(self._inputs_tree, Mapping):
            names = self._input_names()
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ValueError(
                    f"Model {self.name!r} has inputs {names}; the dict that was passed lacks {missing} and has "
                    f"{list(inputs)}."
                )
            flat = [inputs[name] for name in names]
        elif isinstance(self._inputs_tree, Mapping) and isinstance(inputs, Mapping):
            missing = [key for key in self._inputs_tree if key not in inputs]
            if missing:
                raise ValueError(f"Model {self.name!r}: the dict of inputs lacks {missing}; it has {list(inputs)}.")
            inputs = {key: inputs[key] for key in self._inputs_tree}
            flat = nested.flatten(inputs)
        else:
            flat = nested.flatten(inputs)
        count = len(self._graph.inputs)
        if len(flat) != count:
            flat = tree.flatten(inputs)  # with None for optional inputs
        if len(flat) != count:
            raise ValueError(
                f"Model {self.name!r} expects {count} input(s) {self._input_names()}; received {len(flat)}."
            )
        return flat

    def _fit(self, backend: Any, x: Any, tensor: KerasTensor) -> Any:
        if x is None:
            layer = tensor.history[0].operation if tensor.history else None
            if not getattr(layer, "optional", True):
                raise ValueError(
                    f"Model {self.name!r}: the input {self._name_of(tensor)!r} is not optional; received None. Pass an "
                    "array, or make it by `Input(..., optional=True)`."
                )
            return None
        if tensor.dtype == dtypes.STRING:
            return x  # strings stay on the host, or in `tf.data`, for the layers that take them
        if dtypes.is_text(x):
            raise ValueError(
                f"Model {self.name!r}: input {self._name_of(tensor)!r} takes numbers ({tensor.dtype}); received "
                "strings or objects. Convert them to numbers, or begin the model with `Input(dtype='string')` and "
                "TextVectorization."
            )
        x, sizes = to_rank(backend, x, tensor.shape), tensor.shape
        shape = backend.shape(x)
        fits = len(shape) == len(sizes)
        if fits and self._checks_sizes:
            pairs = zip(sizes[1:], shape[1:], strict=True)
            fits = all(want in (None, n) or isinstance(n, UnknownDim) for want, n in pairs)
        if not fits:
            one = " None is the number of samples; for one sample pass x[:1] or x[None]."
            raise ValueError(
                f"Model {self.name!r}: input {self._name_of(tensor)!r} does not fit: expected shape {sizes}; received "
                f"{tuple(shape)}.{one if len(shape) == len(sizes) - 1 and sizes[0] is None else ''}"
            )
        want = tensor.dtype
        if want in backend.unsupported_dtypes:
            want = dtypes.NARROWER.get(want, want)
        return x if backend.dtype(x) == want else backend.cast(x, want)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Compute the outputs.

        Args:
            inputs: arrays in the structure of the model's inputs, or a dict by the names of the input layers.
            training: whether layers such as dropout run in training mode.
            mask: masks of the inputs, in their structure.

        Returns:
            Arrays in the structure of the model's outputs.
        """
        if self._text_part is not None and self._text_part.takes(inputs):
            graph, flat = self._text_part.rest, [inputs[name] for name in self._text_part.names]
        else:
            graph, flat = self._graph, self._flat_inputs(inputs)
        if mask is not None:
            set_masks(flat, mask)
        outputs = graph(flat, None if training is None or not self._tells_training else self._training(training))
        return _alone(outputs)

    def outputs_known_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return new symbolic outputs for symbolic inputs of the graph's own shapes and dtypes.

        Args:
            args: the positional arguments of a call of the model.
            kwargs: the others.

        Returns:
            The outputs; None for other inputs, or if a layer got other parts since the graph was made.
        """
        if len(args) + ("inputs" in kwargs) != 1 or kwargs.keys() - {"inputs", "training", "mask"}:
            return None
        given, definition = nested.flatten_with_def(args[0] if args else kwargs["inputs"])
        if definition != self._graph.input_definition:
            return None
        pairs = zip(given, self._graph.inputs, strict=True)
        if not all(isinstance(x, KerasTensor) and (x.shape, x.dtype) == (own.shape, own.dtype) for x, own in pairs):
            return None
        if self._has_new_parts():
            return None
        outputs = [KerasTensor(tensor.shape, tensor.dtype) for tensor in self._graph.outputs]
        return _alone(nested.unflatten(self._graph.output_definition, outputs))

    @staticmethod
    def _training(training: bool | None) -> Callable[..., Any]:
        """Return a function that calls operations; as in Keras, `training` takes precedence over the graph's value."""

        def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            return operation(*args, **kwargs | ({"training": training} if "training" in kwargs else {}))

        return call

    def _texts_to_numbers(self, x: Any) -> Any:
        if len(self._graph.inputs) > 1:
            x = columns_by_name(x, self._input_names())
        return x if self._text_part is None else self._text_part.of_data(x, self._in_order)

    def _find_input_checks(self) -> Iterator[tuple[Callable[[Any], None], Any]]:
        """Yield functions that check inputs on the host, each with a tree of the places of its inputs."""
        places = {id(tensor): place for place, tensor in enumerate(self._graph.inputs)}
        for node in self._graph.nodes:
            plain = len(node.args) == 1 and node.kwargs.keys() <= {"mask", "training"}
            if plain and all(id(tensor) in places for tensor in nested.flatten(node.args)):
                check = input_check(node.operation)
                if check is not None:
                    yield check, nested.map_structure(lambda tensor: places[id(tensor)], node.args[0])

    def _input_check(self) -> Callable[[Any], None] | None:
        return self._check_on_host if self._input_checks else None

    def _check_on_host(self, inputs: Any) -> None:
        flat = self._in_order(inputs)
        for check, places in self._input_checks:
            # Most layers take one array, for which nothing needs to be put together.
            check(flat[places] if type(places) is int else nested.map_structure(lambda place: flat[place], places))

    def _last_layers(self) -> list[Any]:
        found = []
        for tensor in self._graph.outputs:
            node, place = tensor.history or (None, 0)
            operation = node and node.operation
            inner = last_layers(operation)
            found.append(inner[place] if inner else operation)
        return found

    def get_config(self) -> dict[str, Any]:
        """Return the layers, connections, inputs and outputs as plain data."""
        return functional_config(self)


def _alone(outputs: Any) -> Any:
    """Return the entry of a list of one, which, as in Keras, was passed instead of the tensor itself."""
    return outputs[0] if isinstance(outputs, (list, tuple)) and len(outputs) == 1 else outputs


def _shapes(tensors: list[KerasTensor]) -> Any:
    shapes = [tensor.shape for tensor in tensors]
    return shapes[0] if len(shapes) == 1 else shapes
