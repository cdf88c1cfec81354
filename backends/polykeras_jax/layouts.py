"""Arrays that lie on several devices, as JAX shards them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from polykeras.backend.families.layouts import Layouts
from polykeras.backend.spec import Array


def _devices_of_all(kind: str) -> list[Any]:
    """Return the devices of all processes, in the order of the processes."""
    try:
        return [d for process in range(jax.process_count()) for d in jax.local_devices(process, backend=kind)]
    except RuntimeError:  # JAX has no such kind
        return []


def _device(name: str) -> Any:
    kind, _, number = name.lower().partition(":")
    known = _devices_of_all(kind)
    place = int(number or 0)
    if place >= len(known):
        names = [f"{kind}:{i}" for i in range(len(known))]
        raise ValueError(f"The jax backend has no device {name!r}. Of this kind it has: {', '.join(names) or 'none'}.")
    return known[place]


@lru_cache
def _sharding(
    names: tuple[str, ...], shape: tuple[int, ...], axis_names: tuple[str, ...], axes: tuple[str | None, ...]
) -> NamedSharding:
    devices = np.array([_device(name) for name in names], dtype=object).reshape(shape)
    return NamedSharding(Mesh(devices, axis_names), PartitionSpec(*axes))


class JaxLayouts(Layouts):
    """See `polykeras.backend.families.layouts`."""

    def lay_out(self, x: Array, devices: np.ndarray, axis_names: Sequence[str], axes: Sequence[str | None]) -> Array:
        sharding = _sharding(tuple(map(str, devices.flat)), devices.shape, tuple(axis_names), tuple(axes))
        if isinstance(x, Tracer):
            return lax.with_sharding_constraint(x, sharding)
        if x.sharding.is_equivalent_to(sharding, x.ndim):
            return x
        if sharding.is_fully_addressable:
            return jax.device_put(x, sharding)
        if not x.is_fully_addressable:
            return jax.jit(lambda whole: whole, out_shardings=sharding)(x)
        # `device_put` of an array on a device makes one whose parts cannot be read (jax 0.10); one of the host works.
        host = np.asarray(x)
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])
