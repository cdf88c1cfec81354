"""Each worker lays an array out over the devices of both, and prints what it has of it."""

from __future__ import annotations

from typing import Any

import numpy as np

import polykeras as keras
from helpers.workers import tell
from polykeras.backend import registry
from polykeras.distribution.connections import current_job


def part(x: Any) -> list[Any]:
    """Return what this process has of an array: JAX's shards, or of PyTorch a DTensor's local tensor or a plain one."""
    if hasattr(x, "addressable_shards"):
        return np.asarray(x.addressable_shards[0].data).tolist()
    return np.asarray(x.to_local() if hasattr(x, "to_local") else x).tolist()


def main() -> None:
    keras.distribution.initialize()
    backend, api = registry.current(), keras.distribution
    mesh = api.DeviceMesh((1, 2), ["batch", "model"])
    x = backend.asarray(np.arange(8, dtype="float32").reshape(4, 2))
    found: list[Any] = []
    try:
        for axes in (("model", None), (None, "model"), ("batch",)):
            laid_out = api.distribute_tensor(x, api.TensorLayout(axes, mesh))
            found.append([list(backend.shape(laid_out)), part(laid_out)])
        whole = api.distribute_tensor(x, api.TensorLayout(("model", None), mesh))
        found.append(part(api.distribute_tensor(keras.ops.add(whole, 1.0), api.TensorLayout((), mesh))))
    except NotImplementedError as error:
        found.append(str(error))
    tell(current_job().rank, found)


main()
