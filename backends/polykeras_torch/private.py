"""Every private name of torch that this backend uses, each with its fallback.

Operators of `torch.ops.aten` without an underscore are not private, since their schemas are stable. Those that are
called directly, as kernels with undocumented arguments, are listed here all the same.
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

# ---- required for recording --------------------------------------------------------------------------------

NEEDED = {
    name: find(name)
    for name in (
        "torch.utils._python_dispatch:TorchDispatchMode",  # sees operators below autograd
        "torch:UntypedStorage._cdata",  # identifies memory, even that of empty tensors
        "torch:Tensor._version",  # counts changes in place
        "torch:ops.aten.add.Tensor._schema",  # says what a call of an operator changes in place
        "torch._C:_len_torch_dispatch_stack",  # finds other modes of dispatch
        "torch._C:DisableTorchFunction",  # hides the recorder's own accesses to tensors from it
        "torch._C:_len_torch_function_stack",  # finds modes of functions, and so does the next
        "torch._C:_get_function_stack_at",
        "torch._C:_autograd._top_saved_tensors_default_hooks",  # finds hooks on the tensors that autograd saves
        "torch._C:_functorch.peek_interpreter_stack",  # finds `torch.func`
    )
}
"""The parts of a recorder, by name; None for a missing one."""

LACKING = [name for name, found in NEEDED.items() if found is None]


def can_record() -> bool:
    """Return whether functions can be recorded. If one of these names is missing, none is, and one warning says so.

    Everything then runs as with `POLYKERAS_FAST=0`.
    """
    if LACKING:
        _warn_of_plain_steps()
    return fast.enabled("recorder") and not LACKING


@cache
def _warn_of_plain_steps() -> None:
    warnings.warn(
        f"On torch {torch.__version__} compiled functions run as plain Python, more slowly: this release lacks "
        f"{', '.join(LACKING)}. Install a release that `polykeras.backends()` lists as tested.",
        RuntimeWarning,
        stacklevel=2,
    )


class DispatchMode(NEEDED["torch.utils._python_dispatch:TorchDispatchMode"] or object):  # type: ignore[misc]
    """The mode that sees operators below autograd."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler on entry, which is slow, to exclude it from this mode


def _always() -> bool:
    return True


_peek = NEEDED["torch._C:_functorch.peek_interpreter_stack"]
is_transformed: Callable[[], bool] = _always if _peek is None else lambda: _peek() is not None
"""Return whether `torch.func` transforms the running code. Kernels without its rules must not be called then.

Without the name this is unknown: composites replace such kernels, and nothing is recorded.
"""

count_modes: Callable[[], int] = NEEDED["torch._C:_len_torch_dispatch_stack"] or (lambda: 0)
"""Return the number of active dispatch modes."""

count_function_modes: Callable[[], int] = NEEDED["torch._C:_len_torch_function_stack"] or (lambda: 0)
"""Return the number of active modes of functions."""

function_mode_at: Callable[[int], Any] = NEEDED["torch._C:_get_function_stack_at"] or (lambda place: None)
"""Return the mode of functions at an index."""

hooks_of_saved_tensors: Callable[[bool], Any] = NEEDED["torch._C:_autograd._top_saved_tensors_default_hooks"] or (
    lambda ignore_is_tracing: None
)
"""Return the hooks on the tensors that autograd saves, or None."""

version_of: Callable[[Tensor], int] = attrgetter("_version") if NEEDED["torch:Tensor._version"] else lambda tensor: 1
"""Return how often a tensor was changed in place. Without the name, assume that it was, so that callers copy."""


def storage_of(tensor: Tensor) -> int:
    """Return a number that identifies the storage of a tensor, as long as one of its tensors lives.

    Without the name it is the address, which all empty tensors share, so some are copied needlessly.
    """
    storage = tensor.untyped_storage()
    return storage._cdata if not LACKING else storage.data_ptr()


_owners: Callable[[int], int] = find("torch._C:_storage_Use_Count", lambda number: sys.maxsize)


def owners_of(storage: Any) -> int:
    """Return how many objects hold a storage. Without the name, return many, so that none counts as made in a run."""
    return _owners(storage._cdata)


def schema_of(op: Any) -> Any:
    """Return the schema of an operator's overload, which a recorder needs."""
    return op._schema


# ---- faster execution --------------------------------------------------------------------------------------------

StorageReference: Callable[[Any], Any] = find(
    "torch.multiprocessing.reductions:StorageWeakRef",
    lambda storage: storage,  # holds the memory itself, so that a recorded step takes more memory than a plain one
)
"""Reserves the number of a storage, so that no other one gets it, without holding its memory."""

below_autograd: Callable[[], Any] = find("torch._C:_AutoDispatchBelowAutograd", torch.enable_grad)
"""A context in which kernels skip autograd. Without the name, autograd runs and finds nothing to do.

No tensor requires a gradient there. Some kernels keep what their gradients need only if gradients are enabled.
"""

without_functions: Callable[[], Any] = NEEDED["torch._C:DisableTorchFunction"] or nullcontext
"""A context in which `__torch_function__` is not called."""

_has_callables = find("torch:ops.aten.add.Tensor._op") is not None


def callable_of(op: Any) -> Callable[..., Any]:
    """Return the function within an overload of an operator, or the overload itself, which calls it."""
    return op._op if _has_callables else op


# ---- settings of torch that programs depend on -----------------------------------------------------------------


def device_kinds() -> tuple[str, ...]:
    """Return the kinds of devices for which autocast may be enabled."""
    found = torch.accelerator.current_accelerator() if hasattr(torch, "accelerator") else None
    return ("cpu",) if found is None else ("cpu", found.type)


def _autocasts() -> bool:
    return any(torch.is_autocast_enabled(kind) for kind in device_kinds())


# The public forms return the same, but are slower.
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
"""A context without autocast. Without the name, it applies to the CPU only."""

DeviceContext: Any = find("torch.utils._device:DeviceContext")
"""The mode of functions that implements a default device. Without the name, it counts as an observer, like others."""

# ---- tensors without values ------------------------------------------------------------------------------------------


_FakeTensorMode = find("torch._subclasses.fake_tensor:FakeTensorMode")
_disable_modes = find("torch.utils._python_dispatch:_disable_current_modes")
_unset_fake = find("torch._subclasses.fake_tensor:unset_fake_temporarily")

TensorWithoutValues: Any = find("torch._subclasses.fake_tensor:FakeTensor", ())
"""The class of tensors without values. Without the name, none is recognized."""


def values_left_out() -> tuple[AbstractContextManager[Any], Callable[[], Any]] | None:
    """Return a context in which tensors have no values, and a function that makes an inner context in which they have.

    Observers outside, such as a recorder, see nothing of it. Return None without one of the names; then shapes are
    found by computing with zeros.
    """
    if None in (_FakeTensorMode, _unset_fake, _disable_modes) or not TensorWithoutValues:
        return None

    @contextmanager
    def left_out() -> Iterator[None]:
        with _disable_modes(), _FakeTensorMode(allow_non_fake_inputs=True):
            yield

    return left_out(), _unset_fake


# ---- messages --------------------------------------------------------------------------------------------------------

MISSING_GRADIENT = "does not require grad"
"""What `backward` and `torch.autograd.grad` say of a loss that was computed of plain tensors, in a RuntimeError of no
class of its own. In other words, a user's step with `backward()` would fail instead of beginning again."""


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
"""The hooks that all modules call. Without a name these are not seen, while the hooks of each module are."""


def parametrizations_are_cached() -> bool:
    """Return whether torch caches parametrized weights of modules (`torch.nn.utils.parametrize.cached`)."""
    return bool(getattr(sys.modules.get("torch.nn.utils.parametrize"), "_cache_enabled", 0))


# ---- processes -------------------------------------------------------------------------------------------------------


def groups_of_mesh(mesh: Any) -> dict[str, Any]:
    """Return the process groups that a `DeviceMesh` holds, by name.

    Without the name, the threads of these groups may live until Python has ended, and now and then end the process
    with an error (pytorch/pytorch#190489).
    """
    return getattr(mesh, "_pg_registry", {})


# ---- kernels; without them the contract's composites run ------------------------------------------------------------

FUSED_ADAM: Any = find("torch:ops.aten._fused_adam_.tensor_lr")
FUSED_SGD: Any = find("torch:ops.aten._fused_sgd_.tensor_lr")
BATCH_NORM: Any = find("torch:ops.aten.native_batch_norm")
BATCH_NORM_BACKWARD: Any = find("torch:ops.aten.native_batch_norm_backward")
BINARY_CROSSENTROPY_BACKWARD: Any = find("torch:ops.aten.binary_cross_entropy_backward")
LSTM: Any = find("torch:ops.aten.mkldnn_rnn_layer")
LSTM_BACKWARD: Any = find("torch:ops.aten.mkldnn_rnn_layer_backward")
ATTENTION: Any = find("torch:ops.aten._scaled_dot_product_flash_attention_for_cpu")
ATTENTION_BACKWARD: Any = find("torch:ops.aten._scaled_dot_product_flash_attention_for_cpu_backward")
