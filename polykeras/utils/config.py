"""A dictionary of settings that are also attributes."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from difflib import get_close_matches
from typing import Any


class Config:
    """Named values that are read and set as attributes or items, and can be frozen and written as JSON.

    Args:
        **kwargs: the initial values.

    Example:
        >>> config = Config(learning_rate=0.1)
        >>> config.seed = 3
        >>> config["seed"], config.learning_rate
        (3, 0.1)
        >>> config.freeze()
        >>> config.frozen
        True
    """

    _config: dict[str, Any]
    _frozen: bool

    def __init__(self, **kwargs: Any) -> None:
        object.__setattr__(self, "_config", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether values cannot be changed."""
        return self._frozen

    def freeze(self) -> None:
        """Freeze the values: they cannot be changed any more."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Allow changes of values again."""
        object.__setattr__(self, "_frozen", False)

    def as_dict(self) -> dict[str, Any]:
        """Return a copy of the values as a dictionary."""
        return dict(self._config)

    def to_json(self) -> str:
        """Return the values as JSON."""
        return json.dumps(self._config)

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._config.keys()

    def values(self) -> ValuesView[Any]:
        """Return the values."""
        return self._config.values()

    def items(self) -> ItemsView[str, Any]:
        """Return pairs of a name and its value."""
        return self._config.items()

    def get(self, keyname: str, value: Any = None) -> Any:
        """Return the value of a name, or a default.

        Args:
            keyname: the name.
            value: the default.
        """
        return self._config.get(keyname, value)

    def pop(self, *args: Any) -> Any:
        """Remove a name and return its value, or a default given second. Raise if the config is frozen."""
        return self._changing().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several values; arguments are as for `dict.update`. Raise if the config is frozen."""
        self._changing().update(*args, **kwargs)

    def _changing(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError("The config is frozen: its values cannot be changed. Call `unfreeze()` first.")
        return self._config

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name) or name in type(self).__annotations__:
            raise AttributeError(f"{name!r} is a name of the class Config. Set it as an item: config[{name!r}] = ...")
        self._changing()[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_config", "_frozen"):  # `copy` asks for these before there are values
            raise AttributeError(name)
        if name in self._config:
            return self._config[name]
        near = get_close_matches(name, self._config, n=1, cutoff=0.7)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"Unknown attribute: {name!r}.{hint}")

    def __setitem__(self, key: str, item: Any) -> None:
        self._changing()[key] = item

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __delitem__(self, key: str) -> None:
        del self._changing()[key]

    def __contains__(self, item: object) -> bool:
        return item in self._config

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def __repr__(self) -> str:
        return f"<Config {self._config}>"
