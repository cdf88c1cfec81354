"""What the whole process, or this thread, sets for torch: code that runs under other settings is another program.

What kernels ask for themselves in each run (TF32, cuDNN's search, the number of threads) needs no place here; what
Python code, autograd, autocast or the choice of a kernel depend on has one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch._C import _functorch  # pyright: ignore[reportAttributeAccessIssue]  (no stub)

from polykeras_torch.arrays import chosen_device

_SMALLEST = sys.float_info.min


# ---- private names of torch, each with what does without it ----------------------------------------------------------


def _private(name: str, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of `torch._C`, or another one where this torch does not have it."""
    found: Any = torch._C
    for part in name.split("."):
        found = getattr(found, part, None)
    return found or otherwise


def _none(*_: Any) -> Any:
    return None


def _autocasts() -> bool:
    return any(torch.is_autocast_enabled(kind) for kind in _device_kinds())


_any_autocast = _private("_is_any_autocast_enabled", _autocasts)
_function_modes = _private("_len_torch_function_stack", lambda: 0)
_function_mode_at = _private("_get_function_stack_at", _none)
_dispatch_modes = _private("_len_torch_dispatch_stack", lambda: 0)
_saved_tensors_hooks = _private("_autograd._top_saved_tensors_default_hooks", _none)
_matmul_precision = _private("_get_float32_matmul_precision", torch.get_float32_matmul_precision)
# Which kernel attention is given to, and whether deterministic ones are wanted.
_deterministic = _private("_get_deterministic_algorithms", torch.are_deterministic_algorithms_enabled)
_flash = _private("_get_flash_sdp_enabled", _none)
_efficient = _private("_get_mem_efficient_sdp_enabled", _none)
_math = _private("_get_math_sdp_enabled", _none)
_cudnn = _private("_get_cudnn_enabled", _none)
_mkldnn = _private("_get_mkldnn_enabled", _none)
_NoAutocast: Any = getattr(torch._C, "_DisableAutocast", None)
try:
    from torch.utils._device import DeviceContext as _DeviceContext
except ImportError:
    _DeviceContext = None


def is_transformed() -> bool:
    """Return whether `torch.func` transforms what runs now: kernels outside of its rules are not to be called."""
    return _functorch.peek_interpreter_stack() is not None


# ---- the state -------------------------------------------------------------------------------------------------------


def global_state() -> tuple[Hashable, ...]:
    """Return what is set for torch now: what was recorded is repeated under the same settings only."""
    try:
        precision = _matmul_precision()
    except RuntimeError:  # it was set by backend (`torch.backends.mkldnn.matmul.fp32_precision`), where kernels ask
        precision = None
    return (
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        chosen_device(),
        _any_autocast() and _autocast(),
        _function_modes() and _default_devices(),
        _deterministic(),
        _flash(),
        _efficient(),
        _math(),
        _cudnn(),
        _mkldnn(),
        precision,
        _SMALLEST * 0.5 == 0.0,  # whether this thread takes subnormal numbers for zero, which torch cannot tell
    )


def is_looked_on() -> bool:
    """Return whether somebody wants to see what torch computes: nothing is recorded or repeated then.

    That is a mode of torch (of dispatch or functions, but for a default device), `torch.func`, the search for nan in
    gradients, or hooks on what autograd saves.
    """
    return bool(
        _dispatch_modes() > 0
        or _functorch.peek_interpreter_stack() is not None
        or torch.is_anomaly_enabled()
        or _saved_tensors_hooks(True) is not None
        or (_function_modes() > 0 and _default_devices() is None)
    )


def _device_kinds() -> tuple[str, ...]:
    found = torch.accelerator.current_accelerator() if hasattr(torch, "accelerator") else None
    return ("cpu",) if found is None else ("cpu", found.type)


def _autocast() -> tuple[Hashable, ...]:
    """Return the dtype to which products are cast, by the kind of device."""
    kinds = _device_kinds()
    return tuple([(kind, torch.get_autocast_dtype(kind)) for kind in kinds if torch.is_autocast_enabled(kind)])


def _default_devices() -> tuple[Hashable, ...] | None:
    """Return the devices of `torch.device` contexts and `torch.set_default_device`; None if there are other modes."""
    modes = [_function_mode_at(i) for i in range(_function_modes())]
    if _DeviceContext is None or any(type(mode) is not _DeviceContext for mode in modes):
        return None
    return tuple([mode.device for mode in modes])


def has_settings() -> bool:
    """Return whether torch would cast, or place, what kernels are given once more than it was when it was recorded."""
    return bool(_any_autocast() or _function_modes())


@contextmanager
def settings_applied() -> Iterator[None]:
    """Let kernels take what they are given: casts and default devices of now are in what was recorded."""
    with torch._C.DisableTorchFunction(), _without_autocast():
        yield


def _without_autocast() -> AbstractContextManager[Any]:
    if _NoAutocast is not None:
        return _NoAutocast()
    return torch.autocast("cpu", enabled=False)


@contextmanager
def without_autocast_cache() -> Iterator[None]:
    """Let autocast cast weights anew within the block: what it keeps of them are copies, which change no more."""
    before = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(before)
