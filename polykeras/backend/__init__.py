"""The backend contract, the registry and the current choice. `polykeras.backend.backend()` returns its name."""

from typing import TYPE_CHECKING

from polykeras.backend.base import Backend
from polykeras.backend.execution_policy import ExecutionPolicy
from polykeras.backend.info import BackendInfo, backends
from polykeras.backend.providers import Provider
from polykeras.backend.registry import (
    backend,
    current,
    set_backend,
    set_matmul_precision,
    use_backend,
)
from polykeras.common.lazy import lazy_names
from polykeras.common.naming import clear_session, get_uid
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

if TYPE_CHECKING:
    from polykeras.graph import is_keras_tensor as is_keras_tensor
    from polykeras.variables import Variable as Variable

__all__ = [
    "Backend",
    "BackendInfo",
    "ExecutionPolicy",
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

# Functions of Keras 2's backend, `K.sum` and the like, loaded when one is first used.
_ARRAYS = """
    arange batch_flatten cast cast_to_floatx concatenate constant count_params dtype expand_dims flatten gather
    identity int_shape is_sparse ndim one_hot ones_like permute_dimensions repeat repeat_elements reshape reverse
    shape squeeze stack stop_gradient tile to_dense transpose zeros_like
"""
_MATH = """
    abs all any argmax argmin batch_dot clip cos cumprod cumsum dot equal exp greater greater_equal l2_normalize
    less less_equal log logsumexp max maximum mean min minimum not_equal pow prod round sign sin sqrt square std sum
    var
"""
_NETWORKS = """
    batch_normalization bias_add dropout elu hard_sigmoid in_top_k random_bernoulli random_normal random_uniform
    relu rnn sigmoid softmax softplus softsign tanh truncated_normal
"""
_LOSSES = """
    binary_crossentropy binary_focal_crossentropy categorical_crossentropy categorical_focal_crossentropy
    ctc_batch_cost ctc_decode sparse_categorical_crossentropy
"""
_CONTROL = "foldl foldr map_fn switch"
_WINDOWS = """
    conv1d conv2d conv2d_transpose conv3d depthwise_conv2d pool2d pool3d resize_images resize_volumes
    separable_conv2d spatial_2d_padding spatial_3d_padding temporal_padding
"""
_VARIABLES = """
    batch_get_value batch_set_value eval eye get_value moving_average_update ones random_normal_variable
    random_uniform_variable set_value update update_add update_sub variable zeros
"""
_STATE = """
    ctc_label_dense_to_sparse function gradients image_dim_ordering in_test_phase in_train_phase learning_phase
    name_scope placeholder reset_uids set_image_dim_ordering set_learning_phase
"""
LATER: dict[str, str] = {"is_keras_tensor": "polykeras.graph", "Variable": "polykeras.variables"} | {
    name: f"polykeras.legacy.backend_{family}"
    for family, names in (
        ("arrays", _ARRAYS),
        ("math", _MATH),
        ("control", _CONTROL),
        ("nn", _NETWORKS),
        ("losses", _LOSSES),
        ("windows", _WINDOWS),
        ("variables", _VARIABLES),
        ("state", _STATE),
    )
    for name in names.split()
}
LATER |= dict.fromkeys(("get_session", "set_session"), "polykeras.legacy.gone")
__getattr__, __dir__ = lazy_names(__name__, LATER)
