"""What one device has of a variable."""

from __future__ import annotations

from typing import Any

from polykeras.backend import registry


def part(variable: Any) -> list[int]:
    """Return the shape of what one device has of a variable, in memory of its own."""
    value = variable.stored_value(registry.current())
    if hasattr(value, "to_local"):
        local = value.to_local()
        assert local.untyped_storage().nbytes() == local.nbytes, "it keeps the whole array"
        return list(local.shape)
    return list(value.addressable_shards[0].data.shape) if hasattr(value, "addressable_shards") else list(value.shape)
