"""Model parallelism: the weights of a model, cut over devices."""

from __future__ import annotations

from typing import Any

from polykeras.backend import Backend
from polykeras.distribution.connections import connected, current_job
from polykeras.distribution.devices import get_device_count
from polykeras.distribution.meshes import LayoutMap, TensorLayout
from polykeras.distribution.strategies import Distribution


class ModelParallel(Distribution):
    """One model whose weights are cut over several devices, by a `LayoutMap`.

    Training, evaluation and predictions run so on the jax backend, on the devices of one or several processes, and on
    the torch backend, with a process for each device. A slot of an optimizer is cut like the weight that it belongs
    to. A batch is cut over the axis `batch_dim_name` of the devices where the size of that axis divides its rows. The
    losses are those of one device, but for rounding.

    Several processes call everything that reads weights together: `fit`, `predict`, `get_weights`, `save`. Worker 0
    writes the files.

    The layout of the path of a layer and `/output` is that of the layer's outputs.

    Args:
        layout_map: the layouts of the weights; the others are on all devices.
        batch_dim_name: the axis of the devices over which batches are cut; None takes the first one.
        auto_shard_dataset: whether each process takes its share of the batches of a data set.
        **kwargs: `device_mesh`, which is that of `layout_map`, and nothing else.

    Raises:
        ValueError: `layout_map` is none, `batch_dim_name` is no axis of its devices, or the processes cannot share the
            parts of a batch evenly.

    Example:
        On four devices, two parts of each batch, and a kernel in two parts:

        >>> import polykeras as keras
        >>> devices = [f"gpu:{i}" for i in range(4)]  # or `list_devices()`
        >>> mesh = keras.distribution.DeviceMesh((2, 2), ["batch", "model"], devices)
        >>> layouts = keras.distribution.LayoutMap(mesh)
        >>> layouts["wide/kernel"] = (None, "model")
        >>> layouts["wide/bias"] = ("model",)
        >>> parallel = keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")
        >>> wide = keras.layers.Dense(8, name="wide")
        >>> wide.build((None, 3))
        >>> [parallel.get_variable_layout(weight).axes for weight in wide.weights]
        [(None, 'model'), ('model',)]

        Then `keras.distribution.set_distribution(parallel)`, and `compile` and `fit` as always.
    """

    def __init__(
        self,
        *,
        layout_map: LayoutMap | None = None,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("device_mesh", None)
        if kwargs:
            raise TypeError(f"ModelParallel: unknown arguments: {', '.join(kwargs)}.")
        if not isinstance(layout_map, LayoutMap) or layout_map.device_mesh is None:
            raise ValueError(f"ModelParallel: `layout_map` must be a LayoutMap with devices; received {layout_map!r}.")
        mesh = layout_map.device_mesh
        if batch_dim_name is not None and batch_dim_name not in mesh.axis_names:
            raise ValueError(
                f"ModelParallel: expected `batch_dim_name` to be an axis of {mesh}; received {batch_dim_name!r}."
            )
        super().__init__(mesh, batch_dim_name or mesh.axis_names[0], auto_shard_dataset)
        self._layout_map = layout_map
        processes, parts = self.num_processes, self.num_model_replicas
        if processes > parts and processes % parts:
            raise ValueError(
                f"ModelParallel: expected that {processes} processes share the {parts} parts of a batch evenly. Choose "
                f"a device mesh whose axis {self.batch_dim_name!r} has a size that divides {processes}."
            )

    @property
    def num_model_replicas(self) -> int:
        """The number of copies of the model: the size of the axis over which batches are cut."""
        return self.device_mesh.shape[list(self.device_mesh.axis_names).index(self.batch_dim_name or "")]

    def get_variable_layout(self, variable: Any) -> TensorLayout:
        """Return the layout of a variable: that of its path, or all of it on all devices.

        A slot of an optimizer lies as the variable that it belongs to.
        """
        owner = variable
        while getattr(owner, "reference", None) is not None:
            owner = owner.reference
        found = self._layout_map[owner.path]
        return found if found is not None else TensorLayout([None] * len(variable.shape), self.device_mesh)

    @property
    def cuts_weights(self) -> bool:
        """Whether there are several devices."""
        return self.device_mesh.devices.size > 1

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """Return the layout of the path, or None."""
        return self._layout_map[path]

    def connect(self, backend: Backend) -> int:
        """Connect a backend. See `Distribution.connect`."""
        size, processes = self.device_mesh.devices.size, current_job().size
        if size == processes == 1:
            return 1
        if not backend.execution.lays_out:
            raise NotImplementedError(
                f"ModelParallel: on the {backend.name} backend, training cannot cut weights over several devices. Use "
                "the jax or the torch backend for that; or DataParallel, which has all weights on each device. Weights "
                "take less memory in half precision, or if they are quantized."
            )
        if processes > 1 or not backend.execution.several_devices:
            self._check_processes(backend, processes)
            connected(backend, cuts_weights=True)
        return 1

    def _check_processes(self, backend: Backend, processes: int) -> None:
        size = self.device_mesh.devices.size
        kind = str(self.device_mesh.devices.flat[0]).partition(":")[0]
        known = get_device_count(kind) if backend.execution.several_devices else processes
        if size != known:
            raise ValueError(
                f"ModelParallel: on the {backend.name} backend, expected a device mesh of all devices of the run, "
                f"{known} in {processes} processes; received {size} in {self.device_mesh}. Make it of "
                "`keras.distribution.list_devices()`, and start a process for each device: `torchrun "
                f"--nproc-per-node {max(size, processes)} train.py`, where the program calls "
                "`keras.distribution.initialize()` first."
            )
        if not self.auto_shard_dataset:
            raise ValueError(
                "ModelParallel: each process reads whole batches, of which it takes its part; received "
                "auto_shard_dataset=False. Leave it out, and give all processes the same data."
            )
