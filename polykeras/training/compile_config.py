"""What `compile` was told, as plain data: it is saved with the model, and compiles one that is loaded."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from polykeras.common.naming import are_ours
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object


class CompileConfig:
    """The arguments of `compile`, for a class that has it."""

    name: str
    compiled: bool
    optimizer: Any
    compile: Callable[..., None]
    _compile_arguments: dict[str, Any]

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return what `compile` was told, as plain data; None where it was not called."""
        if not self.compiled:
            return None
        told = dict(self._compile_arguments, optimizer=self.optimizer)
        del told["auto_scale_loss"]  # the optimizer shows it
        if told["steps_per_execution"] == "auto":  # a word that Keras has not
            del told["steps_per_execution"]
        return {name: serialize_keras_object(value) for name, value in told.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` gave, here or in Keras.

        A model with a `compile` of its own has these methods of its own too, or is compiled by hand after loading.
        """
        if not are_ours(self, "compile"):
            warnings.warn(
                f"{type(self).__name__} has its own `compile` and was not compiled: call `compile`, or give the class "
                "`get_compile_config` and `compile_from_config`.",
                stacklevel=2,
            )
            return
        told = deserialize_keras_object(config)
        if told.get("steps_per_execution") == 1:  # Keras's default, where ours is to choose
            del told["steps_per_execution"]
        self.compile(**told)

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"Model {self.name!r} must be compiled before `{method}`: call "
                "`model.compile(optimizer=..., loss=...)` first."
            )

    @property
    def loss(self) -> Any:
        """The loss as given to `compile`."""
        return self._compile_arguments.get("loss")
