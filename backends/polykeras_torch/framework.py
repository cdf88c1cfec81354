"""Functions of this backend that concern PyTorch itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from polykeras.backend.families.framework import Framework


def _has_chosen_precision() -> bool:
    """Return whether the precision of products was set, by the older or the newer interface of torch.

    TF32 for convolutions is torch's default, so it does not count as set.
    """
    places: Any = torch.backends
    newer = (places, places.cuda.matmul, places.cudnn, places.mkldnn, *_parts(places.mkldnn, "matmul", "conv", "rnn"))
    if any(getattr(place, "fp32_precision", "none") != "none" for place in newer):
        return True
    return torch.get_float32_matmul_precision() != "highest"


def _parts(place: Any, *names: str) -> list[Any]:
    return [getattr(place, name) for name in names if hasattr(place, name)]


class TorchFramework(Framework):
    """Settings and profiles of PyTorch."""

    def set_matmul_precision(self, precision: str | None) -> None:
        if precision is None and _has_chosen_precision():
            return
        exact = precision != "high"
        torch.set_float32_matmul_precision("highest" if exact else "high")
        torch.backends.cudnn.allow_tf32 = not exact  # for convolutions, where torch allows it by default
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = not exact
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = not exact

    def start_profile(self, folder: str) -> Callable[[], None] | None:
        from torch.profiler import profile, tensorboard_trace_handler

        profiler = profile(on_trace_ready=tensorboard_trace_handler(folder))
        profiler.start()

        def stop() -> None:
            self.synchronize()
            profiler.stop()

        return stop
