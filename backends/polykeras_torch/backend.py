"""The torch backend: the families of the contract, put together."""

from __future__ import annotations

from typing import Any

import torch

from polykeras.backend import Backend
from polykeras_torch.arrays import UNSUPPORTED, TorchArrays
from polykeras_torch.autodiff import TorchAutodiff
from polykeras_torch.control import TorchControl
from polykeras_torch.elementwise import TorchElementwise
from polykeras_torch.execution import TorchExecution
from polykeras_torch.fourier import TorchFourier
from polykeras_torch.indexing import TorchIndexing
from polykeras_torch.linalg import TorchLinalg
from polykeras_torch.losses import TorchLosses
from polykeras_torch.native import TorchNative
from polykeras_torch.nn import TorchNeural
from polykeras_torch.normalization import TorchNormalization
from polykeras_torch.random import TorchRandom
from polykeras_torch.recurrence import TorchRecurrence
from polykeras_torch.reduction import TorchReduction
from polykeras_torch.shaping import TorchShaping


def _has_chosen_precision() -> bool:
    """Return whether somebody set how exactly products are computed, by the older interface of torch or the newer one.

    That convolutions may use TF32 cannot be told from what torch begins with, so that it does not count.
    """
    places: Any = torch.backends
    newer = (places, places.cuda.matmul, places.cudnn, places.mkldnn, *_parts(places.mkldnn, "matmul", "conv", "rnn"))
    if any(getattr(place, "fp32_precision", "none") != "none" for place in newer):
        return True
    return torch.get_float32_matmul_precision() != "highest"


def _parts(place: Any, *names: str) -> list[Any]:
    return [getattr(place, name) for name in names if hasattr(place, name)]


class TorchBackend(
    TorchArrays,
    TorchAutodiff,
    TorchElementwise,
    TorchShaping,
    TorchReduction,
    TorchIndexing,
    TorchLinalg,
    TorchFourier,
    TorchNeural,
    TorchRecurrence,
    TorchNormalization,
    TorchLosses,
    TorchRandom,
    TorchControl,
    TorchExecution,
    Backend,
):
    """Eager PyTorch: arrays are `torch.Tensor`s, on the GPU where there is one."""

    name = "torch"
    version = str(torch.__version__)
    native = TorchNative()

    def set_matmul_precision(self, precision: str | None) -> None:
        if precision is None and _has_chosen_precision():
            return
        exact = precision != "high"
        torch.set_float32_matmul_precision("highest" if exact else "high")
        torch.backends.cudnn.allow_tf32 = not exact  # of convolutions, which torch allows by default
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = not exact
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = not exact

    @property
    def unsupported_dtypes(self) -> dict[str, str]:
        return UNSUPPORTED
