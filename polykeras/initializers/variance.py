"""Initializers that derive the variance from the shape, so that signals keep their scale from layer to layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from polykeras.initializers.base import registry
from polykeras.initializers.random import RandomInitializer, Seed, truncated_normal

# The standard deviation of a standard normal distribution that is truncated at -2 and 2.
TRUNCATED_STDDEV = 0.87962566103423978

Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["truncated_normal", "untruncated_normal", "uniform", "normal"]
Axes = Sequence[int] | None


def compute_fans(shape: Sequence[int], input_axes: Axes = None, output_axes: Axes = None) -> tuple[int, int]:
    """Return the number of inputs that feed an output of a kernel, and the number of outputs that an input feeds.

    Args:
        shape: the shape of the kernel: `(inputs, outputs)`, or `(*window, inputs, outputs)`.
        input_axes: the axes that a unit sums over, for kernels of another form; requires `output_axes`.
        output_axes: the axes of the units.
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) == 0:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


@registry.register()
class VarianceScaling(RandomInitializer):
    """Draws values with variance `scale / fan`.

    Args:
        scale: a positive number.
        mode: the fan to use: `"fan_in"`, `"fan_out"`, or their average `"fan_avg"`.
        distribution: `"truncated_normal"` (or `"normal"`), truncated at two standard deviations of the distribution
            before truncation; `"untruncated_normal"`; or `"uniform"`.
        seed: see `RandomInitializer`.
        input_axes: see `compute_fans`.
        output_axes: see `compute_fans`.

    Raises:
        ValueError: an argument is invalid.
    """

    deferrable = True

    def __init__(
        self,
        scale: float = 1.0,
        mode: Mode = "fan_in",
        distribution: Distribution = "truncated_normal",
        seed: Seed = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
    ) -> None:
        name = type(self).__name__
        if not scale > 0:
            raise ValueError(f"{name}: `scale` must be positive; received {scale!r}.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"{name}: `mode` must be 'fan_in', 'fan_out' or 'fan_avg'; received {mode!r}.")
        self.distribution = {"normal": "truncated_normal"}.get(str(distribution).lower(), str(distribution).lower())
        if self.distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(
                f"{name}: `distribution` must be 'truncated_normal', 'untruncated_normal' or 'uniform'; received "
                f"{distribution!r}."
            )
        self.scale = scale
        self.mode = mode
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed)

    def sample(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, fan))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * stddev
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return stddev * generator.standard_normal(shape)
        return stddev / TRUNCATED_STDDEV * truncated_normal(generator, shape)


class _Preset(VarianceScaling):
    """A fixed choice of scale, mode and distribution; its config contains only the remaining arguments."""

    _choice: tuple[float, Mode, Distribution]

    def __init__(self, seed: Seed = None, input_axes: Axes = None, output_axes: Axes = None) -> None:
        super().__init__(*self._choice, seed=seed, input_axes=input_axes, output_axes=output_axes)


@registry.register()
class GlorotUniform(_Preset):
    """Draws uniformly with variance `2 / (fan_in + fan_out)`.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS
    2010.

    Args:
        seed: see `RandomInitializer`.
        input_axes: see `compute_fans`.
        output_axes: see `compute_fans`.
    """

    _choice = (1.0, "fan_avg", "uniform")


@registry.register()
class GlorotNormal(_Preset):
    """Draws from a truncated normal with variance `2 / (fan_in + fan_out)`. Source: Glorot and Bengio, AISTATS 2010.

    Args:
        seed: see `RandomInitializer`.
        input_axes: see `compute_fans`.
        output_axes: see `compute_fans`.
    """

    _choice = (1.0, "fan_avg", "truncated_normal")


@registry.register()
class HeUniform(_Preset):
    """Draws uniformly with variance `2 / fan_in`, for ReLU.

    Source: He et al., "Delving deep into rectifiers", ICCV 2015 (https://arxiv.org/abs/1502.01852).

    Args:
        seed: see `RandomInitializer`.
        input_axes: see `compute_fans`.
        output_axes: see `compute_fans`.
    """

    _choice = (2.0, "fan_in", "uniform")


@registry.register()
class HeNormal(_Preset):
    """Draws from a truncated normal with variance `2 / fan_in`, for ReLU.

    Source: He et al., "Delving deep into rectifiers", ICCV 2015 (https://arxiv.org/abs/1502.01852).

    Args:
        seed: see `RandomInitializer`.
        input_axes: see `compute_fans`.
        output_axes: see `compute_fans`.
    """

    _choice = (2.0, "fan_in", "truncated_normal")


@registry.register()
class LecunUniform(_Preset):
    """Draws uniformly with variance `1 / fan_in`. Source: LeCun et al., "Efficient BackProp", 1998.

    Args:
        seed: see `RandomInitializer`.
        input_axes: see `compute_fans`.
        output_axes: see `compute_fans`.
    """

    _choice = (1.0, "fan_in", "uniform")


@registry.register()
class LecunNormal(_Preset):
    """Draws from a truncated normal with variance `1 / fan_in`, for SELU (LeCun et al., "Efficient BackProp", 1998).

    Args:
        seed: see `RandomInitializer`.
        input_axes: see `compute_fans`.
        output_axes: see `compute_fans`.
    """

    _choice = (1.0, "fan_in", "truncated_normal")
