"""A SavedModel of TensorFlow as a layer."""

from __future__ import annotations

from typing import Any

from polykeras.backend import registry
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.saving.lambdas import refuse_code


@LAYERS.register()
class TFSMLayer(Layer):
    """A SavedModel of TensorFlow as a layer, on the tensorflow backend.

    The saved function reads the variables that were saved with it, which are this layer's weights. They are frozen: the
    function is a finished graph, of which nothing but its results takes part in a step of `fit`.

    Args:
        filepath: the folder of the SavedModel.
        call_endpoint: the name of the function to call: an attribute of what was saved, or one of its signatures.
        call_training_endpoint: that for calls with `training=True`; the same by default.
        trainable: kept for Keras code.
        name: see `Layer`.
        dtype: see `Layer`.

    Raises:
        NotImplementedError: the current backend is another one.
        ValueError: there is no such function.
    """

    def __init__(
        self,
        filepath: Any,
        call_endpoint: str = "serve",
        call_training_endpoint: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        home = registry.current().native_home
        if home is None or not home.loads_saved_models:
            raise NotImplementedError(
                f"TFSMLayer runs graphs of TensorFlow: the current backend is {registry.current().name}. Choose the "
                'tensorflow backend with `polykeras.set_backend("tensorflow")`.'
            )
        super().__init__(trainable=trainable, name=name, dtype=dtype)
        self.filepath = str(filepath)
        self.call_endpoint = call_endpoint
        self.call_training_endpoint = call_training_endpoint
        loaded = home.load_saved_model(self.filepath, [n for n in (call_endpoint, call_training_endpoint) if n])
        self._functions, self._loaded_variables = loaded.functions, loaded.variables
        self._reloaded_obj = loaded.saved
        self.built = True

    def call(self, inputs: Any, training: bool = False, **kwargs: Any) -> Any:
        name = (training and self.call_training_endpoint) or self.call_endpoint
        return self._functions[name](inputs, **kwargs)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return the layer, which loads its SavedModel.

        Raises:
            ValueError: code in files is refused: a SavedModel is a program.
        """
        refuse_code(f"a SavedModel, {config.get('filepath')!r}")
        return super().from_config(config)
