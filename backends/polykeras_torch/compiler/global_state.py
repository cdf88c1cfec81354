"""Settings of torch, of the process or the thread. Code that runs under other settings is another program.

Settings that kernels read in each run (TF32, cuDNN's search, the number of threads) are not needed here. Settings that
Python code, autograd, autocast or the choice of a kernel depend on are.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import torch

from polykeras_torch import private
from polykeras_torch.arrays import chosen_device

_SMALLEST = sys.float_info.min

# ---- the state -------------------------------------------------------------------------------------------------------


def global_state() -> tuple[Hashable, ...]:
    """Return torch's current settings. A recording is repeated only under the same settings."""
    try:
        precision = private.matmul_precision()
    except RuntimeError:  # set for one library (`torch.backends.mkldnn.matmul.fp32_precision`); kernels read it
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
        _takes_subnormals_for_zero(),
    )


def _takes_subnormals_for_zero() -> bool:
    """Return the processor's flag of `torch.set_flush_denormal` for this thread, which torch cannot tell."""
    return _SMALLEST * 0.5 == 0.0


def is_looked_on() -> bool:
    """Return whether something observes torch's calls. Then nothing is recorded or repeated.

    An observer is a mode of torch (of dispatch or functions, except a default device), `torch.func`, anomaly detection,
    or a hook on the tensors that autograd saves.
    """
    return bool(
        private.count_modes() > 0
        or private.is_transformed()
        or torch.is_anomaly_enabled()
        or private.hooks_of_saved_tensors(True) is not None
        or (private.count_function_modes() > 0 and _default_devices() is None)
    )


def _autocast() -> tuple[Hashable, ...]:
    """Return the dtype to which autocast casts products, by the kind of device."""
    kinds = private.device_kinds()
    return tuple([(kind, torch.get_autocast_dtype(kind)) for kind in kinds if torch.is_autocast_enabled(kind)])


def _default_devices() -> tuple[Hashable, ...] | None:
    """Return the devices of `torch.device` contexts and `torch.set_default_device`; None if there are other modes."""
    modes = [private.function_mode_at(i) for i in range(private.count_function_modes())]
    if private.DeviceContext is None or any(type(mode) is not private.DeviceContext for mode in modes):
        return None
    return tuple([mode.device for mode in modes])


def has_settings() -> bool:
    """Return whether torch would cast or move arguments of kernels again, after it did so during the recording."""
    return bool(private.any_autocast() or private.count_function_modes())


@contextmanager
def settings_applied() -> Iterator[None]:
    """Let kernels take their arguments as they are. The recording already contains casts and default devices."""
    with private.without_functions(), private.without_autocast():
        yield


@contextmanager
def without_autocast_cache() -> Iterator[None]:
    """Let autocast cast weights again within the block: its cache holds copies, which do not change any more."""
    before = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(before)
