"""Finds dtype policies by name, dtype or config, and sets the default one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras import dtypes
from polykeras.dtype_policies.policy import POLICIES, DTypePolicy, dtype_policy, set_default
from polykeras.dtype_policies.quantized import (
    AWQDTypePolicy,
    GPTQDTypePolicy,
    Int4DTypePolicy,
    QuantizedDTypePolicy,
    QuantizedFloat8DTypePolicy,
)
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object


def _quantized(mode: str, source_name: str) -> DTypePolicy:
    if mode.startswith("int4/"):
        return Int4DTypePolicy(mode, source_name)
    kinds = {"float8": QuantizedFloat8DTypePolicy, "gptq": GPTQDTypePolicy, "awq": AWQDTypePolicy}
    return kinds.get(mode.partition("/")[0], QuantizedDTypePolicy)(mode, source_name)


def set_dtype_policy(policy: str | DTypePolicy | None) -> None:
    """Set the policy of layers that are not passed a `dtype`; None restores the default float dtype."""
    set_default(None if policy is None else get(policy))


def get(identifier: Any) -> DTypePolicy:
    """Return the policy for a name, a dtype, a config or a policy; for None, the global one."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        mode, quantized, source_name = identifier.partition("_from_")
        return _quantized(mode, source_name) if quantized else DTypePolicy(identifier)
    return DTypePolicy(dtypes.standardize_dtype(identifier))


def serialize(dtype_policy: DTypePolicy) -> Any:
    """Return the config of a policy."""
    return serialize_keras_object(dtype_policy)


def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the policy that a config describes.

    Args:
        config: the result of `serialize`.
        custom_objects: additional names that the config may use.
    """
    return deserialize_keras_object(config, custom_objects, default=POLICIES)
