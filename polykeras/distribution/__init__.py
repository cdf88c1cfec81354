"""Training by several processes and devices as one run: `initialize`, `set_distribution`, then `fit` as always."""

from polykeras.distribution.connections import initialize
from polykeras.distribution.devices import get_device_count, list_devices
from polykeras.distribution.meshes import DeviceMesh, LayoutMap, TensorLayout
from polykeras.distribution.model_parallel import ModelParallel
from polykeras.distribution.placing import distribute_tensor
from polykeras.distribution.strategies import DataParallel, distribution, set_distribution

__all__ = [
    "DataParallel",
    "DeviceMesh",
    "LayoutMap",
    "ModelParallel",
    "TensorLayout",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
]
