"""Gradients of functions of tensors by torch's autograd."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import Context, ContextVar, copy_context
from typing import Any

import torch
from torch import Tensor

from polykeras.backend.families.autodiff import Autodiff
from polykeras.common import nested
from polykeras_torch.arrays import is_cut

# The contexts of functions for the backward pass, kept while the outermost `value_and_grad` runs; None outside of it.
_contexts: ContextVar[list[Context] | None] = ContextVar("polykeras_torch_contexts", default=None)


def carried(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function for the backward pass that runs in the context of now.

    The current backend, the device and the scopes of variables are then the same. By then they have ended, or they
    never existed in that thread: autograd has a thread for each GPU.
    """
    context, kept = copy_context(), _contexts.get()
    find: Callable[[], Context | None]
    if kept is None:
        find = lambda: context  # noqa: E731
    else:  # scopes hold values, and values hold the graph that holds this: such a cycle would never be freed
        kept.append(context)
        find = weakref.ref(context)

    def run(*args: Any, **kwargs: Any) -> Any:
        found = find()
        return function(*args, **kwargs) if found is None else found.copy().run(function, *args, **kwargs)

    return run


def _detach(leaf: Any) -> Any:
    return leaf.detach() if isinstance(leaf, Tensor) else leaf


def _differentiable(x: Tensor, place: int) -> Tensor:
    if not x.is_floating_point():
        raise TypeError(f"value_and_grad expected float arrays; array {place} has dtype {x.dtype}. Cast it first.")
    if x.is_inference():
        x = x.clone()
    # A view of an outer call's array is a separate node in that call's graph. All other arrays start a graph.
    return x.view_as(x) if _contexts.get() is not None and x.requires_grad else x.detach().requires_grad_()


def _check_value(value: Any) -> None:
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.ndim:
        what = f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"value_and_grad expected `fn` to return (float scalar, aux); the first is {what}.")


class TorchAutodiff(Autodiff):
    """Gradients by autograd. Outside `value_and_grad`, a graph is built only if the user's own tensors need one."""

    def stop_gradient(self, variable: Tensor) -> Tensor:
        return variable.detach()

    def value_and_grad(
        self, fn: Callable[[list[Tensor]], tuple[Tensor, Any]], arrays: list[Tensor]
    ) -> tuple[Tensor, Any, list[Tensor]]:
        around = _contexts.get()
        with torch.inference_mode(False):
            leaves = [_differentiable(x, i) for i, x in enumerate(arrays)]
            token = _contexts.set([] if around is None else around)
            try:
                with torch.enable_grad():
                    value, aux = fn(leaves)
                    _check_value(value)
                    grads = self._gradients(value, leaves, create_graph=around is not None)
            finally:
                _contexts.reset(token)
        if around is not None:
            return value, aux, grads
        return value.detach(), aux if aux is None else nested.map_structure(_detach, aux), grads

    def _gradients(self, value: Tensor, leaves: list[Tensor], create_graph: bool) -> list[Tensor]:
        if not value.requires_grad:
            return [torch.zeros_like(x, requires_grad=False) for x in leaves]
        # Plain tensors count as whole beside DTensors in one thread alone, which then must do the work for GPUs too.
        one_thread = any(map(is_cut, (value, *leaves)))
        with torch.autograd.set_multithreading_enabled(False) if one_thread else nullcontext():
            grads = torch.autograd.grad(value, leaves, create_graph=create_graph, allow_unused=True)
        # `materialize_grads` will not do: its zeros require gradients (torch 2.6).
        return [
            torch.zeros_like(x, requires_grad=False) if g is None else g for x, g in zip(leaves, grads, strict=True)
        ]

    def custom_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        def function(*args: Any, **kwargs: Any) -> Any:
            return _CustomGradient.apply(lambda *arrays: f(*arrays, **kwargs), *args)

        return function

    def remat(self, f: Callable[..., Any]) -> Callable[..., Any]:
        from torch.utils.checkpoint import checkpoint

        def function(*args: Any, **kwargs: Any) -> Any:
            return checkpoint(carried(f), *args, use_reentrant=False, preserve_rng_state=False, **kwargs)

        return function

    def vectorized_map(self, function: Callable[[Any], Any], elements: Any) -> Any:
        try:
            return torch.vmap(function)(elements)
        except (RuntimeError, ValueError, TypeError):  # use a loop if vmap cannot follow
            leaves, definition = nested.flatten_with_def(elements)
            slices = zip(*(leaf.unbind(0) for leaf in leaves), strict=True)
            results = [function(nested.unflatten(definition, parts)) for parts in slices]
            return nested.map_structure(lambda *parts: torch.stack(parts), *results)


class _CustomGradient(torch.autograd.Function):
    """Calls `f` for the value and keeps the gradient function that it returned."""

    @staticmethod
    def forward(ctx: Any, f: Callable[..., Any], *args: Any) -> Any:
        output, ctx.grad = f(*args)
        ctx.f, ctx.call, ctx.args = carried(f), carried(_call_gradient), args
        # New tensors, because the gradient function may hold the output, and a graph that holds itself is never freed.
        return tuple(map(_alias, output)) if isinstance(output, (tuple, list)) else _alias(output)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        grad = ctx.grad
        if torch.is_grad_enabled():
            # A second derivative is wanted, but `grad` holds values without a graph: compute them again.
            _, grad = ctx.f(*ctx.args)
        grads = ctx.call(grad, upstream)
        grads = tuple(grads) if isinstance(grads, (tuple, list)) else (grads,)
        if len(grads) != len(ctx.args):
            raise ValueError(
                f"custom_gradient expected a gradient for each of {len(ctx.args)} arguments; received {len(grads)}."
            )
        return None, *grads


def _alias(x: Any) -> Any:
    return x.view_as(x) if isinstance(x, Tensor) else x


def _call_gradient(grad: Callable[..., Any], upstream: tuple[Tensor, ...]) -> Any:
    """Call `grad(*upstream)`, or `grad(upstream=...)` if it takes only that name."""
    parameters = inspect.signature(grad).parameters.values()
    positional = any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
    return grad(*upstream) if positional else grad(upstream=upstream[0] if len(upstream) == 1 else upstream)
