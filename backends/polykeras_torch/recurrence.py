"""Recurrent layers on torch's oneDNN kernels for CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from polykeras.backend.families.recurrence import Recurrence
from polykeras_torch.autodiff import carried
from polykeras_torch.layouts import whole
from polykeras_torch.private import LSTM, LSTM_BACKWARD, is_transformed

_LSTM = 2  # the kernel's code for the mode


class TorchRecurrence(Recurrence):
    """Twice as fast as the composites, which remain for other dtypes, devices and second derivatives."""

    def lstm(
        self, x: Tensor, h: Tensor, c: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if bias is None:
            bias = kernel.new_zeros(kernel.shape[1])
        arrays = tuple(map(whole, (x, h, c, kernel, recurrent_kernel, bias)))  # the kernel takes no DTensors
        if not _suits(arrays):
            return super().lstm(*arrays)
        outputs, memory = _Lstm.apply(super().lstm, *arrays)
        return outputs, memory


def _suits(arrays: Sequence[Tensor]) -> bool:
    return (
        (LSTM and LSTM_BACKWARD) is not None
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and not is_transformed()
        and all(x.dtype is torch.float32 and x.device.type == "cpu" and x.numel() for x in arrays)
    )


def _as_kernels_take_them(arrays: Sequence[Tensor]) -> list[Tensor]:
    """Return inputs, four weights (rows of gates, two biases) and states."""
    x, h, c, kernel, recurrent_kernel, bias = (array.detach() for array in arrays)
    weights = [kernel.t().contiguous(), recurrent_kernel.t().contiguous(), bias.contiguous(), torch.zeros_like(bias)]
    return [x.contiguous(), *weights, h.contiguous(), c.contiguous()]


class _Lstm(torch.autograd.Function):
    """The kernel, forward and backward. The derivative of the backward pass is that of the composite."""

    @staticmethod
    def forward(ctx: Any, composite: Any, *arrays: Tensor) -> tuple[Tensor, Tensor]:
        given = _as_kernels_take_them(arrays)
        units = given[-1].shape[-1]
        trains = any(ctx.needs_input_grad)
        with torch.set_grad_enabled(trains):  # if enabled, the kernel keeps what `backward` needs
            outputs, h, c, workspace = LSTM(*given, False, [], _LSTM, units, 1, True, False, False, trains)
        ctx.composite = carried(composite)
        ctx.save_for_backward(*arrays, outputs, h, c, workspace)
        return outputs, c

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        *arrays, outputs, h, c, workspace = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient may be differentiated
            results = ctx.composite(*arrays)
            wanted = [x for x, needed in zip(arrays, ctx.needs_input_grad[1:], strict=True) if needed]
            found = iter(torch.autograd.grad(results, wanted, slopes, create_graph=True))
            return None, *(next(found) if needed else None for needed in ctx.needs_input_grad[1:])
        given = _as_kernels_take_them(arrays)
        d_outputs, d_memory = slopes
        dx, d_kernel, d_recurrent, d_bias, _, dh, dc = LSTM_BACKWARD(
            *given,
            outputs,
            h,
            c,
            d_outputs.contiguous(),
            torch.zeros_like(h),
            d_memory.contiguous(),
            False,
            _LSTM,
            given[-1].shape[-1],
            1,
            True,
            True,
            False,
            [],
            False,
            workspace,
        )
        return None, dx, dh, dc, d_kernel.t(), d_recurrent.t(), d_bias
