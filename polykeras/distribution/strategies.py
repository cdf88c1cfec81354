"""How the training of a model is distributed over devices: the current distribution, and data parallelism."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from polykeras.backend import Backend, registry
from polykeras.distribution.connections import backends_of_parts, connected, current_job
from polykeras.distribution.devices import list_devices
from polykeras.distribution.meshes import DeviceMesh, TensorLayout

Dataset = TypeVar("Dataset")
_current: Distribution | None = None


class Distribution:
    """Base of the ways to distribute a training.

    Args:
        device_mesh: the devices.
        batch_dim_name: the name of the axis of the devices over which batches are cut.
        auto_shard_dataset: whether each process takes its share of the batches of a data set. False says that a data
            set has the share of the process already.

    Attributes:
        device_mesh: as given.
        batch_dim_name: as given.
        auto_shard_dataset: as given.
    """

    def __init__(
        self, device_mesh: DeviceMesh, batch_dim_name: str | None = None, auto_shard_dataset: bool = True
    ) -> None:
        self.device_mesh = device_mesh
        self.batch_dim_name = batch_dim_name
        self.auto_shard_dataset = auto_shard_dataset

    @property
    def num_processes(self) -> int:
        """The number of processes of the run."""
        return current_job().size

    @property
    def num_model_replicas(self) -> int:
        """The number of copies of the model, which is that of the parts of a batch."""
        raise NotImplementedError

    @property
    def cuts_weights(self) -> bool:
        """Whether weights are cut over devices, by `get_variable_layout`. Without that, each device has all weights."""
        return False

    @property
    def data_shard_id(self) -> int:
        """The number of the part of the data that this process reads."""
        processes_of_a_part = max(1, self.num_processes // self.num_model_replicas)
        return current_job().rank // processes_of_a_part

    def get_data_layout(self, data_shape: Sequence[int | None]) -> TensorLayout:
        """Return the layout of a batch: its first axis is cut.

        Args:
            data_shape: the shape of an array of the batch.
        """
        return TensorLayout([self.batch_dim_name, *[None] * (len(data_shape) - 1)], self.device_mesh)

    def get_variable_layout(self, variable: Any) -> TensorLayout:
        """Return the layout of a variable.

        Args:
            variable: a `Variable`, or what has its `shape` and `path`.
        """
        raise NotImplementedError

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """Return the layout of an array within a model; None, as here, to leave it where it is made.

        Args:
            path: the path of the operation that makes the array.
        """
        return None

    def distribute_dataset(self, dataset: Dataset) -> Dataset:
        """Return the data set as it is: `fit` itself takes the rows of this process from each batch.

        Args:
            dataset: anything that `fit` takes.
        """
        return dataset

    def connect(self, backend: Backend) -> int:
        """Connect a backend for a run that is distributed in this way. All processes must call this.

        Returns:
            The number of workers that share a batch, `backend.workers() * backend.local_workers()`; 1 if each process
            computes whole batches.

        Raises:
            ValueError: the backend cannot use these devices.
            NotImplementedError: training cannot be distributed in this way.
        """
        raise NotImplementedError

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Make this the current distribution within a `with` block."""
        before = distribution()
        set_distribution(self)
        try:
            yield
        finally:
            set_distribution(before)


class DataParallel(Distribution):
    """Copies of a model, each on a part of every batch. `batch_size` counts the rows of all parts together.

    A process has one worker on PyTorch, TensorFlow and NumPy, and one for each of its devices on JAX.

    Args:
        device_mesh: the devices, along one axis.
        devices: or their names. Without either, the devices are all of `list_devices()`.
        auto_shard_dataset: whether each process takes its share of the batches of a data set.

    Raises:
        ValueError: `device_mesh` is none.

    Example:
        >>> DataParallel(devices=["cpu:0"]).num_model_replicas
        1
    """

    def __init__(
        self,
        device_mesh: DeviceMesh | None = None,
        devices: Sequence[str] | None = None,
        auto_shard_dataset: bool = True,
    ) -> None:
        if device_mesh is None:
            names = np.array(devices if devices is not None and len(devices) else list_devices())
            device_mesh = DeviceMesh(names.shape, ["batch"], names)
        elif not isinstance(device_mesh, DeviceMesh):
            raise ValueError(f"DataParallel: `device_mesh` must be a DeviceMesh; received {device_mesh!r}.")
        super().__init__(device_mesh, device_mesh.axis_names[0], auto_shard_dataset)
        if device_mesh.devices.ndim != 1:
            warnings.warn(
                f"DataParallel: expected devices along one axis; received {device_mesh}. Batches are cut along the "
                f"first axis, {self.batch_dim_name!r}, in the layouts; training uses all devices.",
                stacklevel=2,
            )

    @property
    def num_model_replicas(self) -> int:
        """The number of copies of the model: one on each device."""
        return self.device_mesh.devices.size

    def get_variable_layout(self, variable: Any) -> TensorLayout:
        """Return the layout of a variable: all devices have all of it."""
        return TensorLayout([None] * len(variable.shape), self.device_mesh)

    def connect(self, backend: Backend) -> int:
        """Connect a backend. See `Distribution.connect`."""
        connected(backend, own_devices(self.device_mesh, backend))
        return backend.workers() * backend.local_workers()


def own_devices(mesh: DeviceMesh, backend: Backend) -> tuple[str, ...]:
    """Return the names of the devices of a grid that are in this process; none for the one that it uses by itself.

    Raises:
        ValueError: the backend cannot run on them.
    """
    job, names = current_job(), [str(name).lower() for name in mesh.devices.flat]
    each, rest = divmod(len(names), job.size)
    if rest or not each:
        raise ValueError(
            f"DataParallel: expected as many devices for each of the {job.size} processes; received {len(names)} in "
            f"all: {', '.join(names)}. Without arguments, DataParallel takes all devices."
        )
    here = backend.devices()
    if each == 1:
        if job.size == 1 and names[0] in here[1:]:
            raise ValueError(
                f"DataParallel: one process on one device trains on the one it uses by itself, {here[0]}; received "
                f"{names[0]}. Train within `with keras.device({names[0]!r}):`, without a distribution."
            )
        return ()
    if not backend.execution.several_devices:
        raise ValueError(
            f"DataParallel: on the {backend.name} backend, a process trains on one device; received {each} for this "
            f"process: {', '.join(names[job.rank * each :][:each])}. Start one process for each device: `torchrun "
            f"--nproc-per-node {each} train.py` does so for every backend, or give each process its TF_CONFIG. The "
            "program calls `keras.distribution.initialize()` first."
        )
    kind = names[0].partition(":")[0]
    count = sum(name.startswith(f"{kind}:") for name in here) if job.size > 1 else 0  # names count over all processes
    numbers = [int(name.partition(":")[2] or 0) for name in names[job.rank * each :][:each]]
    numbers = [number % count for number in numbers] if count else numbers
    return tuple(f"{kind}:{number}" for number in numbers)


def distribution() -> Distribution | None:
    """Return the current distribution, or None."""
    return _current


def set_distribution(value: Distribution | None) -> None:
    """Set how models are trained from now on.

    Args:
        value: a `DataParallel` or `ModelParallel`; None to train on one device, each process on its own.

    Raises:
        ValueError: it is something else, or the current backend cannot run on its devices.

    Example:
        >>> set_distribution(DataParallel(devices=["cpu:0"]))
        >>> distribution().num_model_replicas
        1
        >>> set_distribution(None)
    """
    global _current
    if value is not None and not isinstance(value, Distribution):
        raise ValueError(f"set_distribution: expected a DataParallel, a ModelParallel or None; received {value!r}.")
    if isinstance(value, DataParallel):
        own_devices(value.device_mesh, registry.current())
    _current = value


def weights_are_cut(backend: Backend | None = None) -> bool:
    """Return whether weights are, or may still be, cut over several processes.

    Then a process has parts of them, and all processes must take part where one is to read a whole weight. Weights
    stay cut when another distribution is set.

    Args:
        backend: whose arrays they are; None asks for any.
    """
    current = distribution()
    if current is not None and current.cuts_weights and current_job().size > 1:
        return True
    return bool(backends_of_parts()) if backend is None else backend in backends_of_parts()


def may_be_cut(variable: Any) -> bool:
    """Return whether processes may have parts of a variable, by its layout or by an earlier distribution."""
    current = distribution()
    if current is None or not current.cuts_weights:
        return weights_are_cut()
    return any(current.get_variable_layout(variable).axes)
