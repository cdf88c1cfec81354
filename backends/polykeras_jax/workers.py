"""The devices of all workers as one mesh, and programs that run on all of them together.

Each process has arrays of its own devices. A program of all workers takes global arrays, which are made of the local
ones without a copy, and its results become local arrays again. Only `layouts.py` gives global arrays to other modules.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from polykeras.backend.job import WorkerLost
from polykeras_jax.private import forget_connection
from polykeras_jax.traces import traced_with

AXIS = "workers"
_SAME, _OWN = PartitionSpec(), PartitionSpec(AXIS)


class Group:
    """The workers of a run: the devices of all its processes.

    Args:
        devices: the devices of all workers, in the order of their numbers.
        timeout: seconds after which a worker that does not answer counts as lost.

    Attributes:
        mesh: the devices, along the axis `AXIS`.
        local: those of this process.
        timeout: as given.
    """

    def __init__(self, devices: Sequence[Any], timeout: float) -> None:
        self.timeout = timeout
        self.mesh = Mesh(np.array(devices), (AXIS,))
        self.local = [device for device in devices if device.process_index == jax.process_index()]
        self._same = NamedSharding(self.mesh, _SAME)
        self._own = NamedSharding(self.mesh, _OWN)
        self._copies: dict[int, list[jax.Array]] = {}

    @property
    def size(self) -> int:
        """The number of workers."""
        return self.mesh.size

    def same(self, x: Any) -> Any:
        """Return the global array of a local one that has the same values in all processes."""
        if not isinstance(x, jax.Array):
            if not np.ndim(x):
                return x  # JAX gives a number to all devices, and keeps a Python number's weak type
            x = np.asarray(x)
        copies = [_on(device, x) for device in self.local]
        return jax.make_array_from_single_device_arrays(copies[0].shape, self._same, copies)

    def own(self, parts: Sequence[Any]) -> Any:
        """Return the global array of the arrays of all workers, one after another along the first axis.

        Args:
            parts: an array for each device of this process. Arrays without axes have the same value in all processes.
        """
        if not np.ndim(parts[0]):
            return self.same(parts[0])
        placed = [_on(device, part) for device, part in zip(self.local, parts, strict=True)]
        first, *others = placed[0].shape
        return jax.make_array_from_single_device_arrays((first * self.size, *others), self._own, placed)

    def data(self, x: Any) -> Any:
        """Return the global array of data of this process, which each of its devices has."""
        devices = len(self.local)
        if devices == 1 or not isinstance(x, jax.Array):
            return self.own([x] * devices)
        copies = self._copies.get(id(x))
        if copies is None:  # data are copied once, not for each chunk
            copies = self._copies[id(x)] = [_on(device, x) for device in self.local[1:]]
            weakref.finalize(x, self._copies.pop, id(x), None)
        return self.own([x, *copies])

    def rows(self, x: Any, axis: int = 0) -> Any:
        """Return the global array of this process's rows, along `axis`: its device `d` of `D` has the rows `d::D`.

        Raises:
            ValueError: the devices would have different numbers of rows.
        """
        devices = len(self.local)
        if devices == 1 or not np.ndim(x):
            return self.own([x] * devices)
        if x.shape[axis] % devices:
            raise ValueError(
                f"Expected rows for each of the {devices} devices of this process; received {x.shape[axis]} rows. "
                f"Give a multiple of {devices}."
            )
        return self.own([x[(slice(None),) * axis + (slice(d, None, devices),)] for d in range(devices)])

    def over_all(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Return `fn`, for tracing, as a part of a program of all workers.

        Each worker runs `fn` on its part of the arguments. The first has the same values on all workers.
        """
        part = traced_with(fn, in_workers=True)

        def program(first: Any, *args: Any, **kwargs: Any) -> Any:
            own = jax.tree.map(lambda x: _OWN if np.ndim(x) else _SAME, (args, kwargs))
            whole = jax.shard_map(
                lambda first, others: part(first, *others[0], **others[1]),
                mesh=self.mesh,
                in_specs=(jax.tree.map(lambda _: _SAME, first), own),
                out_specs=_SAME,
                check_vma=False,  # the gradient of a sum is then a sum over workers
            )
            return whole(first, (args, kwargs))

        return program


@contextmanager
def lost_workers_named(timeout: float | None = None) -> Iterator[None]:
    """Raise the errors of the engine for sums as what they mean.

    Args:
        timeout: the seconds that the others had for an answer, for the message.

    Raises:
        WorkerLost: another worker ended or did not answer in time.
    """
    try:
        yield
    except (ValueError, jax.errors.JaxRuntimeError) as error:
        if "Gloo" not in str(error):
            raise
        forget_connection()
        limit = "in time" if timeout is None else f"within {timeout:g} s"
        raise WorkerLost(
            f"Another worker ended, or did not answer {limit}. Its own output says why. Start all workers again; the "
            f"callback `BackupAndRestore` goes on from its last backup. ({error})"
        ) from error


def meet(mesh: Mesh, timeout: float | None = None) -> None:
    """Add up over each set of axes of devices for the first time, which connects them. All processes must call this.

    A program that did so would wait only 30 s for the others (jax 0.10), and one may take longer to compile it.

    Args:
        mesh: the devices.
        timeout: as in `lost_workers_named`.

    Raises:
        WorkerLost: another worker ended or did not answer in time.
    """
    shape = mesh.devices.shape
    ones = jax.make_array_from_callback(
        shape, NamedSharding(mesh, PartitionSpec(*mesh.axis_names)), lambda index: np.ones(shape, np.int32)[index]
    )
    with lost_workers_named(timeout):
        for count in range(1, len(shape) + 1):
            for axes in combinations(range(len(shape)), count):
                jax.block_until_ready(jax.jit(lambda x, axes=axes: x.sum(axes))(ones))


def of_this_process(x: Any) -> Any:
    """Return the local array of a global one."""
    return x.addressable_data(0)


def _on(device: Any, x: Any) -> jax.Array:
    """Return `x` on a device, without a copy if it is there."""
    return x if isinstance(x, jax.Array) and x.devices() == {device} else jax.device_put(x, device)
