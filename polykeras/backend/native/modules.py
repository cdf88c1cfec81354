"""Modules: a framework's own layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class NativeModules:
    """How a framework's modules take part in layers, and layers in modules.

    Attributes:
        base_class: the framework's class of modules as a base of layers. All layers get it when the backend is loaded.
        attribute_types: types of the framework that become layers or variables when they are set as attributes of one.
        wrapper_name: the name of the layer that is put around a module.
    """

    base_class: type
    attribute_types: tuple[type, ...] = ()
    wrapper_name: str = ""

    def unpack_container(self, part: Any) -> Any:
        """Return the list or dict for a container of modules; anything else as it is."""
        raise NotImplementedError

    def get_arrays(self, module: Any) -> dict[str, Any]:
        """Return the parameters and other arrays of a module, by name.

        Raises:
            ValueError: the module does not know the shapes of its parameters yet.
        """
        raise NotImplementedError

    def get_trainable_names(self, module: Any) -> set[str]:
        """Return the names of the arrays that a module trains."""
        raise NotImplementedError

    def get_saved_names(self, module: Any) -> set[str]:
        """Return the names of the arrays that files hold."""
        raise NotImplementedError

    def find_layers(self, module: Any) -> list[Any]:
        """Return the layers of polykeras in a module."""
        raise NotImplementedError

    def serialize(self, module: Any) -> bytes:
        """Return a module as a pickle."""
        raise NotImplementedError

    def deserialize(self, data: bytes) -> Any:
        """Return the module of a pickle. A pickle may run any code: it must be trusted."""
        raise NotImplementedError

    def call(
        self,
        module: Any,
        values: Mapping[str, Any] | None,
        training: bool | None,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> tuple[Any, dict[str, Any]]:
        """Call a module.

        Args:
            module: the module.
            values: arrays to use in place of its own, by name; None to use its own.
            training: whether it trains; None for the mode in which it is.
            args: of the call.
            kwargs: of the call.

        Returns:
            The outputs, and new values of those of `values` that the call changed.
        """
        raise NotImplementedError
