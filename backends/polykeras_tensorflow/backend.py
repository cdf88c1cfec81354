"""TensorFlow behind the contract: the import, the devices, and the class put together from its families."""

# ruff: noqa: E402 (the environment is prepared before TensorFlow is imported)

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

# TensorFlow greets its user with pages of log lines; "2" keeps errors. A value set outside wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# At its import TensorFlow imports Keras, where that is installed, and does without where not. Nothing here needs
# it, and it takes longer than TensorFlow: it is hidden for that moment. `tf.keras` still loads when it is first used.
_hide_keras = "tensorflow" not in sys.modules and "keras" not in sys.modules
if _hide_keras:
    sys.modules["keras"] = None  # type: ignore[assignment]
try:
    import tensorflow as tf
finally:
    if _hide_keras:
        del sys.modules["keras"]

from polykeras.backend.dispatch import Handle
from polykeras.backend.native_location import ADOPTIONS
from polykeras_tensorflow.arrays import TensorflowArrays
from polykeras_tensorflow.autodiff import TensorflowAutodiff
from polykeras_tensorflow.checkpoints import accept_ours
from polykeras_tensorflow.control import TensorflowControl
from polykeras_tensorflow.elementwise import TensorflowElementwise
from polykeras_tensorflow.execution import TensorflowExecution
from polykeras_tensorflow.fourier import TensorflowFourier
from polykeras_tensorflow.indexing import TensorflowIndexing
from polykeras_tensorflow.linalg import TensorflowLinalg
from polykeras_tensorflow.native import TensorflowNative
from polykeras_tensorflow.native_adopted import ADOPTION
from polykeras_tensorflow.nn import TensorflowNeural
from polykeras_tensorflow.normalization import TensorflowNormalization
from polykeras_tensorflow.private import leave_to_python
from polykeras_tensorflow.random import TensorflowRandom
from polykeras_tensorflow.reduction import TensorflowReduction
from polykeras_tensorflow.shaping import TensorflowShaping


class TensorflowBackend(
    TensorflowArrays,
    TensorflowAutodiff,
    TensorflowElementwise,
    TensorflowShaping,
    TensorflowReduction,
    TensorflowIndexing,
    TensorflowLinalg,
    TensorflowFourier,
    TensorflowNeural,
    TensorflowNormalization,
    TensorflowRandom,
    TensorflowControl,
    TensorflowExecution,
):
    """TensorFlow: arrays are `tf.Tensor`, eager or symbolic; compiled functions are graphs.

    Variables of polykeras are plain tensors, until TensorFlow's own code looks at them; see `native`. Everything works
    inside a user's `tf.function` too, as long as shapes are static there.
    """

    name: ClassVar[str] = "tensorflow"
    version: ClassVar[str] = tf.__version__
    compiles_calls = True
    compiles_each_size = True  # XLA does
    native = TensorflowNative()

    def __init__(self) -> None:
        for gpu in tf.config.list_physical_devices("GPU"):
            # Without growth TensorFlow takes all memory of a GPU at once, and torch and JAX find none.
            with suppress(RuntimeError):  # the device is in use already: the user has chosen
                tf.config.experimental.set_memory_growth(gpu, True)

    def foreign(self, framework: str, wanted_by: str) -> Any:
        if framework != self.name:
            return super().foreign(framework, wanted_by)
        from polykeras_tensorflow import foreign

        return foreign

    def set_matmul_precision(self, precision: str | None) -> None:
        tf.config.experimental.enable_tensor_float_32_execution(precision == "high")


ADOPTIONS.append(ADOPTION)
accept_ours()

# In a user's `tf.function` autograph would rewrite our code too, and fail at some of it. Keras's it leaves alone.
leave_to_python("polykeras", "polykeras_tensorflow")


def _convert_handle(handle: Handle, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> tf.Tensor:
    return tf.convert_to_tensor(handle.value, dtype, name=name)


# Without this TensorFlow's operators and functions would take a variable for a NumPy array: a constant, without a
# gradient.
tf.register_tensor_conversion_function(Handle, _convert_handle)


def _giving_way(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a binary operator of tensors that leaves polykeras's variables to their own operators."""

    @functools.wraps(operator)
    def method(self: Any, other: Any) -> Any:
        return NotImplemented if isinstance(other, Handle) else operator(self, other)

    return method


# Those promote dtypes; TensorFlow's refuse a float beside an int, some of them in a way that no `__radd__` is asked.
for _name in (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lt", "le", "gt", "ge",
    "eq", "ne",
):  # fmt: skip
    setattr(tf.Tensor, f"__{_name}__", _giving_way(getattr(tf.Tensor, f"__{_name}__")))
