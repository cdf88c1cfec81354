"""The JAX backend: all families of the contract combined."""

from __future__ import annotations

import jax

from polykeras.backend import Backend, ExecutionPolicy
from polykeras_jax.activations import JaxActivations
from polykeras_jax.arrays import JaxArrays
from polykeras_jax.attention import JaxAttention
from polykeras_jax.autodiff import JaxAutodiff
from polykeras_jax.collectives import JaxCollectives
from polykeras_jax.control import JaxControl
from polykeras_jax.convolution import JaxConvolution
from polykeras_jax.elementwise import JaxElementwise
from polykeras_jax.execution import JaxExecution, compile_batches
from polykeras_jax.fourier import JaxFourier
from polykeras_jax.framework import JaxFramework
from polykeras_jax.indexing import JaxIndexing
from polykeras_jax.layouts import JaxLayouts
from polykeras_jax.linalg import JaxLinalg
from polykeras_jax.native import NATIVE
from polykeras_jax.random import JaxRandom
from polykeras_jax.reduction import JaxReduction
from polykeras_jax.shaping import JaxShaping


class JaxBackend(
    JaxArrays,
    JaxShaping,
    JaxIndexing,
    JaxElementwise,
    JaxReduction,
    JaxRandom,
    JaxLinalg,
    JaxFourier,
    JaxActivations,
    JaxAttention,
    JaxConvolution,
    JaxAutodiff,
    JaxControl,
    JaxCollectives,
    JaxLayouts,
    JaxExecution,
    JaxFramework,
    Backend,
):
    """JAX behind the contract.

    Nothing in `jax.config` that changes numbers on a CPU is set: 64-bit dtypes and the platform are the user's choice.
    """

    name = "jax"
    version = jax.__version__
    execution = ExecutionPolicy(
        compiles=True,
        compiles_each_size=True,
        compiles_calls=True,
        several_devices=True,
        lays_out=True,
        donates=True,
        compile_batches=compile_batches,
    )
    native = NATIVE
