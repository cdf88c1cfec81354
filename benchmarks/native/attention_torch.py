"""Attention by itself on PyTorch, which runs it eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

array = torch.from_numpy


def wait(result: Any) -> None:
    """Do nothing: on the CPU a result is there when the call returns."""


def _own(*arrays: Any) -> Any:
    return scaled_dot_product_attention(*(x.transpose(1, 2) for x in arrays)).transpose(1, 2)


own: Callable[..., Any] | None = _own


def compiled(attention: Callable[..., Any], gradient: bool) -> Callable[..., Any]:
    """Return attention, or the gradients of its sum."""

    def run(*arrays: Any) -> Any:
        if not gradient:
            with torch.no_grad():
                return attention(*arrays)
        leaves = [x.detach().requires_grad_() for x in arrays]
        return torch.autograd.grad(attention(*leaves).sum(), leaves)

    return run
