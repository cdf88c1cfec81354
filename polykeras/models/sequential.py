"""Models that are a sequence of layers."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from polykeras import dtypes
from polykeras.common import nested
from polykeras.common.naming import unique_name
from polykeras.graph import KerasTensor
from polykeras.graph.inference import known_shape
from polykeras.graph.operation import when_asked
from polykeras.layers.base.context import set_masks, within
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.core.input_layer import InputLayer
from polykeras.models.functional import Functional
from polykeras.models.graph_ends import input_check, last_layers
from polykeras.models.model import Model
from polykeras.saving.custom_objects import custom_object_scope
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object

F = TypeVar("F", bound=Callable[..., None])
_one_graph = threading.RLock()  # threads may ask for it at once


def _refuse_single_layers(init: F) -> F:
    """Return an `__init__` that refuses layers given one by one. Python would only count the arguments."""

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        first = args[0] if args else kwargs.get("layers")
        if isinstance(first, (Layer, KerasTensor)):
            raise TypeError(f"Sequential takes one list of layers, as Sequential([a, b]); received {first!r} first.")
        init(self, *args, **kwargs)

    return __init__  # type: ignore[return-value]


@LAYERS.register()
class Sequential(Model):
    """A sequence of layers; each is called on the output of the previous one.

    Args:
        layers: a list of layers, which may begin with an `Input`. The first layer may have `input_shape=` or
            `input_dim=` instead. Without either, the model is built by the first data.
        trainable: whether the layers are trained; False freezes them all.
        name: the model's name; by default made from the name of its class.

    Raises:
        TypeError: a single layer is passed instead of a list.
        ValueError: an element of the list is not a layer, or two layers have the same name.

    Example:
        >>> from polykeras import Sequential, layers
        >>> model = Sequential([layers.Input((784,)), layers.Dense(32, activation="relu"), layers.Dense(10)])
        >>> model.output_shape
        (None, 10)
    """

    sample_by_sample = True
    _module_in_configs = "keras"
    _casts_inputs = False
    _untracked = (*Model._untracked, "_functional", "_names")

    @_refuse_single_layers
    def __init__(self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(name=name, trainable=trainable)
        self._functional: Functional | None = None
        self._takes_text = False  # the data of the first call
        self._names: tuple[str | None, str | None] = None, None  # the names of the graph's input layer and of the graph
        self._layers: list[Layer] = []
        for layer in layers or ():
            self._append(layer)
        if not trainable:
            self.trainable = False
        self._build_if_known()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Add a layer at the end.

        Args:
            layer: a layer, or an `Input` as the first one.
            rebuild: whether to build it immediately if the input's shape is known.

        Raises:
            ValueError: `layer` is not a layer, or its name is taken.
        """
        graph, shape = self._functional, self._known_shape()
        self._append(layer)
        self._forget_graph()
        if rebuild and graph is not None:
            self._extend(graph.input, graph.output, self._layers[-1:])
        elif rebuild and shape is not None:  # a call has built it
            self.build(shape)
        elif rebuild:
            self._build_if_known()

    def _append(self, layer: Any) -> None:
        if isinstance(layer, KerasTensor) and layer.history:
            layer = layer.history[0].operation
        if inspect.isclass(layer):
            name = layer.__name__
            raise ValueError(f"Sequential takes layers; received the class {name}. Write {name}(...) to make one.")
        if not isinstance(layer, Layer):
            raise ValueError(f"Sequential takes layers; received {layer!r} ({type(layer).__name__}).")
        if any(other.name == layer.name and other is not layer for other in self._layers):
            raise ValueError(
                f"Two layers of the model {self.name!r} have the name {layer.name!r}. Give each its own `name`."
            )
        if not self._layers and not isinstance(layer, InputLayer):
            shape = layer._batch_input_shape
            if shape is None and isinstance(layer, (Functional, Sequential)) and layer.built:
                shape = layer.input_shape if isinstance(layer.input_shape, tuple) else None
            if shape is not None:
                dtype = "int32" if getattr(layer, "takes_integers", False) else None
                self._layers.append(InputLayer(batch_shape=shape, dtype=dtype))
        elif self._layers and isinstance(layer, InputLayer):
            raise ValueError(
                f"An input can only be the first layer of a Sequential; the model {self.name!r} has layers."
            )
        self._layers.append(layer)
        when_asked(layer, self._graph_model)  # a call on data builds the model without a graph

    def pop(self, rebuild: bool = True) -> Layer:
        """Remove the last layer, and return it.

        Raises:
            ValueError: there is no layer.
        """
        if not self.layers:
            raise ValueError(f"The model {self.name!r} has no layer to remove.")
        graph, shape = self._functional, self._known_shape()
        layer = self._layers.pop()
        self._forget_graph()
        self._takes_text = self._takes_text and bool(self.layers)
        if rebuild and graph is not None and self.layers:
            self._extend(graph.input, graph._graph.nodes[-1].input_tensors[0], ())
        elif rebuild and shape is not None and self.layers:
            self.build(shape)
        return layer

    # ---- the graph ---------------------------------------------------------------------------------------------

    def _forget_graph(self) -> None:
        self._functional = None
        self._names = self._names[0], None
        self._build_shapes = None
        self.built = False

    def _build_if_known(self) -> None:
        if len(self._layers) > 1 and isinstance(self._layers[0], InputLayer):
            self._extend(self._layers[0].output, self._layers[0].output, self._layers[1:])

    def _extend(self, inputs: Any, x: Any, layers: Sequence[Layer]) -> None:
        """Make the graph from `inputs` to `x` and through further layers."""
        with within(self.name):
            for layer in layers:
                x = layer(x)
        graph = Functional(inputs, x, name=self._names[1])
        graph._checks_sizes = False  # as in Keras: layers check what they need
        graph.name = self.name  # used in messages; the name that was passed takes precedence, as in Keras
        self._functional = graph
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Make all weights.

        Args:
            input_shape: the shape of the input, including the batch axis (None for unknown sizes).
        """
        if self._functional is not None:
            return
        if input_shape is None:
            raise ValueError(f"The model {self.name!r} cannot be built without the shape of its input; received None.")
        if not self._layers:
            raise ValueError(f"The model {self.name!r} cannot be built: it has no layers yet. Add some first.")
        self._make_graph(input_shape)

    def _make_graph(self, input_shape: Any) -> None:
        first = self._input_layer(input_shape)
        self._names = first.name, self._names[1]
        self._extend(first.output, first.output, self._layers)

    def _input_layer(self, input_shape: Any) -> InputLayer:
        """Return a first layer for a model that began without one. Only its copies have it among their layers."""
        dtype = "int32" if getattr(self._layers[0], "takes_integers", False) else None
        dtype = dtypes.STRING if self._takes_text else dtype
        return InputLayer(batch_shape=tuple(input_shape), dtype=dtype, name=self._names[0])

    def _layers_to_copy(self) -> list[Layer]:
        """Return the layers that copies and files hold: they begin with an input layer if its shape is known."""
        shape = self._known_shape()
        if shape is None or isinstance(self._layers[0], InputLayer):
            return self._layers
        return [self._input_layer(shape), *self._layers]

    def _known_shape(self) -> Any:
        if self._functional is not None:
            return self.input_shape
        return next(iter(self._build_shapes.values()), None) if self._build_shapes else None

    def _build(self, backend: Any, spec: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # Layers cannot be recorded in a graph within a call, so they build themselves, one after another.
        if not self._layers:
            raise ValueError(f"The model {self.name!r} has no layers yet. Add some before it is called.")
        if not nested.is_nested(args[0]):  # as in Keras, a graph begins with one tensor
            on_host = dtypes.is_text(args[0])
            shape = args[0].shape if on_host else known_shape(backend, args[0])
            self._build_shapes = {"inputs": (None, *shape[1:])}
            self._takes_text = on_host or backend.dtype(args[0]) == dtypes.STRING
        # Keras makes the graph now; here it waits.
        self._names = self._names[0] or unique_name("input_layer"), unique_name("functional")
        self.built = True

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return [layer for layer in self._layers if not isinstance(layer, InputLayer)]

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Call the layers one after another, and return the outputs of the last one.

        Args:
            inputs: the inputs of the first layer.
            training: whether layers such as dropout run in training mode.
            mask: bool, False for elements of the inputs to skip; None for no mask.
        """
        if self._functional is not None:
            return self._functional.call(inputs, training, mask)
        if mask is not None:
            set_masks(nested.flatten(inputs), mask)
        x = inputs
        for layer in self._layers:
            x = layer(x)
        return x

    def _graph_model(self) -> Functional | None:
        if self._functional is None and (shape := self._known_shape()) is not None:  # the model was called on data
            with _one_graph:
                if self._functional is None:
                    self._make_graph(shape)  # `build` may be a user's, and make weights anew
        return self._functional

    def _has_own_ends(self) -> bool:
        return not self.inbound_nodes  # as in Keras, where a Sequential is no functional model

    def _graph_or_raise(self, what: str) -> Functional:
        graph = self._graph_model()
        if graph is None:
            raise AttributeError(
                f"The model {self.name!r} has no `{what}` yet: its input shape is not known. Begin it with an Input, "
                "give its first layer `input_shape=`, or call `build(input_shape)`."
            )
        return graph

    def _texts_to_numbers(self, x: Any) -> Any:
        return x if self._functional is None else self._functional._texts_to_numbers(x)

    def _input_check(self) -> Callable[[Any], None] | None:
        if self._functional is not None:
            return self._functional._input_check()
        return input_check(self.layers[0]) if self.layers else None

    def _last_layers(self) -> list[Any]:
        return (last_layers(self.layers[-1]) or self.layers[-1:]) if self.layers else []

    def get_config(self) -> dict[str, Any]:
        """Return the name, and the configs of the layers."""
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [serialize_keras_object(layer) for layer in self._layers_to_copy()],
        }
        shape = self._known_shape()
        return config if shape is None else {**config, "build_input_shape": shape}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return the model that a config describes, with new weights."""
        with custom_object_scope(custom_objects or {}):
            layers: list[Any] = []
            for place, entry in enumerate(config["layers"]):
                # Equal entries with a name are one layer, which the model holds twice.
                first = config["layers"].index(entry) if entry.get("config", {}).get("name") else place
                layers.append(layers[first] if first < place else deserialize_keras_object(entry, default=LAYERS))
        model = cls(layers, name=config.get("name"))
        shape = config.get("build_input_shape")
        if model._functional is None and shape:
            model.build(shape)
        return model  # as in Keras, only its layers are frozen, so that those thawed later are trained
