"""Gradients and transformations of functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from polykeras.backend.families.autodiff import Autodiff
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras_tensorflow.graphs import Flattened, spec_of, trace
from polykeras_tensorflow.private import are_tapes_stopped

raw = tf.raw_ops


def _dense(gradient: Any, x: Array) -> Array:
    """Return a gradient as a dense array. That of a gather is a list of rows, and some lack their shape."""
    if isinstance(gradient, tf.IndexedSlices):
        rows = x.shape[0]
        return raw.UnsortedSegmentSum(data=gradient.values, segment_ids=gradient.indices, num_segments=rows)
    return gradient if gradient.shape.is_fully_defined() else tf.ensure_shape(gradient, x.shape)


def _call_gradient(grad: Callable[..., Any], upstream: tuple[Array, ...]) -> Any:
    """Call a user's gradient function as its signature requires."""
    parameter = inspect.signature(grad).parameters.get("upstream")
    if parameter is not None and parameter.kind is parameter.KEYWORD_ONLY:
        return grad(upstream=upstream[0] if len(upstream) == 1 else upstream)
    return grad(*upstream)


class TensorflowAutodiff(Autodiff):
    """Gradients by `tf.GradientTape`; tapes nest."""

    def stop_gradient(self, variable: Array) -> Array:
        return tf.stop_gradient(variable)

    def value_and_grad(
        self, fn: Callable[[list[Array]], tuple[Array, Any]], arrays: list[Array]
    ) -> tuple[Array, Any, list[Array]]:
        for i, x in enumerate(arrays):
            if not x.dtype.is_floating:
                raise TypeError(f"value_and_grad: expected arrays of a float dtype; array {i} is {x.dtype.name}.")
        if are_tapes_stopped():  # a tape would record nothing now, and each gradient would be zero
            raise RuntimeError(
                "value_and_grad: TensorFlow records no gradients here, as within `tf.init_scope()` and "
                "`tape.stop_recording()`. Train, or take the gradient, outside of them."
            )
        # Copies, so that an array that is given twice gets a gradient for each.
        arrays = [raw.Identity(input=x) for x in arrays]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(arrays)
            value, aux = fn(list(arrays))
        value = tf.convert_to_tensor(value)
        if value.shape.rank != 0 or not value.dtype.is_floating:
            raise TypeError(
                f"value_and_grad: expected a float scalar to differentiate; received shape {value.shape} and dtype "
                f"{value.dtype.name}. Reduce it, with sum or mean."
            )
        try:
            gradients = tape.gradient(value, arrays, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        except LookupError as error:
            raise TypeError(
                f"TensorFlow cannot differentiate this: {error}. The jax and torch backends may."
            ) from error
        return value, aux, [_dense(gradient, x) for gradient, x in zip(gradients, arrays, strict=True)]

    def custom_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        @tf.custom_gradient
        def run(*args: Any, **kwargs: Any) -> Any:
            output, grad = f(*args, **kwargs)
            return output, lambda *upstream: _call_gradient(grad, upstream)

        return run

    def remat(self, f: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            given = Flattened(args, kwargs)
            flat = given.flat(f)
            results = _rematerialized(lambda *arrays: list(map(tf.convert_to_tensor, flat(*arrays))), given.arrays)
            return given.result(results)

        return run

    def _closed_remat(self, f: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            if not tf.executing_eagerly():  # in a graph, the second run would be merged with the first
                return self.remat(f)(*args, **kwargs)
            given = Flattened(args, kwargs)
            flat = given.flat(f)
            return given.result(
                _run_again(lambda *arrays: list(map(tf.convert_to_tensor, flat(*arrays))), given.arrays)
            )

        return run

    def vectorized_map(self, function: Callable[[Any], Any], elements: Any) -> Any:
        leaves, definition = nested.flatten_with_def(elements)
        result_definition: Any = None

        def row(parts: list[Array]) -> list[Array]:
            nonlocal result_definition
            results, result_definition = nested.flatten_with_def(function(nested.unflatten(definition, parts)))
            return [self.asarray(x) for x in results]

        def rows(*columns: Array) -> list[Array]:
            return tf.vectorized_map(row, list(columns), warn=False)

        # `tf.vectorized_map` traces in any case. Our own graph avoids autograph and lets exceptions through.
        if tf.executing_eagerly():
            rows = trace(rows, [spec_of(x) for x in leaves])
        results = rows(*leaves)  # sets the definition
        return nested.unflatten(result_definition, results)


def _run_again(fn: Callable[..., list[Array]], inputs: list[Array]) -> list[Array]:
    """Run `fn`, which uses no other arrays, eagerly and so that its backward pass runs it again.

    To trace it at each call, as `_rematerialized` does, takes longer than a small `fn` itself.
    """

    @tf.custom_gradient
    def run(*_: Array) -> Any:
        def grad(*upstream: Array) -> list[Array]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([x for x in inputs if x.dtype.is_floating])
                results = fn(*inputs)
            return tape.gradient(results, inputs, list(upstream), tf.UnconnectedGradients.ZERO)

        with tf.init_scope():  # tapes record nothing within it
            return fn(*inputs), grad

    return run(*inputs)


def _rematerialized(fn: Callable[..., list[Array]], arrays: list[Array]) -> list[Array]:
    """Run `fn` so that its backward pass runs it again.

    `tf.recompute_grad` drops the gradient of arrays that the function closes over, such as the weights of a layer.
    Traced as a graph, it lists them, and they become arguments.
    """
    # If it were inlined, the second run would be merged with the first, and its values kept after all.
    traced = trace(fn, [spec_of(x) for x in arrays], inline=False)
    captured = [x for x in traced.captured_inputs if x.dtype.is_floating]
    inputs = [*arrays, *captured]

    @tf.custom_gradient
    def run(*_: Array) -> Any:
        def grad(*upstream: Array) -> list[Array]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([x for x in inputs if x.dtype.is_floating])
                results = traced(*arrays)
            return tape.gradient(results, inputs, list(upstream), tf.UnconnectedGradients.ZERO)

        return traced(*arrays), grad

    return run(*inputs)
