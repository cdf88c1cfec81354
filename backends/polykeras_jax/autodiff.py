"""Gradients and transformations of functions on JAX."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import eval_jaxpr

from polykeras import dtypes
from polykeras.backend.families.autodiff import Autodiff
from polykeras.backend.spec import Array
from polykeras_jax.arrays import split_arrays

# How many custom gradients are being traced at this point. A gradient may call its own function without end, so from
# the third derivative on, JAX's lazy form takes over. That form cannot close over traced values.
_depth: ContextVar[int] = ContextVar("polykeras_jax_custom_gradient", default=0)
_MOST_NESTED = 2


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attach(backward: Callable[..., Any], args: Any, residuals: Any, out: Any) -> Any:
    """Return `out` with the gradient `backward(args, residuals, upstream)` for `args`, and zero for everything else."""
    return out


def _attach_forward(backward: Callable[..., Any], args: Any, residuals: Any, out: Any) -> Any:
    return out, (args, residuals)


def _attach_backward(backward: Callable[..., Any], saved: Any, upstream: Any) -> Any:
    args, residuals = saved
    return backward(args, residuals, upstream), None, None


_attach.defvjp(_attach_forward, _attach_backward)


def _takes_upstream_by_name(grad: Callable[..., Any]) -> bool:
    parameter = inspect.signature(grad).parameters.get("upstream")
    return parameter is not None and parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty


def _cotangent(arg: Array, gradient: Array) -> Array | None:
    """Return the gradient of `arg` as JAX expects it: in the shape and dtype of `arg`, or None for integers."""
    if not jnp.issubdtype(arg.dtype, jnp.inexact):
        return None
    return jnp.broadcast_to(gradient, arg.shape).astype(arg.dtype)


class JaxAutodiff(Autodiff):
    """See `polykeras.backend.families.autodiff`."""

    def stop_gradient(self, variable: Array) -> Array:
        return lax.stop_gradient(variable)

    def value_and_grad(
        self, fn: Callable[[list[Array]], tuple[Array, Any]], arrays: list[Array]
    ) -> tuple[Array, Any, list[Array]]:
        for i, array in enumerate(arrays):
            if not dtypes.is_float(self.dtype(array)):
                raise TypeError(f"value_and_grad: expected float arrays; received {self.dtype(array)} at place {i}.")
        rebuild: Callable[[list[Array]], Any] = list

        def scalar_fn(arrays: list[Array]) -> tuple[Array, list[Array]]:
            nonlocal rebuild
            value, aux = fn(arrays)
            value = self.asarray(value)
            if value.shape != () or not dtypes.is_float(self.dtype(value)):
                raise TypeError(
                    "value_and_grad: expected the function to return a float scalar first; received "
                    f"{self.dtype(value)} of shape {value.shape}."
                )
            leaves, rebuild = split_arrays(aux)  # JAX accepts only arrays: `rebuild` carries the other leaves
            return value, leaves

        (value, leaves), gradients = jax.value_and_grad(scalar_fn, has_aux=True)(list(arrays))
        return value, rebuild(leaves), gradients

    def custom_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(f)
        def with_gradient(*args: Any, **kwargs: Any) -> Any:
            args = tuple(self.asarray(arg) for arg in args)
            if _depth.get() == _MOST_NESTED:
                return jax.custom_gradient(partial(f, **kwargs))(*args)
            out, grad = f(*args, **kwargs)
            out = jax.tree.map(self.asarray, out)

            def call_grad(upstream: Any) -> Any:
                if _takes_upstream_by_name(grad):
                    result = grad(upstream=upstream)
                else:
                    result = grad(*upstream) if isinstance(upstream, list | tuple) else grad(upstream)
                results = result if isinstance(result, list | tuple) else (result,)
                return [0.0 if gradient is None else gradient for gradient in results]

            # `grad` closes over values of this trace, which custom_vjp forbids: pass them as residuals.
            token = _depth.set(_depth.get() + 1)
            try:
                traced = jax.make_jaxpr(call_grad)(out)
            finally:
                _depth.reset(token)

            def backward(args: Any, residuals: Any, upstream: Any) -> Any:
                leaves = [
                    jnp.zeros(aval.shape, aval.dtype) if leaf.dtype == jax.dtypes.float0 else leaf
                    for leaf, aval in zip(jax.tree.leaves(upstream), traced.in_avals, strict=True)
                ]
                flat = eval_jaxpr(traced.jaxpr, residuals, *leaves)
                return tuple(_cotangent(arg, gradient) for arg, gradient in zip(args, flat, strict=True))

            return _attach(backward, args, traced.consts, out)

        return with_gradient

    def _closed_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        # `custom_gradient` above keeps a tape of `f` for arrays that `f` closes over; JAX's own does not. JAX cannot
        # follow that tape back through the scan of a recurrent layer (jax 0.10.2).
        def with_gradient(*args: Array) -> Any:
            out, grad = f(*args)
            # JAX gives the gradients of a tuple as a tuple.
            return out, lambda upstream: grad(*upstream) if isinstance(upstream, tuple) else grad(upstream)

        return jax.custom_gradient(with_gradient)

    def remat(self, f: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(f)
        def recomputed(*args: Any, **kwargs: Any) -> Any:
            arrays, rebuild = split_arrays((args, kwargs))
            restore: Callable[[list[Array]], Any] = list

            def run(arrays: list[Array]) -> list[Array]:
                nonlocal restore
                args, kwargs = rebuild(arrays)
                leaves, restore = split_arrays(f(*args, **kwargs))
                return leaves

            leaves = jax.checkpoint(run)(arrays)
            return restore(leaves)

        return recomputed

    def vectorized_map(self, function: Callable[[Any], Any], elements: Any) -> Any:
        return jax.vmap(function)(elements)
