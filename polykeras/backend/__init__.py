"""The backend contract, the registry and the current choice. `polykeras.backend.backend()` is its name."""

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

# Functions of Keras 2's backend, `K.sum` and the like, loaded when one is used.
_ARRAYS = """
    abs all any arange argmax argmin batch_dot batch_flatten cast cast_to_floatx clip concatenate constant cos
    count_params cumprod cumsum dot dtype equal exp expand_dims flatten gather greater greater_equal
    identity int_shape is_sparse l2_normalize less less_equal log logsumexp max maximum mean min minimum
    ndim not_equal one_hot ones_like permute_dimensions pow prod repeat repeat_elements reshape reverse round
    shape sign sin sqrt square squeeze stack std stop_gradient sum tile to_dense transpose var zeros_like
"""
_NETWORKS = """
    batch_normalization bias_add binary_crossentropy binary_focal_crossentropy categorical_crossentropy
    categorical_focal_crossentropy ctc_batch_cost ctc_decode dropout elu hard_sigmoid in_top_k
    random_bernoulli random_normal random_uniform relu rnn sigmoid softmax softplus softsign
    sparse_categorical_crossentropy tanh truncated_normal
"""
_CONTROL = "foldl foldr map_fn switch"
_WINDOWS = """
    conv1d conv2d conv2d_transpose conv3d depthwise_conv2d pool2d pool3d resize_images resize_volumes
    separable_conv2d spatial_2d_padding spatial_3d_padding temporal_padding
"""
_STATE = """
    batch_get_value batch_set_value ctc_label_dense_to_sparse eval eye function get_value gradients
    image_dim_ordering in_test_phase in_train_phase learning_phase moving_average_update name_scope ones
    placeholder random_normal_variable random_uniform_variable reset_uids set_image_dim_ordering
    set_learning_phase set_value update update_add update_sub variable zeros
"""
LATER: dict[str, str] = {"is_keras_tensor": "polykeras.graph", "Variable": "polykeras.variables"} | {
    name: f"polykeras.legacy.backend_{room}"
    for room, names in (
        ("arrays", _ARRAYS),
        ("control", _CONTROL),
        ("nn", _NETWORKS),
        ("windows", _WINDOWS),
        ("state", _STATE),
    )
    for name in names.split()
}
LATER |= dict.fromkeys(("get_session", "set_session"), "polykeras.legacy.gone")
__getattr__, __dir__ = lazy_names(__name__, LATER)
