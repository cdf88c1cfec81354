"""The base class of models: a layer that can be trained."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import IO, Any

from polykeras import fast
from polykeras.backend.handles import find_symbolic
from polykeras.common.legacy_arguments import takes_legacy_arguments
from polykeras.common.naming import did_you_mean
from polykeras.common.supplied import Supplied
from polykeras.common.traits import overrides
from polykeras.common.unsupported import not_yet
from polykeras.graph import KerasTensor
from polykeras.layers.base.context import current_context
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.shapes import map_shapes
from polykeras.models.functional_config import functional_from_config
from polykeras.models.graph_ends import GraphEnds, known_arguments
from polykeras.models.quantizing import QuantizableModel
from polykeras.models.repeated_calls import RepeatedCalls
from polykeras.models.summary import summary_text
from polykeras.saving.custom_objects import custom_object_scope
from polykeras.saving.limits import check_readable
from polykeras.saving.model_files import save_model
from polykeras.saving.serialization import serialize_keras_object
from polykeras.saving.shared_objects import sharing_objects
from polykeras.saving.weights import load_weights, save_weights
from polykeras.training.loops import Trainer

# Methods of Keras 2, loaded when they are used.
_LEGACY = "fit_generator evaluate_generator predict_generator predict_classes predict_proba reset_states"

functional_class: Supplied[type[Any]] = Supplied("functional_class", by="polykeras.models.functional")
"""The class of `Model(inputs, outputs)`."""


@LAYERS.register()
class Model(GraphEnds, Trainer, QuantizableModel):
    """A layer with `compile`, `fit`, `evaluate` and `predict`.

    There are three ways to make a model: `Model(inputs, outputs)` with symbolic tensors; a subclass that makes layers
    in `__init__` and uses them in `call`; and `Sequential`.

    Args:
        *args: `inputs` and `outputs`, symbolic tensors or trees of them, for a functional model.
        **kwargs: `inputs` and `outputs` by name; `name`; `trainable`, False to freeze all layers; others of `Layer`.

    Raises:
        TypeError: there are other positional arguments.

    Example:
        >>> from polykeras import Input, Model, layers
        >>> x = Input((8,))
        >>> model = Model(x, layers.Dense(1)(x))
        >>> model.count_params()
        9
    """

    _module_in_configs = "keras"
    _first_end_in_configs = 0  # see `polykeras.models.functional_config`
    # The first two come and go with each run; parts of the third belong to the model once they are used.
    _untracked = (*Layer._untracked, "history", "_repeated", "_compile_arguments")

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _is_functional(args, kwargs):
            return super().__new__(functional_class.get(), *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        ends: dict[str, Any] = {}
        if _is_functional(args, kwargs):
            ends = dict(zip(("inputs", "outputs"), args, strict=False))
            args = args[2:]
            ends |= {key: kwargs.pop(key) for key in ("inputs", "outputs") if key in kwargs}
            kwargs = known_arguments(type(self), kwargs)
        elif args:
            raise TypeError(f"{type(self).__name__} takes symbolic `inputs` and `outputs`, or keyword arguments only.")
        Trainer.__init__(self)
        Layer.__init__(self, **kwargs)
        self._repeated = RepeatedCalls()
        if ends:
            self._functional = functional_class.get()(**ends, name=self.name)
            self._first_end_in_configs = 1
            self.built = True

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without compiled calls, which belong to one model; see `Trainer`."""
        return super().__getstate__() | {"_repeated": RepeatedCalls()}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model on arrays, or on symbolic tensors; see `polykeras.models.repeated_calls` for its speed."""
        if len(args) == 1 and not kwargs and fast.enabled("repeated-calls"):
            served = self._repeated.serve(self, args[0])
            if served is not None:
                return served[0]
        if kwargs.get("training") and current_context() is None and find_symbolic((args, kwargs)) is None:
            with self.native_training_call():
                return self._marked(super().__call__(*args, **kwargs))
        return self._marked(super().__call__(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        if name in _LEGACY.split():
            return functools.partial(getattr(import_module("polykeras.legacy.training"), name), self)
        return super().__getattr__(name)

    # ---- the graph ---------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers directly within the model."""
        graph = self._graph_model()
        return graph.layers if graph is not None else self._held_layers()

    def _held_layers(self) -> list[Layer]:
        """Return the tracked layers. The layers of the graph take the place of the model that holds it."""
        graph, held = vars(self).get("_functional"), super()._held_layers()
        if graph is None:
            return held
        return [part for layer in held for part in (graph._held_layers() if layer is graph else [layer])]

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs. Subclasses override this method."""
        graph = self._graph_model()
        return super().call(*args, **kwargs) if graph is None else graph(*args, **kwargs)

    def _inferred_outputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return symbolic outputs: those of the graph for inputs of its own shapes; its layers need not run again."""
        graph = vars(self).get("_functional", self)
        known = None
        if isinstance(graph, functional_class.get()) and not overrides(self, "call"):
            known = graph.outputs_known_for(args, kwargs)
        return super()._inferred_outputs(args, kwargs) if known is None else known

    # ---- layers and weights ------------------------------------------------------------------------------------

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its index.

        Args:
            name: the name of the layer.
            index: the index in `layers`; negative ones count from the end.

        Raises:
            ValueError: there is no such layer, or both or neither of the arguments are given.
        """
        if (name is None) == (index is None):
            raise ValueError(f"get_layer takes a name or an index; received name={name!r}, index={index!r}.")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"The model {self.name!r} has {len(self.layers)} layers; there is no layer {index}.")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise ValueError(
            f"The model {self.name!r} has no layer {name!r}.{did_you_mean(str(name), names)} It has {names}."
        )

    def build(self, input_shape: Any = None) -> None:
        """Make all weights, by running `call` on shapes alone; if this fails, warn, and let the first data do it.

        Args:
            input_shape: the shape of the input with its batch axis (None for unknown sizes), or a tree of shapes.
        """
        if self.built:
            return
        if type(self).call is not Model.call:
            self._build_by_call(map_shapes(lambda shape: KerasTensor(shape, self.compute_dtype), input_shape))

    def _has_own_build(self) -> bool:
        return type(self).build is not Model.build

    def _build_weights(self, shapes: dict[str, Any]) -> None:
        if self._has_own_build():  # otherwise the call that follows builds the layers
            super()._build_weights(shapes)

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: tuple[str, str] | None = None,
    ) -> None:
        """Print the layers with their output shapes and numbers of parameters.

        Args:
            line_length: the width in characters.
            positions: the positions at which the columns end, as fractions of the width.
            print_fn: a function that is called with the text, instead of `print`.
            expand_nested: whether to show the layers of nested models too.
            show_trainable: whether to add a column that says whether a layer is trained.
            layer_range: the names of the first and last layer to show.
        """
        text = summary_text(self, line_length, positions, expand_nested, show_trainable, layer_range)
        (print_fn or print)(text)

    # ---- files -------------------------------------------------------------------------------------------------

    def save(
        self,
        filepath: str | os.PathLike[str] | IO[bytes],
        overwrite: bool = True,
        zipped: bool | None = None,
        include_optimizer: bool = True,
        save_format: str | None = None,
    ) -> None:
        """Write the model to a `.keras` or `.h5` file; see `polykeras.saving.save_model`.

        Args:
            filepath: a path that ends in `.keras`, or in `.h5` for the format of Keras 2; or an open file.
            overwrite: whether to replace an existing file.
            zipped: whether to write one archive; False writes the files of a `.keras` archive to a folder.
            include_optimizer: whether an `.h5` file contains the optimizer's state.
            save_format: accepted for Keras 2 code, without effect: the suffix chooses the format.
        """
        save_model(self, filepath, overwrite, zipped, include_optimizer, save_format)

    @takes_legacy_arguments
    def save_weights(
        self, filepath: str | os.PathLike[str], overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Write the weights to a file; see `polykeras.saving.save_weights`.

        Args:
            filepath: a path with a suffix that `saving.save_weights` lists.
            overwrite: whether to replace an existing file.
            max_shard_size: the size in GB at which `.weights.json` starts another file.
        """
        save_weights(self, filepath, overwrite, max_shard_size)

    def load_weights(
        self, filepath: str | os.PathLike[str], skip_mismatch: bool = False, by_name: bool = False
    ) -> None:
        """Read the weights from a file; see `polykeras.saving.load_weights`.

        Args:
            filepath: a file of `save_weights`, from here or from Keras 3; a `.keras` file; or an `.h5` file of Keras 1
                or 2.
            skip_mismatch: whether to skip, with a warning, weights that are missing in the file or have other shapes
                there.
            by_name: whether to match layers by name instead of order, for files of Keras 1 and 2.
        """
        load_weights(self, filepath, skip_mismatch, by_name)

    def export(self, *args: Any, **kwargs: Any) -> None:
        """Raise, because exporting to other runtimes is not available yet.

        Raises:
            NotImplementedError: always.
        """
        raise not_yet("Model.export", "Save the model as a `.keras` file, which Keras 3 reads and exports.")

    # ---- config ------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` or, for a subclass that is made from symbolic tensors, the graph."""
        graph = self._graph_model()
        if graph is not None and type(self).__init__ is Model.__init__:
            return graph.get_config() | {"name": self.name, "trainable": self.trainable}
        return super().get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return the model that a config describes, with new weights.

        Args:
            config: the result of `get_config`.
            custom_objects: the user's classes and functions that the config names.
        """
        if "input_layers" in config and "output_layers" in config:
            return functional_from_config(cls, config, custom_objects)
        with custom_object_scope(custom_objects or {}):
            return super().from_config(config)

    def to_json(self, **kwargs: Any) -> str:
        """Return the model's config as JSON; the arguments are those of `json.dumps`.

        Raises:
            ValueError: the config is too large or too deeply nested for `model_from_json`.
        """
        with sharing_objects():
            text = json.dumps(serialize_keras_object(self), **kwargs)
        check_readable(text, f"The config of {self.name!r}")
        return text


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return len(args) >= 2 or (len(args) == 1 and "outputs" in kwargs) or ("inputs" in kwargs and "outputs" in kwargs)
