"""The torch backend, assembled from the families of the contract."""

from __future__ import annotations

import torch

from polykeras.backend import Backend, ExecutionPolicy
from polykeras_torch.activations import TorchActivations
from polykeras_torch.arrays import TorchArrays
from polykeras_torch.attention import TorchAttention
from polykeras_torch.autodiff import TorchAutodiff
from polykeras_torch.collectives import TorchCollectives
from polykeras_torch.control import TorchControl
from polykeras_torch.convolution import TorchConvolution
from polykeras_torch.elementwise import TorchElementwise
from polykeras_torch.execution import TorchExecution
from polykeras_torch.fourier import TorchFourier
from polykeras_torch.framework import TorchFramework
from polykeras_torch.indexing import TorchIndexing
from polykeras_torch.layouts import TorchLayouts
from polykeras_torch.linalg import TorchLinalg
from polykeras_torch.losses import TorchLosses
from polykeras_torch.native import NATIVE
from polykeras_torch.normalization import TorchNormalization
from polykeras_torch.private import can_record
from polykeras_torch.random import TorchRandom
from polykeras_torch.recurrence import TorchRecurrence
from polykeras_torch.reduction import TorchReduction
from polykeras_torch.shaping import TorchShaping

_RECORDS = can_record()  # warns if the release lacks a name that the recorder needs


class TorchBackend(
    TorchArrays,
    TorchShaping,
    TorchIndexing,
    TorchElementwise,
    TorchReduction,
    TorchRandom,
    TorchLinalg,
    TorchFourier,
    TorchActivations,
    TorchAttention,
    TorchConvolution,
    TorchNormalization,
    TorchRecurrence,
    TorchLosses,
    TorchAutodiff,
    TorchControl,
    TorchCollectives,
    TorchLayouts,
    TorchExecution,
    TorchFramework,
    Backend,
):
    """Eager PyTorch. Arrays are `torch.Tensor`s, on the GPU if there is one."""

    name = "torch"
    version = str(torch.__version__)
    execution = ExecutionPolicy(compiles=_RECORDS, donates=_RECORDS, lays_out=True)
    native = NATIVE
