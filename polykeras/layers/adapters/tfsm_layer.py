"""A SavedModel of TensorFlow as a layer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from polykeras.backend import registry
from polykeras.common.types import DTypeLike
from polykeras.config import is_unsafe_deserialization_enabled
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.saving.lambdas import is_code_allowed
from polykeras.variables import is_functional
from polykeras.variables.adapters import variables_in

__all__ = ["TFSMLayer"]


@LAYERS.register()
class TFSMLayer(Layer):
    """A SavedModel of TensorFlow as a layer, with its variables as weights. It runs with the tensorflow backend.

    The weights are those that the endpoints use, and are trained like those of other layers. The file of a model holds
    the path of the SavedModel, not the SavedModel itself.

    Args:
        filepath: the folder of the SavedModel.
        call_endpoint: the function to call: an attribute of the object that was saved, or one of its signatures. It
            takes the inputs, a tensor or a tree of tensors, as its first argument.
        call_training_endpoint: the function of calls with `training=True`; by default the same one.
        trainable: whether the weights are trained.
        name: see `Layer`.
        dtype: see `Layer`.

    Raises:
        ValueError: the current backend is another one, or the SavedModel has no such function.

    Example:
        >>> from polykeras import layers
        >>> layer = layers.TFSMLayer("path/of/saved_model", call_endpoint="serving_default")  # doctest: +SKIP
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        call_endpoint: str = "serve",
        call_training_endpoint: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        tensorflow = registry.current().foreign("tensorflow", type(self).__name__)
        super().__init__(trainable=trainable, name=name, dtype=dtype)
        self.filepath = os.fspath(filepath)
        self.call_endpoint = call_endpoint
        self.call_training_endpoint = call_training_endpoint
        self._loaded = tensorflow.SavedModel(self.filepath, [call_endpoint, call_training_endpoint or call_endpoint])
        self._held = [variable for stored in self._loaded.variables for variable in variables_in(stored, self.name)]
        self._after_build()

    def call(self, inputs: Any, training: bool | None = False, **kwargs: Any) -> Any:
        """Return the outputs of the endpoint.

        Args:
            inputs: the first argument of the endpoint.
            training: whether to call the endpoint for training, if there is one.
            **kwargs: further arguments of the endpoint, by name.
        """
        registry.current().foreign("tensorflow", self._title())
        name = (training and self.call_training_endpoint) or self.call_endpoint
        if not is_functional():
            return self._loaded.functions[name](inputs, **kwargs)
        values = [variable.value for variable in self._held]
        outputs, changed = self._loaded.call_on_values(name, (inputs,), kwargs, values)
        for place, value in changed.items():
            self._held[place].assign(value)
        return outputs

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None, safe_mode: bool | None = None
    ) -> Any:
        """Return the layer of a config. It loads the SavedModel, which is done only if the file is trusted.

        Args:
            config: what `get_config` gave.
            custom_objects: not used; kept for Keras code.
            safe_mode: whether to refuse; None: refuse unless unsafe loading was allowed, for the file or the process.

        Raises:
            ValueError: unsafe loading was not allowed.
        """
        if safe_mode is None:
            safe_mode = not (is_code_allowed() or is_unsafe_deserialization_enabled())
        if safe_mode:
            raise ValueError(
                f"A TFSMLayer loads a SavedModel, here {config.get('filepath')!r}, which runs whatever its author put "
                "there. If you trust the file and the SavedModel, load it with `safe_mode=False`, or call "
                "`polykeras.config.enable_unsafe_deserialization()`."
            )
        return cls(**config)
