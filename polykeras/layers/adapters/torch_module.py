"""A module of PyTorch as a layer."""

from __future__ import annotations

import base64
from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np

from polykeras.backend import Backend, registry
from polykeras.backend.native import NativeModules
from polykeras.backend.symbolic import NeedsValues
from polykeras.common import nested
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.native.attributes import note_wrapper, variable_around
from polykeras.saving.lambdas import is_code_allowed
from polykeras.variables import Variable, is_functional
from polykeras.variables.native_parameters import bind_parameter, parameters_of

__all__ = ["TorchModuleWrapper"]


@LAYERS.register()
class TorchModuleWrapper(Layer):
    """A `torch.nn.Module` as a layer: its parameters and buffers are weights, trained and saved like those of layers.

    A module that is set as an attribute of a layer or model is wrapped in this layer automatically. The module's own
    parameters hold the values, so PyTorch code that has them sees what `fit` does, and the other way round. It needs
    the torch backend.

    Args:
        module: the module. A lazy one must have its parameters already.
        name: by default made from the class's name.
        output_shape: the shape of the outputs, with the batch axis, if it cannot be found by running the module.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: the module is a lazy one that was not called yet.

    Example:
        >>> import torch  # doctest: +SKIP
        >>> from polykeras import layers
        >>> layer = layers.TorchModuleWrapper(torch.nn.Linear(3, 2))  # doctest: +SKIP
        >>> layer(torch.ones(1, 3)).shape  # doctest: +SKIP
        torch.Size([1, 2])
    """

    _untracked = (*Layer._untracked, "module", "_native_variables")

    def __init__(self, module: Any, name: str | None = None, output_shape: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self._framework = registry.load("torch")
        held = self._native.get_arrays(module)
        trained = self._native.get_trainable_names(module)
        object.__setattr__(self, "module", module)  # as it is
        note_wrapper(module, self)
        self._native_variables: dict[str, Variable] = {
            key: variable_around(array, self._framework, key in trained, key) for key, array in held.items()
        }
        self._own_weights.extend(self._native_variables.values())
        self._inner = self._native.find_layers(module)
        self._given_shape = output_shape
        self._after_build()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Let the copy of the module hold the values of the copy's variables."""
        vars(self).update(state)
        note_wrapper(self.module, self)
        held = self._native.get_arrays(self.module)
        for key, variable in self._native_variables.items():
            value = variable.numpy()
            bind_parameter(variable, self._framework, held[key])
            parameters_of(self._framework).copy_into(held[key], self._framework.asarray(value))

    @property
    def _native(self) -> NativeModules:
        assert self._framework.native.modules is not None
        return self._framework.native.modules

    def __getattr__(self, name: str) -> Any:
        module = vars(self).get("module")
        if module is not None and not name.startswith("__") and hasattr(module, name):
            raise AttributeError(
                f"{self._title()} has no attribute {name!r}; the module in it does: `.module.{name}`. A module that is "
                "set as an attribute of a layer is put into a layer."
            )
        return super().__getattr__(name)

    # ---- as a module of torch ----------------------------------------------------------------------------------

    def native_children(self) -> dict[str, Any]:
        return {"module": self.module}

    def native_tensors(self, trainable: bool) -> dict[str, Any]:
        for variable in self._native_variables.values():
            if variable.location != "host" and not is_functional():
                variable.value  # noqa: B018  (back in the module again)
        return {}

    # ---- calling -----------------------------------------------------------------------------------------------

    def call(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Call the module.

        Args:
            *args: what the module takes.
            training: puts the module into training or evaluation mode for this call; None keeps its mode.
            **kwargs: further arguments of the module, by name.

        Returns:
            What the module returns.

        Raises:
            RuntimeError: the current backend is another one.
        """
        if not registry.current().holds_values:
            return self._on_shapes(args, kwargs)
        backend = self._current("call")
        if not is_functional():
            for variable in self._native_variables.values():
                variable.stored_value(backend)  # moves into the module, wherever it was
            return self._native.call(self.module, None, training, args, kwargs)[0]
        values = {name: variable.value for name, variable in self._native_variables.items()}
        outputs, changed = self._native.call(self.module, values, training, args, kwargs)
        for name, value in changed.items():
            self._native_variables[name].assign(value)
        return outputs

    def _current(self, what: str) -> Backend:
        backend = registry.current()
        if backend.native is not self._framework.native:
            raise RuntimeError(
                f"{self._title()} holds a module of {self._framework.name}, which the backend {backend.name} cannot "
                f"{what}: choose `polykeras.set_backend({self._framework.name!r})`. (A graph is made on any backend "
                "where the layer has an `output_shape`.)"
            )
        return backend

    def _on_shapes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return a symbolic output of the shape that was given.

        Raises:
            NeedsValues: no shape was given. Then the framework runs the module on arrays without values.
        """
        if self._given_shape is None:
            raise NeedsValues(f"{self._title()} runs a module of {self._framework.name}.")
        symbolic = registry.current()
        rows = symbolic.shape(nested.flatten((args, kwargs))[0])[:1]
        return symbolic.full((*rows, *self._given_shape[1:]), 0, self.compute_dtype)

    # ---- files -------------------------------------------------------------------------------------------------

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write parameters and buffers under their names in the module's `state_dict`."""
        for name, variable in self._saved().items():
            store[name] = variable.numpy()

    def _saved(self) -> dict[str, Variable]:
        kept = self._native.get_saved_names(self.module)
        return {name: variable for name, variable in self._native_variables.items() if name in kept}

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read what `save_own_variables` wrote.

        Raises:
            ValueError: `store` has other names or shapes.
        """
        own = self._saved()
        if set(store) != set(own):
            raise ValueError(f"{self._title()} has {sorted(own)}; received arrays for {sorted(store)}.")
        arrays = {name: np.asarray(store[name]) for name in own}
        for name, variable in own.items():
            if arrays[name].shape != variable.shape:
                raise ValueError(
                    f"{self._title()}: {name!r} has shape {variable.shape}; received {arrays[name].shape}."
                )
        for name, variable in own.items():
            variable.assign(arrays[name])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`, the module as a pickle of torch."""
        packed = base64.b64encode(self._native.serialize(self.module)).decode("ascii")
        config = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype_policy.name}
        return config | {"module": packed, "output_shape": self._given_shape}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None, safe_mode: bool | None = None
    ) -> Any:
        """Return the layer of a config. It unpickles the module, which is done only if the file is trusted.

        Args:
            config: what `get_config` gave.
            custom_objects: not used; kept for Keras code.
            safe_mode: whether to refuse; None: refuse unless unsafe loading was allowed, for the file or the process.

        Raises:
            ValueError: unsafe loading was not allowed.
        """
        if not isinstance(config.get("module"), str):
            return cls(**config)
        if safe_mode is not False and not is_code_allowed():
            raise ValueError(
                "A TorchModuleWrapper is loaded from a pickle, which runs whatever code its author put there. If you "
                "trust the file, load it with `safe_mode=False`, or call "
                "`polykeras.config.enable_unsafe_deserialization()`."
            )
        modules = registry.load("torch").native.modules
        assert modules is not None
        return cls(**config | {"module": modules.deserialize(base64.b64decode(config["module"]))})
