"""What the whole process, or this thread, sets for torch: code that runs under other settings is another program.

What kernels ask for themselves in each run (TF32, cuDNN's search, the number of threads) needs no place here; what
Python code, autograd, autocast or the choice of a kernel depend on has one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import torch

from polykeras_torch import private
from polykeras_torch.arrays import chosen_device
from polykeras_torch.subnormals import are_zero

# ---- the state -------------------------------------------------------------------------------------------------------


def global_state() -> tuple[Hashable, ...]:
    """Return what is set for torch now: what was recorded is repeated under the same settings only."""
    try:
        precision = private.matmul_precision()
    except RuntimeError:  # it was set by backend (`torch.backends.mkldnn.matmul.fp32_precision`), where kernels ask
        precision = None
    return (
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        chosen_device(),
        private.any_autocast() and _autocast(),
        private.count_function_modes() and _default_devices(),
        private.is_deterministic(),
        private.allows_flash_attention(),
        private.allows_efficient_attention(),
        private.allows_plain_attention(),
        private.allows_cudnn(),
        private.allows_mkldnn(),
        precision,
        are_zero(),
    )


def is_looked_on() -> bool:
    """Return whether somebody wants to see what torch computes: nothing is recorded or repeated then.

    That is a mode of torch (of dispatch or functions, but for a default device), `torch.func`, the search for nan in
    gradients, or hooks on what autograd saves.
    """
    return bool(
        private.count_modes() > 0
        or private.is_transformed()
        or torch.is_anomaly_enabled()
        or private.hooks_of_saved_tensors(True) is not None
        or (private.count_function_modes() > 0 and _default_devices() is None)
    )


def _autocast() -> tuple[Hashable, ...]:
    """Return the dtype to which products are cast, by the kind of device."""
    kinds = private.device_kinds()
    return tuple([(kind, torch.get_autocast_dtype(kind)) for kind in kinds if torch.is_autocast_enabled(kind)])


def _default_devices() -> tuple[Hashable, ...] | None:
    """Return the devices of `torch.device` contexts and `torch.set_default_device`; None if there are other modes."""
    modes = [private.function_mode_at(i) for i in range(private.count_function_modes())]
    if private.DeviceContext is None or any(type(mode) is not private.DeviceContext for mode in modes):
        return None
    return tuple([mode.device for mode in modes])


def has_settings() -> bool:
    """Return whether torch would cast, or place, what kernels are given once more than it was when it was recorded."""
    return bool(private.any_autocast() or private.count_function_modes())


@contextmanager
def settings_applied() -> Iterator[None]:
    """Let kernels take what they are given: casts and default devices of now are in what was recorded."""
    with private.without_functions(), private.without_autocast():
        yield


@contextmanager
def without_autocast_cache() -> Iterator[None]:
    """Let autocast cast weights anew within the block: what it keeps of them are copies, which change no more."""
    before = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(before)
