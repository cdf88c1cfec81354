"""Every private name of torch that this backend uses, each with what happens without it.

Operators of `torch.ops.aten` without an underscore are no private names: their schemas stay from release to release.
Those that are called by themselves, as kernels whose arguments nobody documents, are here all the same.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from polykeras import fast
from polykeras.backend.private_names import find

# ---- what nothing is recorded without --------------------------------------------------------------------------------

NEEDED = {
    name: find(name)
    for name in (
        "torch.utils._python_dispatch:TorchDispatchMode",  # sees operators below autograd
        "torch:UntypedStorage._cdata",  # tells memory apart, that of empty tensors too
        "torch:Tensor._version",  # counts changes in place
        "torch:ops.aten.add.Tensor._schema",  # says what a call of an operator changes in place
        "torch._C:_len_torch_dispatch_stack",  # tells of other modes that look on
        "torch._C:DisableTorchFunction",  # keeps what the recorder itself asks of tensors from it
        "torch._C:_len_torch_function_stack",  # tells of modes of functions, and so does the next
        "torch._C:_get_function_stack_at",
        "torch._C:_autograd._top_saved_tensors_default_hooks",  # tells of hooks on what autograd saves
        "torch._C:_functorch.peek_interpreter_stack",  # tells of `torch.func`
    )
}
"""What a recorder is made of, by name; None where there is no such thing."""

LACKING = [name for name, found in NEEDED.items() if found is None]


def can_record() -> bool:
    """Return whether functions are recorded; without one of these names none is, which a warning tells once.

    All then runs as with `POLYKERAS_FAST=0`.
    """
    if LACKING:
        _warn_of_plain_steps()
    return fast.enabled("recorder") and not LACKING


@cache
def _warn_of_plain_steps() -> None:
    warnings.warn(
        f"On torch {torch.__version__} compiled functions run as plain Python, more slowly: this release lacks "
        f"{', '.join(LACKING)}. Install one of those that `polykeras.backends()` says were tested.",
        RuntimeWarning,
        stacklevel=2,
    )


class DispatchMode(NEEDED["torch.utils._python_dispatch:TorchDispatchMode"] or object):  # type: ignore[misc]
    """The mode that sees operators below autograd."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler on entry, half a second, in order to keep it out of this mode


def _always() -> bool:
    return True


_peek = NEEDED["torch._C:_functorch.peek_interpreter_stack"]
is_transformed: Callable[[], bool] = _always if _peek is None else lambda: _peek() is not None
"""Return whether `torch.func` transforms what runs now: kernels outside of its rules are not to be called then.

Without the name nobody can tell: composites run in place of such kernels, and nothing is recorded.
"""

count_modes: Callable[[], int] = NEEDED["torch._C:_len_torch_dispatch_stack"] or (lambda: 0)
"""Return how many dispatch modes look on."""

count_function_modes: Callable[[], int] = NEEDED["torch._C:_len_torch_function_stack"] or (lambda: 0)
"""Return how many modes of functions look on."""

function_mode_at: Callable[[int], Any] = NEEDED["torch._C:_get_function_stack_at"] or (lambda place: None)
"""Return one of them, by its place."""

hooks_of_saved_tensors: Callable[[bool], Any] = NEEDED["torch._C:_autograd._top_saved_tensors_default_hooks"] or (
    lambda ignore_is_tracing: None
)
"""Return the hooks on what autograd saves, None for none."""

version_of: Callable[[Tensor], int] = attrgetter("_version") if NEEDED["torch:Tensor._version"] else lambda tensor: 1
"""Return how often a tensor was changed in place; without the name as if it had been, so that callers copy."""


def storage_of(tensor: Tensor) -> int:
    """Return what identifies the memory under a tensor, as long as one of its tensors lives.

    Without the name it is the address, which is the same for all empty ones: some are copied for nothing.
    """
    storage = tensor.untyped_storage()
    return storage._cdata if not LACKING else storage.data_ptr()


_owners: Callable[[int], int] = find("torch._C:_storage_Use_Count", lambda number: sys.maxsize)


def owners_of(storage: Any) -> int:
    """Return how many hold a storage; without the name many, so that none is taken for made in a recorded run."""
    return _owners(storage._cdata)


def schema_of(op: Any) -> Any:
    """Return the schema of an operator's overload, which a recorder asks for."""
    return op._schema


# ---- what makes it faster --------------------------------------------------------------------------------------------

StorageReference: Callable[[Any], Any] = find(
    "torch.multiprocessing.reductions:StorageWeakRef",
    lambda storage: storage,  # holds the memory itself: a recorded step takes more of it than a plain one
)
"""Holds the number of a storage, so that no other one gets it, but not its memory."""

below_autograd: Callable[[], Any] = find("torch._C:_AutoDispatchBelowAutograd", torch.enable_grad)
"""A context in which kernels are called without a look at autograd; otherwise it looks, and finds nothing to do.

No tensor in there asks for a gradient. Some kernels keep what their gradients need where gradients are enabled alone.
"""

without_functions: Callable[[], Any] = NEEDED["torch._C:DisableTorchFunction"] or nullcontext
"""A context in which nobody's `__torch_function__` is asked."""

_has_callables = find("torch:ops.aten.add.Tensor._op") is not None


def callable_of(op: Any) -> Callable[..., Any]:
    """Return the function within an overload of an operator, or the overload itself, which calls it."""
    return op._op if _has_callables else op


# ---- what is set for torch, of which programs depend -----------------------------------------------------------------


def device_kinds() -> tuple[str, ...]:
    """Return the kinds of devices on which autocast may be on."""
    found = torch.accelerator.current_accelerator() if hasattr(torch, "accelerator") else None
    return ("cpu",) if found is None else ("cpu", found.type)


def _autocasts() -> bool:
    return any(torch.is_autocast_enabled(kind) for kind in device_kinds())


# The public forms tell the same, and take longer.
any_autocast: Callable[[], bool] = find("torch._C:_is_any_autocast_enabled", _autocasts)
matmul_precision: Callable[[], str] = find("torch._C:_get_float32_matmul_precision", torch.get_float32_matmul_precision)
is_deterministic: Callable[[], bool] = find(
    "torch._C:_get_deterministic_algorithms", torch.are_deterministic_algorithms_enabled
)
allows_flash_attention: Callable[[], bool] = find(
    "torch._C:_get_flash_sdp_enabled", torch.backends.cuda.flash_sdp_enabled
)
allows_efficient_attention: Callable[[], bool] = find(
    "torch._C:_get_mem_efficient_sdp_enabled", torch.backends.cuda.mem_efficient_sdp_enabled
)
allows_plain_attention: Callable[[], bool] = find(
    "torch._C:_get_math_sdp_enabled", torch.backends.cuda.math_sdp_enabled
)
allows_cudnn: Callable[[], Any] = find("torch._C:_get_cudnn_enabled", lambda: torch.backends.cudnn.enabled)
allows_mkldnn: Callable[[], Any] = find(
    "torch._C:_get_mkldnn_enabled",
    lambda: torch.backends.mkldnn.enabled,  # pyright: ignore[reportAttributeAccessIssue]  (no stub)
)

without_autocast: Callable[[], Any] = find("torch._C:_DisableAutocast", lambda: torch.autocast("cpu", enabled=False))
"""A context in which kernels take what they are given; otherwise on the CPU alone."""

DeviceContext: Any = find("torch.utils._device:DeviceContext")
"""The mode of functions that a default device is. Without the name it is somebody who looks on, as others are."""

# ---- tensors without values ------------------------------------------------------------------------------------------


_FakeTensorMode = find("torch._subclasses.fake_tensor:FakeTensorMode")
_disable_modes = find("torch.utils._python_dispatch:_disable_current_modes")
_unset_fake = find("torch._subclasses.fake_tensor:unset_fake_temporarily")

TensorWithoutValues: Any = find("torch._subclasses.fake_tensor:FakeTensor", ())
"""The class of tensors without values; without the name none is known as one."""


def values_left_out() -> tuple[AbstractContextManager[Any], Callable[[], Any]] | None:
    """Return a context in which tensors have no values, and what gives one in there in which they have.

    What looks on outside, as a recorder does, sees nothing of it. None without one of the names: shapes are then found
    by computing with zeros.
    """
    if None in (_FakeTensorMode, _unset_fake, _disable_modes) or not TensorWithoutValues:
        return None

    @contextmanager
    def left_out() -> Iterator[None]:
        with _disable_modes(), _FakeTensorMode(allow_non_fake_inputs=True):
            yield

    return left_out(), _unset_fake


# ---- modules ---------------------------------------------------------------------------------------------------------

HOOKS_OF_ALL_MODULES: list[dict[int, Any]] = [
    find(f"torch.nn.modules.module:{name}", {})
    for name in (
        "_global_backward_hooks",
        "_global_backward_pre_hooks",
        "_global_forward_hooks",
        "_global_forward_pre_hooks",
    )
]
"""The hooks that all modules call; without a name those are not seen, the hooks of each module are."""


def parametrizations_are_cached() -> bool:
    """Return whether parametrized weights of modules are kept (`torch.nn.utils.parametrize.cached`)."""
    return bool(getattr(sys.modules.get("torch.nn.utils.parametrize"), "_cache_enabled", 0))


# ---- kernels, without which the contract's composites run ------------------------------------------------------------

FUSED_ADAM: Any = find("torch:ops.aten._fused_adam_.tensor_lr")
FUSED_SGD: Any = find("torch:ops.aten._fused_sgd_.tensor_lr")
BATCH_NORM: Any = find("torch:ops.aten.native_batch_norm")
BATCH_NORM_BACKWARD: Any = find("torch:ops.aten.native_batch_norm_backward")
BINARY_CROSSENTROPY_BACKWARD: Any = find("torch:ops.aten.binary_cross_entropy_backward")
LSTM: Any = find("torch:ops.aten.mkldnn_rnn_layer")
LSTM_BACKWARD: Any = find("torch:ops.aten.mkldnn_rnn_layer_backward")
