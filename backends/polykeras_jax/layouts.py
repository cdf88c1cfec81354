"""Arrays that lie on several devices, as JAX shards them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from polykeras.backend.families.layouts import Layouts
from polykeras.backend.spec import Array
from polykeras_jax.workers import lost_workers_named, meet, of_this_process


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
def _mesh(names: tuple[str, ...], shape: tuple[int, ...], axis_names: tuple[str, ...]) -> Mesh:
    devices = [_device(name) for name in names]
    mesh = Mesh(np.array(devices, dtype=object).reshape(shape), axis_names)
    processes = {device.process_index for device in devices}
    if len(processes) > 1 and jax.process_index() in processes:
        meet(mesh)
    return mesh


@lru_cache
def _sharding(
    names: tuple[str, ...], shape: tuple[int, ...], axis_names: tuple[str, ...], axes: tuple[str | None, ...]
) -> NamedSharding:
    return NamedSharding(_mesh(names, shape, axis_names), PartitionSpec(*axes))


@lru_cache
def _laying_out(sharding: NamedSharding) -> Callable[[Array], Array]:
    """Return a program that lays an array out anew. All processes run it together."""
    return lost_workers_named()(jax.jit(lambda x: x, out_shardings=sharding))


def whole(x: Array) -> Array:
    """Return an array of this process with all values of one whose parts other processes may have.

    If they have, all processes must call this. What is no array of JAX is returned as it is.
    """
    if not isinstance(x, jax.Array) or x.is_fully_addressable:
        return x
    if not x.is_fully_replicated:
        sharding: Any = x.sharding
        x = _laying_out(NamedSharding(sharding.mesh, PartitionSpec()))(x)
    return of_this_process(x)


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
            return _laying_out(sharding)(x)
        # `device_put` of an array on a device makes one whose parts cannot be read (jax 0.10); one of the host works.
        host = np.asarray(x)
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])
