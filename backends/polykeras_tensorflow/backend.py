"""The tensorflow backend, assembled from the families of the contract."""

from __future__ import annotations

from polykeras_tensorflow.importing import tf  # isort: skip  (before what imports TensorFlow itself)

from polykeras.backend import Backend, ExecutionPolicy
from polykeras_tensorflow.activations import TensorflowActivations
from polykeras_tensorflow.arrays import TensorflowArrays
from polykeras_tensorflow.autodiff import TensorflowAutodiff
from polykeras_tensorflow.collectives import TensorflowCollectives
from polykeras_tensorflow.control import TensorflowControl
from polykeras_tensorflow.convolution import TensorflowConvolution
from polykeras_tensorflow.elementwise import TensorflowElementwise
from polykeras_tensorflow.execution import TensorflowExecution, compile_batches
from polykeras_tensorflow.fourier import TensorflowFourier
from polykeras_tensorflow.framework import TensorflowFramework
from polykeras_tensorflow.indexing import TensorflowIndexing
from polykeras_tensorflow.linalg import TensorflowLinalg
from polykeras_tensorflow.native import NATIVE
from polykeras_tensorflow.normalization import TensorflowNormalization
from polykeras_tensorflow.random import TensorflowRandom
from polykeras_tensorflow.reduction import TensorflowReduction
from polykeras_tensorflow.shaping import TensorflowShaping


class TensorflowBackend(
    TensorflowArrays,
    TensorflowShaping,
    TensorflowIndexing,
    TensorflowElementwise,
    TensorflowReduction,
    TensorflowRandom,
    TensorflowLinalg,
    TensorflowFourier,
    TensorflowActivations,
    TensorflowConvolution,
    TensorflowNormalization,
    TensorflowAutodiff,
    TensorflowControl,
    TensorflowCollectives,
    TensorflowExecution,
    TensorflowFramework,
    Backend,
):
    """TensorFlow. Arrays are `tf.Tensor`s, eager or symbolic; compiled functions are graphs.

    Variables of polykeras hold plain tensors until TensorFlow's own code uses them as variables; see `native`.
    Everything also works inside a user's `tf.function`, as long as shapes are static there.
    """

    name = "tensorflow"
    version = tf.__version__
    execution = ExecutionPolicy(
        compiles=True,
        compiles_each_size=True,  # as XLA does
        compiles_calls=True,
        compile_batches=compile_batches,
    )
    native = NATIVE
