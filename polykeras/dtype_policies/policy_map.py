"""A map of dtype policies for the layers of a model."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from polykeras.dtype_policies.lookup import get
from polykeras.dtype_policies.policy import MAPS, DTypePolicy
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object


@MAPS.register()
class DTypePolicyMap(DTypePolicy, MutableMapping[str, DTypePolicy]):
    """A policy for each layer, found by matching its path with patterns.

    Args:
        default_policy: the policy of layers that match no pattern; by default the global one.
        policy_map: a dict that maps regular expressions to policies; an expression must match a whole path.

    Raises:
        ValueError: the default policy is a map.
        TypeError: `policy_map` is not a dict.
    """

    def __init__(self, default_policy: Any = None, policy_map: dict[str, DTypePolicy] | None = None) -> None:
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("DTypePolicyMap: the default policy cannot be a map itself.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(f"DTypePolicyMap: `policy_map` must be a dict; received {policy_map!r}.")
        self._given = default_policy
        self._default_policy = get(default_policy)
        self._policy_map = {} if policy_map is None else policy_map

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of layers that match no pattern."""
        return self._default_policy

    @property
    def name(self) -> str:
        """The name of the default policy after `"map_"`."""
        return f"map_{self._default_policy.name}"

    @property
    def compute_dtype(self) -> str:
        """The compute dtype of the default policy."""
        return self._default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The variable dtype of the default policy."""
        return self._default_policy.variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        """The quantization mode of the default policy."""
        return self._default_policy.quantization_mode

    def __getitem__(self, key: str) -> DTypePolicy:
        if key in self._policy_map:
            return self._policy_map[key]
        fitting = [pattern for pattern in self._policy_map if re.fullmatch(pattern, key)]
        if len(fitting) > 1:
            raise ValueError(f"DTypePolicyMap: several patterns match the layer {key!r}: {fitting}. Keep one.")
        return self._policy_map[fitting[0]] if fitting else self._default_policy

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._policy_map:
            raise ValueError(f"DTypePolicyMap: {key!r} has a policy already: {self._policy_map[key]!r}.")
        self._policy_map[key] = get(policy)

    def __delitem__(self, key: str) -> None:
        del self._policy_map[key]

    def __contains__(self, key: object) -> bool:
        return key in self._policy_map

    def __len__(self) -> int:
        return len(self._policy_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policy_map)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        names = {pattern: policy.name for pattern, policy in self._policy_map.items()}
        return f"<DTypePolicyMap default_policy={self._default_policy.name}, {names}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DTypePolicyMap):
            return False
        return self._default_policy == other._default_policy and self._policy_map == other._policy_map

    __hash__ = object.__hash__

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data."""
        return {
            "default_policy": serialize_keras_object(self._given),
            "policy_map": serialize_keras_object(self._policy_map),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicyMap:
        """Return the map that a config describes."""
        return cls(**{name: deserialize_keras_object(value) for name, value in config.items()})
