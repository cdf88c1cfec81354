"""Automatic configs: the arguments of an object are read back from its attributes."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, Self

from polykeras.common.naming import is_ours
from polykeras.common.reads import Watched
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object


@cache
def init_parameters(cls: type) -> tuple[inspect.Parameter, ...]:
    """Return the parameters of the class's `__init__`, including those of bases if it passes `**kwargs` on."""
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        init = base.__dict__.get("__init__")
        if init is None or not issubclass(base, Configurable):  # a mixin takes none of them
            continue
        parameters = list(inspect.signature(init).parameters.values())[1:]
        for p in parameters:
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                found.setdefault(p.name, p)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return tuple(found.values())


@cache
def _known(cls: type) -> frozenset[str]:
    """Return the arguments that the nearest class of polykeras takes."""
    return frozenset(p.name for p in init_parameters(next(filter(is_ours, cls.__mro__))))


class Configurable(Watched):
    """Mixin of objects that a config describes.

    `get_config` takes each argument of `__init__` from the attribute of the same name, or, if there is none, from the
    arguments that were passed. Arguments that only a user's class has are taken from those that were passed, as in
    Keras. A class overrides `get_config` only if its config must say something else.

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
        """The arguments that `__init__` was given, by name. They are found only on demand."""
        args, kwargs = self._init_arguments
        _, *bound = inspect.signature(type(self).__init__).bind(self, *args, **kwargs).arguments.items()
        passed = dict(bound)
        passed.update(passed.pop("kwargs", {}))
        return passed

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data.

        Raises:
            NotImplementedError: if an argument is neither kept as an attribute nor plain data.
        """
        config: dict[str, Any] = {}
        for parameter in self._described():
            name = parameter.name
            if name in self._not_in_config:
                continue
            value = self._argument(parameter)
            if value is inspect.Parameter.empty:
                if self._writes_config():
                    continue  # the user's class has to write it
                raise NotImplementedError(
                    f"{type(self).__name__}.get_config: the argument `{name}` of `__init__` is not kept. Assign "
                    f"`self.{name} = {name}`, or write `get_config`."
                )
            try:
                config[name] = serialize_keras_object(value)
            except TypeError as error:
                raise NotImplementedError(f"{type(self).__name__}.get_config: the argument `{name}`: {error}") from None
        return config

    def _writes_config(self) -> bool:
        """Whether a user's class overrides `get_config`."""
        return not is_ours(type(self).get_config)

    def _described(self) -> tuple[inspect.Parameter, ...]:
        """The arguments that the config holds. A user's class that overrides `get_config` adds its own arguments."""
        cls = type(self)
        passed = () if self._writes_config() else self._passed()
        return tuple(p for p in init_parameters(cls) if p.name in _known(cls) or p.name in passed)

    def _argument(self, parameter: inspect.Parameter) -> Any:
        """The value of one argument, for the config."""
        name = parameter.name
        if name in _known(type(self)) and hasattr(self, name):
            return getattr(self, name)
        # Even if there is such an attribute: a user's class may have stored a converted argument there.
        return self._passed().get(name, parameter.default)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return an object from the result of `get_config`."""
        return cls(**{name: _argument_of(value) for name, value in config.items()})


def _argument_of(value: Any) -> Any:
    """Return the argument that a part of a config describes. A tuple, which no file holds, stays one."""
    return tuple(map(_argument_of, value)) if isinstance(value, tuple) else deserialize_keras_object(value)
