"""Functions of neural networks in Keras 2's backend, `K.conv2d` and the like, over `polykeras.ops`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.config import floatx, image_data_format
from polykeras.ops import sigmoid, softmax, softplus, softsign, tanh
from polykeras.seeds import SeedGenerator

__all__ = ["sigmoid", "softmax", "softplus", "softsign", "tanh"]


def batch_normalization(
    x: ArrayLike,
    mean: ArrayLike,
    var: ArrayLike,
    beta: ArrayLike,
    gamma: ArrayLike,
    axis: int = -1,
    epsilon: float = 1e-3,
) -> Array:
    """Return an array normalized by given means and variances, scaled by `gamma` and shifted by `beta`.

    Args:
        x: numbers of any shape.
        mean: one for each index along `axis`, or in a shape that broadcasts.
        var: like `mean`.
        beta: like `mean`, or None.
        gamma: like `mean`, or None.
        axis: the axis of the features.
        epsilon: added to the variance.
    """
    rank = len(ops.shape(mean))
    if rank > 1:  # reshaped to broadcast
        scale = ops.rsqrt(ops.add(var, epsilon)) if gamma is None else ops.rsqrt(ops.add(var, epsilon)) * gamma
        return ops.subtract(x, mean) * scale + (0 if beta is None else beta)
    return ops.batch_normalization(x, mean, var, axis, beta, gamma, epsilon)


def bias_add(x: ArrayLike, bias: ArrayLike, data_format: str | None = None) -> Array:
    """Return an array with a bias added to each channel. A bias with several axes has a value for each position.

    Args:
        x: an array, a variable or a symbolic tensor.
        bias: one number for each channel, or one for each position and channel, channels last.
        data_format: the position of the channels; by default the configured one.

    Raises:
        ValueError: if the bias has another number of axes.
    """
    rank, axes = len(ops.shape(x)), ops.shape(bias)
    if len(axes) not in (1, rank - 1):
        raise ValueError(f"bias_add: the bias must have 1 or {rank - 1} axes; received a shape of {tuple(axes)}.")
    if (data_format or image_data_format()) == "channels_last" or rank == 2:
        return ops.add(x, bias)
    if len(axes) == 1:
        return ops.add(x, ops.reshape(bias, (1, -1, *(1,) * (rank - 2))))
    return ops.add(x, ops.expand_dims(ops.moveaxis(bias, -1, 0), 0))


def dropout(x: ArrayLike, level: float, noise_shape: Any = None, seed: int | SeedGenerator | None = None) -> Array:
    """Return an array with a fraction of its elements set to 0 and the others scaled up.

    Args:
        x: an array, a variable or a symbolic tensor.
        level: the fraction, in [0, 1].
        noise_shape: the shape of the mask, if it should be broadcast.
        seed: an int or a `SeedGenerator`; None draws from the process-wide stream.
    """
    return random.dropout(x, level, noise_shape, seed)


def elu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """Return `x`, or `alpha * (exp(x) - 1)` below 0.

    Args:
        x: an array, a variable or a symbolic tensor.
        alpha: the factor below 0.
    """
    return ops.elu(x, alpha)


def hard_sigmoid(x: ArrayLike) -> Array:
    """Return `0.2 * x + 0.5`, clipped to [0, 1], as in Keras 2."""
    return ops.clip(0.2 * ops.convert_to_tensor(x) + 0.5, 0.0, 1.0)


def in_top_k(predictions: ArrayLike, targets: ArrayLike, k: int) -> Array:
    """Return whether each class number is among the `k` most probable ones.

    Args:
        predictions: scores, `(batch, classes)`.
        targets: class numbers, `(batch,)`.
        k: the number of best classes.

    Returns:
        bool, `(batch,)`.
    """
    return ops.in_top_k(targets, predictions, k)


def relu(x: ArrayLike, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    """Return `x` from `threshold` up to `max_value`, and `alpha * (x - threshold)` below.

    Args:
        x: an array, a variable or a symbolic tensor.
        alpha: the slope below `threshold`.
        max_value: the largest result; None for no bound.
        threshold: the point at which the slope changes.
    """
    x = ops.convert_to_tensor(x)
    above = ops.where(ops.greater_equal(x, threshold), x, alpha * (x - threshold))
    return above if max_value is None else ops.minimum(above, max_value)


def random_bernoulli(
    shape: Sequence[int], p: float = 0.0, dtype: str | None = None, seed: int | SeedGenerator | None = None
) -> Array:
    """Return ones with probability `p`, else zeros.

    Args:
        shape: the shape of the result.
        p: the probability, in [0, 1].
        dtype: the dtype of the result; by default the default float dtype.
        seed: an int or a `SeedGenerator`; None draws from the process-wide stream.
    """
    return ops.cast(ops.less(random.uniform(shape, seed=seed), p), dtype or floatx())


def random_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return normally distributed numbers.

    Args:
        shape: the shape of the result.
        mean: their mean.
        stddev: their standard deviation.
        dtype: a float dtype; by default the default one.
        seed: an int or a `SeedGenerator`; None draws from the process-wide stream.
    """
    return random.normal(shape, mean, stddev, dtype, seed)


def random_uniform(
    shape: Sequence[int],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: DTypeLike = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return uniformly distributed numbers.

    Args:
        shape: the shape of the result.
        minval: the least number.
        maxval: the end of the range, exclusive.
        dtype: a float dtype; by default the default one.
        seed: an int or a `SeedGenerator`; None draws from the process-wide stream.
    """
    return random.uniform(shape, minval, maxval, dtype, seed)


def truncated_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Return normally distributed numbers within two standard deviations of the mean.

    Args:
        shape: the shape of the result.
        mean: the mean before the truncation.
        stddev: the standard deviation before the truncation.
        dtype: a float dtype; by default the default one.
        seed: an int or a `SeedGenerator`; None draws from the process-wide stream.
    """
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def rnn(
    step_function: Callable[[Any, list[Any]], tuple[Any, list[Any]]],
    inputs: Array,
    initial_states: Sequence[Any],
    go_backwards: bool = False,
    mask: Array | None = None,
    constants: Sequence[Any] | None = None,
    unroll: bool = False,
    input_length: ArrayLike | None = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
    return_all_outputs: bool = True,
) -> tuple[Any, Any, list[Any]]:
    """Run a function over the time steps of sequences.

    Args:
        step_function: returns `(output, states)` for an input `(batch, ...)` and a list of states and constants.
        inputs: `(batch, time, ...)`.
        initial_states: the states before the first step.
        go_backwards: whether to start with the last step.
        mask: bools `(batch, time)`. Where they are false, the output is the previous one, and the states are kept.
        constants: passed to each step.
        unroll: whether a compiled program contains the steps one after another.
        input_length: not needed.
        time_major: whether time is the first axis of inputs, mask and outputs.
        zero_output_for_mask: whether masked outputs are zeros.
        return_all_outputs: whether to return all outputs, or only the last one.

    Returns:
        The last output, all outputs, and the last states.
    """
    steps, valid = inputs, None if mask is None else ops.cast(mask, "bool")
    if not time_major:
        steps, valid = ops.swapaxes(inputs, 0, 1), None if valid is None else ops.swapaxes(valid, 0, 1)
    if go_backwards:
        steps, valid = ops.flip(steps, 0), None if valid is None else ops.flip(valid, 0)
    more = list(constants or ())
    nothing = ops.zeros_like(step_function(steps[0], [*initial_states, *more])[0])

    def choose(keep: Any, new: Any, old: Any) -> Any:
        wide = ops.reshape(keep, (*ops.shape(keep), *(1,) * (len(ops.shape(new)) - len(ops.shape(keep)))))
        return ops.where(wide, new, old)

    def step(carry: tuple[Any, list[Any]], at: tuple[Any, Any]) -> tuple[tuple[Any, list[Any]], Any]:
        before, states = carry
        x, keep = at
        output, new = step_function(x, [*states, *more])
        if keep is not None:
            output = choose(keep, output, nothing if zero_output_for_mask else before)
            new = [choose(keep, now, then) for now, then in zip(new, states, strict=True)]
        return (output, list(new)), output

    (last, states), outputs = ops.scan(step, (nothing, list(initial_states)), (steps, valid), unroll=unroll or 1)
    outputs = outputs if return_all_outputs else ops.expand_dims(last, 0)
    return last, outputs if time_major else ops.swapaxes(outputs, 0, 1), states
