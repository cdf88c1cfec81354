"""Torch tensors: dtypes by name, conversion from and to the host, devices and creation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polykeras import config, dtypes, fast
from polykeras.backend.axes import range_of
from polykeras.backend.families.arrays import Arrays
from polykeras.backend.spec import Shape
from polykeras.common.arguments import shape_tuple

UNSUPPORTED = {
    "uint64": "torch has hardly any kernels for uint64; use int64, or float64 for values above 2**63 - 1.",
}
TORCH_DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in dtypes.ALL if name not in UNSUPPORTED}
NAMES: dict[torch.dtype, str] = {dtype: name for name, dtype in TORCH_DTYPES.items()}
# Torch stores these dtypes but lacks most kernels. `retry_wide` computes in int64, which holds all their values.
WIDE = frozenset({torch.uint16, torch.uint32})

_device: ContextVar[torch.device | None] = ContextVar("polykeras_torch_device", default=None)
_own_device: torch.device | None = None  # of this process, where each of several has another one
chosen_device = _device.get  # the device of the innermost `device_scope`; None outside of all


def torch_dtype(dtype: str) -> torch.dtype:
    """Return torch's dtype for a name.

    Raises:
        TypeError: if torch does not have it.
    """
    try:
        return TORCH_DTYPES[dtype]
    except KeyError:
        reason = UNSUPPORTED.get(dtype, f"it knows {', '.join(TORCH_DTYPES)}.")
        raise TypeError(f"The torch backend has no dtype {dtype!r}: {reason}") from None


def native(function: Callable[..., Any], declared: Callable[..., Any]) -> Any:
    """Return `function` as a replacement for the method `declared`, called directly without a Python frame of ours.

    Torch's own functions take NumPy's names (`x`, `x1`, `x2`) for their arguments as well.
    """
    method = staticmethod(function)
    method.__signature__ = inspect.signature(declared)  # type: ignore[attr-defined]
    return method


def retry_wide(error: Exception, fn: Callable[..., Tensor], *args: Any) -> Tensor:
    """Return `fn(*args)` computed in int64 if an operand is uint16 or uint32; otherwise raise `error`.

    Args:
        error: the error that torch raised when called directly, so that common dtypes pay nothing for rare ones.
        fn: a function of tensors.
        *args: its arguments; only tensors of the dtypes in `WIDE` are converted.

    Returns:
        A tensor; an int64 result is cast back, which wraps around like unsigned arithmetic.
    """
    wide = next((a.dtype for a in args if isinstance(a, Tensor) and a.dtype in WIDE), None)
    if wide is None:
        raise error
    result = fn(*(a.to(torch.int64) if isinstance(a, Tensor) and a.dtype in WIDE else a for a in args))
    return result.to(wide) if result.dtype is torch.int64 else result


def like(value: Any, x: Tensor) -> Tensor:
    """Return `value` as a tensor that can be combined with `x`: a Python scalar becomes a 0-d tensor of its dtype."""
    return value if isinstance(value, Tensor) else torch.scalar_tensor(value, dtype=x.dtype, device=x.device)


def pair(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    """Return both operands as tensors; one of them may be a Python scalar."""
    if not isinstance(x1, Tensor):
        return like(x1, x2), x2
    return x1, like(x2, x1)


def is_cut(x: Any) -> bool:
    """Return whether a tensor is a DTensor, of which each of several processes has a part.

    It is known by a method, since torch's module of DTensors takes long to load.
    """
    return type(x) is not Tensor and hasattr(x, "full_tensor")


@cache
def device_names() -> dict[str, torch.device]:
    """Return the devices by the names of the contract, the default one first."""
    cpu = {"cpu:0": torch.device("cpu")}
    if torch.cuda.is_available():
        return {f"gpu:{i}": torch.device("cuda", i) for i in range(torch.cuda.device_count())} | cpu
    # Apple's GPU is available on request but is not the default, since the tests have not been run on it yet.
    return cpu | ({"gpu:0": torch.device("mps", 0)} if torch.backends.mps.is_available() else {})


@cache
def _default_device() -> torch.device:
    return next(iter(device_names().values()))


def use_by_default(device: torch.device) -> None:
    """Make new arrays of this process on a device, unless a `device_scope` says otherwise."""
    global _own_device
    _own_device = device


def current_device() -> torch.device:
    """Return the device on which new arrays are made."""
    return _device.get() or _own_device or _default_device()


def find_device(device: str) -> torch.device:
    """Return torch's device for a name; `"gpu"` and `"cpu"` are the first of their kind.

    Raises:
        ValueError: if there is no such device.
    """
    name = device.lower() if ":" in device else f"{device.lower()}:0"
    name = name.replace("cuda:", "gpu:").replace("mps:", "gpu:")
    try:
        return device_names()[name]
    except KeyError:
        raise ValueError(f"The torch backend has no device {device!r}; it has {', '.join(device_names())}.") from None


def _leaves(values: Any) -> Iterator[Any]:
    if isinstance(values, (list, tuple)):
        for part in values:
            yield from _leaves(part)
    else:
        yield values


def _sequence_dtype(values: Sequence[Any]) -> str:
    """Return the common dtype of nested lists; Python scalars stay weak beside arrays."""
    names = set()
    for leaf in _leaves(values):
        if isinstance(leaf, (bool, int, float, complex)) and not isinstance(leaf, np.generic):
            names.add(dtypes.weak(leaf))
        elif isinstance(leaf, Tensor):
            names.add(NAMES[leaf.dtype])
        else:
            names.add(_numpy_name(np.asarray(leaf)))
    return dtypes.result_type(*names) if names else config.floatx()


def _numpy_name(x: np.ndarray) -> str:
    if x.dtype.name not in TORCH_DTYPES and x.dtype.name not in UNSUPPORTED:
        raise TypeError(f"asarray expected numbers; received values of dtype {x.dtype} ({x.reshape(-1)[:1]} ...).")
    return x.dtype.name


def _can_be_shared(x: np.ndarray) -> bool:
    return x.flags.writeable and not any(step < 0 or step % x.itemsize for step in x.strides)


def _from_numpy(x: np.ndarray, dtype: str | None = None) -> Tensor:
    """Return a tensor, sharing the memory of `x` if torch can: it needs writable memory and positive strides."""
    name = _numpy_name(x)
    if dtype is not None and dtype != name and name in UNSUPPORTED:
        x = x.astype(dtypes.numpy_dtype(dtype))
        name = dtype
    torch_dtype(name)
    if not x.dtype.isnative:
        x = x.astype(x.dtype.newbyteorder("="))
    if not _can_be_shared(x):
        x = x.copy()
    if name == "bfloat16":
        return torch.from_numpy(x.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(x)


class TorchArrays(Arrays):
    """Arrays are `torch.Tensor`s. A user's tensors come in and go out unchanged."""

    @property
    def unsupported_dtypes(self) -> dict[str, str]:
        return UNSUPPORTED

    def asarray(self, x: Any, dtype: str | None = None) -> Tensor:
        if torch.is_inference_mode_enabled():  # its tensors could not be differentiated outside of it
            with torch.inference_mode(False):
                return self.asarray(x, dtype)
        device = current_device()
        if isinstance(x, Tensor):
            x = x if x.device == device else x.to(device)
            return x if dtype is None else self.cast(x, dtype)
        if isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic):
            return torch.tensor(x, dtype=torch_dtype(dtype or dtypes.result_type(dtypes.weak(x))), device=device)
        if isinstance(x, (list, tuple)):
            return self._from_sequence(x, dtype or _sequence_dtype(x))
        x = _from_numpy(np.asarray(x), dtype)
        if x.device != device:
            x = x.to(device)
        return x if dtype is None else self.cast(x, dtype)

    def _from_sequence(self, x: Sequence[Any], dtype: str) -> Tensor:
        if any(isinstance(leaf, Tensor) for leaf in _leaves(x)):
            return torch.stack([self.asarray(part, dtype) for part in x])
        host = np.asarray(x)
        if host.size == 0 and host.dtype == np.float64:
            return torch.empty(host.shape, dtype=torch_dtype(dtype), device=current_device())
        return self.cast(_from_numpy(host, dtype).to(current_device()), dtype)

    def borrows_in_place(self, x: Any) -> bool:
        known = isinstance(x, np.ndarray) and x.dtype.name in TORCH_DTYPES and x.dtype.isnative
        return known and _can_be_shared(x) and fast.enabled("borrowed-memory") and current_device().type == "cpu"

    def place(self, x: Any) -> Tensor:
        with torch.inference_mode(False):
            array = self.asarray(x).detach()
            from_host = isinstance(x, np.ndarray) and array.device.type == "cpu"
            shares = from_host or (isinstance(x, Tensor) and x.device == array.device)
            return array.clone(memory_format=torch.contiguous_format) if shares else array

    def to_numpy(self, x: Tensor) -> np.ndarray:
        if is_cut(x):
            x = x.full_tensor()  # pyright: ignore[reportAttributeAccessIssue]
        # A copy, so that neither the user's array nor a snapshot of weights changes with the tensor's memory.
        if x.dtype is torch.bfloat16:
            bits = x.detach().view(torch.int16).numpy(force=True)
            return bits.copy().view(dtypes.numpy_dtype("bfloat16"))
        host = x.numpy(force=True)  # detaches, moves, and resolves lazy conjugates and signs
        return host.copy() if x.device.type == "cpu" else host

    def array_types(self) -> tuple[type, ...]:
        return (Tensor,)

    def is_tensor(self, x: Any) -> bool:
        return isinstance(x, Tensor)

    def shape(self, x: Tensor) -> tuple[int, ...]:
        return tuple(x.shape)

    def dtype(self, x: Tensor) -> str:
        try:
            return NAMES[x.dtype]
        except KeyError:
            raise TypeError(f"Expected a tensor of one of {', '.join(TORCH_DTYPES)}; received {x.dtype}.") from None

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        target = torch_dtype(dtype)
        if x.is_complex() and not target.is_complex and target is not torch.bool:
            x = x.real  # torch would do the same, with a warning
        return x.to(target)

    def bitcast(self, x: Tensor, dtype: str) -> Tensor:
        return x.detach().view(torch_dtype(dtype))

    def devices(self) -> list[str]:
        return list(device_names())

    @contextmanager
    def device_scope(self, device: str) -> Iterator[None]:
        token = _device.set(find_device(device))
        try:
            yield
        finally:
            _device.reset(token)

    def full(self, shape: Shape | int, fill_value: Any, dtype: str | None = None) -> Tensor:
        dtype = dtype or config.floatx()
        if isinstance(fill_value, (bool, int, float, complex)):
            return torch.full(shape_tuple(shape), fill_value, dtype=torch_dtype(dtype), device=current_device())
        return self.asarray(fill_value, dtype).expand(shape_tuple(shape)).contiguous()

    def arange(
        self, start: float, stop: float | None = None, step: float | None = None, dtype: str | None = None
    ) -> Tensor:
        first, end, by, _, dtype = range_of(start, stop, step, dtype)
        end = first if (end - first) * by < 0 else end  # an empty range is an error in torch
        target = torch_dtype(dtype)
        if target in WIDE:
            return torch.arange(first, end, by, dtype=torch.int64, device=current_device()).to(target)
        return torch.arange(first, end, by, dtype=target, device=current_device())

    # ---- composites of the contract, on native kernels -----------------------------------------------------------

    def zeros_like(self, x: Tensor, dtype: str | None = None) -> Tensor:
        return torch.zeros_like(x, dtype=None if dtype is None else torch_dtype(dtype))

    def ones_like(self, x: Tensor, dtype: str | None = None) -> Tensor:
        return torch.ones_like(x, dtype=None if dtype is None else torch_dtype(dtype))
