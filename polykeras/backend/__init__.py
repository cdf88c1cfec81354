"""The backend contract, the registry and the current choice. `polykeras.backend.backend()` is its name."""

from polykeras.backend.base import Backend
from polykeras.backend.registry import (
    BackendInfo,
    Provider,
    backend,
    backends,
    current,
    set_backend,
    set_matmul_precision,
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
from polykeras.dtypes import is_float as is_float_dtype
from polykeras.dtypes import is_int as is_int_dtype
from polykeras.dtypes import result_type, standardize_dtype
from polykeras.naming import reset_names as clear_session

__all__ = [
    "Backend",
    "BackendInfo",
    "Provider",
    "backend",
    "backends",
    "clear_session",
    "current",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "result_type",
    "set_backend",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_matmul_precision",
    "standardize_dtype",
    "use_backend",
]
