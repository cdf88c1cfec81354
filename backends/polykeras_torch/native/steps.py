"""A `train_step` in PyTorch's idiom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from polykeras.backend.native import NativeSteps
from polykeras_torch.compiler.recorder import refuse_recording
from polykeras_torch.private import MISSING_GRADIENT


class TorchSteps(NativeSteps):
    """Steps call `backward()`, read `grad`, or use an optimizer of torch."""

    def make_parameter(self, value: Tensor, previous: Tensor | None) -> Tensor:
        parameter = value.detach().requires_grad_()
        parameter._of_a_step = True  # type: ignore[attr-defined]
        if previous is not None and previous.grad is not None:
            parameter.grad = previous.grad
        return parameter

    def is_missing_gradient(self, error: Exception) -> bool:
        return MISSING_GRADIENT in str(error)

    def run_eagerly(self, step: Callable[[], Any], reason: str) -> Any:
        refuse_recording(reason)
        with _update_hook(_check_tensors):
            return step()

    def run_with_update_hook(self, step: Callable[[], Any], before_update: Callable[[], None]) -> Any:
        with _update_hook(lambda _: before_update()):
            return step()


@contextmanager
def _update_hook(before_update: Callable[[Optimizer], None]) -> Iterator[None]:
    """Call a function before an optimizer's step in this thread. Torch's own hook is one for all threads."""
    thread = get_ident()

    def hook(optimizer: Optimizer, *_: Any) -> None:
        if get_ident() == thread:
            before_update(optimizer)

    handle = register_optimizer_step_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _check_tensors(optimizer: Optimizer) -> None:
    """Refuse an optimizer that would train nothing, because it was made of values that a step has replaced.

    Raises:
        RuntimeError: it holds a tensor that is no variable's.
    """
    tensors = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    if any(map(_is_lost, tensors)):
        raise RuntimeError(
            f"{type(optimizer).__name__} holds tensors that were values of variables once and are no more: it would "
            "train nothing. Make it of `model.parameters()`, which stay what they are, instead of "
            "`[v.value for v in model.trainable_variables]`."
        )


def _is_lost(tensor: Tensor) -> bool:
    plain = not tensor.requires_grad and tensor.grad is None and not isinstance(tensor, Parameter)
    return plain or getattr(tensor, "_of_a_step", False)
