"""The backend contract, the registry and the current choice. `polykeras.backend.backend()` is its name."""

from typing import TYPE_CHECKING

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
from polykeras.lazy import lazy_names
from polykeras.naming import clear_session, get_uid

if TYPE_CHECKING:
    from polykeras.graph import is_keras_tensor as is_keras_tensor

# Keras's name for what is on a higher floor.
__getattr__, __dir__ = lazy_names(__name__, {"is_keras_tensor": "polykeras.graph"})

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
    "get_uid",
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
