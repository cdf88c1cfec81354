"""The backend contract, the registry and the current choice. `polykeras.backend.backend()` is its name."""

from polykeras.backend.base import Backend
from polykeras.backend.registry import (
    BackendInfo,
    Provider,
    backend,
    backends,
    current,
    set_backend,
    use_backend,
)
from polykeras.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from polykeras.dtypes import result_type, standardize_dtype

__all__ = [
    "Backend",
    "BackendInfo",
    "Provider",
    "backend",
    "backends",
    "current",
    "epsilon",
    "floatx",
    "image_data_format",
    "result_type",
    "set_backend",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
    "use_backend",
]
