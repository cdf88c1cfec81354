"""Configs without writing any: an object's arguments are read back from its attributes."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, Self

from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object


@cache
def init_parameters(cls: type) -> tuple[inspect.Parameter, ...]:
    """Return the parameters of the class's `__init__`, bases included where it passes `**kwargs` on."""
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        init = base.__dict__.get("__init__")
        if init is None:
            continue
        parameters = list(inspect.signature(init).parameters.values())[1:]
        for p in parameters:
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                found.setdefault(p.name, p)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return tuple(found.values())


class Configurable:
    """Mixin of objects that a config describes.

    `get_config` takes each argument of `__init__` from the attribute of its name; where there is no such attribute,
    it takes what was passed. A class overrides it only where that is not what its config should say.

    Attributes:
        _not_in_config: arguments that the config leaves out.
    """

    _init_arguments: tuple[tuple[Any, ...], dict[str, Any]]
    _not_in_config: tuple[str, ...] = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        instance = super().__new__(cls)
        object.__setattr__(instance, "_init_arguments", (args, kwargs))
        return instance

    def _passed(self) -> dict[str, Any]:
        """The arguments that `__init__` was given, by name. Few objects are asked for them."""
        args, kwargs = self._init_arguments
        _, *bound = inspect.signature(type(self).__init__).bind(self, *args, **kwargs).arguments.items()
        passed = dict(bound)
        passed.update(passed.pop("kwargs", {}))
        return passed

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data.

        Raises:
            NotImplementedError: an argument is neither kept as an attribute nor plain data, and no class of someone
                else overrides this method.
        """
        config: dict[str, Any] = {}
        for parameter in init_parameters(type(self)):
            name = parameter.name
            if name in self._not_in_config:
                continue
            value = self._argument(parameter)
            if value is inspect.Parameter.empty:
                if self._writes_config():
                    continue
                raise NotImplementedError(
                    f"{type(self).__name__}.get_config: the argument `{name}` of `__init__` is not kept. Assign "
                    f"`self.{name} = {name}`, or write `get_config`."
                )
            try:
                config[name] = serialize_keras_object(value)
            except TypeError as error:
                if self._writes_config():
                    continue
                raise NotImplementedError(f"{type(self).__name__}.get_config: the argument `{name}`: {error}") from None
        return config

    def _writes_config(self) -> bool:
        """Whether a class of someone else writes `get_config`: it adds what the base cannot describe, as in Keras."""
        return type(self).get_config.__module__.partition(".")[0] != __name__.partition(".")[0]

    def _argument(self, parameter: inspect.Parameter) -> Any:
        """The value of one argument, for the config."""
        name = parameter.name
        return getattr(self, name) if hasattr(self, name) else self._passed().get(name, parameter.default)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return an object made from what `get_config` gave."""
        return cls(**{name: deserialize_keras_object(value) for name, value in config.items()})
