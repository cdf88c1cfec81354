"""Layers that regularize training: dropout, noise, penalties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops, random, regularizers
from polykeras.backend.families.activations import SELU_ALPHA, SELU_SCALE
from polykeras.backend.spec import Array
from polykeras.common.arguments import python_numbers
from polykeras.common.arguments import rate as share
from polykeras.layers.base.layer import LAYERS, Layer


class _Random(Layer):
    """A layer that draws random numbers while training."""

    _built_at_init = True

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)
        self.supports_masking = True


class BaseDropout(_Random):
    noise_shape: tuple[int | None, ...] | None = None

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = share(rate, "rate", self)

    def _mask_shape(self, shape: tuple[int, ...]) -> Sequence[int | None] | None:
        """Return the mask's shape for inputs of the given shape; None for the same shape."""
        return None

    def call(self, inputs: Array, training: bool | None = False) -> Array:
        """Return the inputs, with dropout if `training`.

        Args:
            inputs: floats of any shape that the layer takes.
            training: whether to apply dropout.
        """
        if not training or self.rate == 0:
            return inputs
        return random.dropout(inputs, self.rate, self._mask_shape(ops.shape(inputs)), seed=self.seed_generator)


def _checked_noise_shape(shape: Sequence[int | None] | None, owner: Layer) -> tuple[int | None, ...] | None:
    for size in shape or ():
        if size is not None and (not isinstance(size, int) or size < 1):
            raise ValueError(f"{type(owner).__name__}: `noise_shape` holds positive ints and None; received {shape!r}.")
    return None if shape is None else tuple(shape)


@LAYERS.register()
class Dropout(BaseDropout):
    """Sets a random share of the inputs to 0 while training, and scales up the rest to keep the expected sum.

    Source: Srivastava et al., "Dropout", JMLR 15, 2014. The mask is the same on all backends.

    Args:
        rate: the share to drop, in [0, 1].
        noise_shape: the shape of the mask: 1 for axes that share it, None for the size of the inputs.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `rate` is out of range, or `noise_shape` is not a shape.
    """

    sample_by_sample = True

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        self.noise_shape = _checked_noise_shape(noise_shape, self)

    def _mask_shape(self, shape: tuple[int, ...]) -> Sequence[int | None] | None:
        return self.noise_shape


_LIMIT = -SELU_ALPHA * SELU_SCALE
"""The limit of selu for large negative inputs."""


@LAYERS.register()
class AlphaDropout(BaseDropout):
    """Dropout that keeps the mean 0 and the variance 1 of its inputs, which selu produces.

    A share of the inputs is set to the limit of selu at minus infinity; then all are scaled and shifted. Source:
    Klambauer et al., "Self-normalizing neural networks", 2017, https://arxiv.org/abs/1706.02515.

    Args:
        rate: the share to drop, in [0, 1].
        noise_shape: the shape of the mask: 1 for axes that share it, None for the size of the inputs.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `rate` is out of range, or `noise_shape` is not a shape.
    """

    sample_by_sample = True

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        self.noise_shape = _checked_noise_shape(noise_shape, self)

    def call(self, inputs: Array, training: bool | None = False) -> Array:
        """Return the inputs, with dropout if `training`."""
        if not training or self.rate == 0:
            return inputs
        if self.rate == 1:
            return ops.zeros_like(inputs)  # the limit: the factor below would be infinite
        shape = ops.shape(inputs)
        noise = [n if size is None else size for n, size in zip(shape, self.noise_shape or shape, strict=True)]
        kept = ops.greater_equal(random.uniform(noise, seed=self.seed_generator), self.rate)
        factor = ((1.0 - self.rate) * (1.0 + self.rate * _LIMIT**2)) ** -0.5
        offset = -factor * _LIMIT * self.rate
        return ops.add(ops.multiply(ops.where(kept, inputs, _LIMIT), factor), offset)


@LAYERS.register()
class GaussianNoise(_Random):
    """Adds normally distributed noise while training.

    Args:
        stddev: the standard deviation of the noise.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `stddev` is negative.
    """

    sample_by_sample = True

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if not isinstance(python_numbers(stddev), (int, float)) or stddev < 0:
            raise ValueError(f"GaussianNoise: `stddev` must be a number of at least 0; received {stddev!r}.")
        self.stddev = float(stddev)

    def call(self, inputs: Array, training: bool | None = False) -> Array:
        """Return the inputs, with noise if `training`.

        Args:
            inputs: floats of any shape.
            training: whether to add noise.
        """
        if not training or self.stddev == 0:
            return inputs
        noise = random.normal(ops.shape(inputs), 0.0, self.stddev, dtype=ops.dtype(inputs), seed=self.seed_generator)
        return ops.add(inputs, noise)


@LAYERS.register()
class GaussianDropout(_Random):
    """Multiplies by normal noise with mean 1 while training, with dropout's variance (Srivastava et al., 2014).

    Args:
        rate: in [0, 1), as for `Dropout`; the noise has the standard deviation `sqrt(rate / (1 - rate))`.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `rate` is out of range.
    """

    sample_by_sample = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = share(rate, "rate", self)
        if self.rate == 1:
            raise ValueError("GaussianDropout: `rate` must be below 1, where the noise would be infinite; received 1.")

    def call(self, inputs: Array, training: bool | None = False) -> Array:
        """Return the inputs, multiplied by noise if `training`.

        Args:
            inputs: floats of any shape.
            training: whether to multiply by noise.
        """
        if not training or self.rate == 0:
            return inputs
        spread = (self.rate / (1.0 - self.rate)) ** 0.5
        noise = random.normal(ops.shape(inputs), 1.0, spread, dtype=ops.dtype(inputs), seed=self.seed_generator)
        return ops.multiply(inputs, noise)


@LAYERS.register()
class ActivityRegularization(Layer):
    """Returns its inputs, and adds a penalty on them to the losses.

    Args:
        l1: the factor of the sum of absolute values.
        l2: the factor of the sum of squares.
        **kwargs: further arguments of `Layer`.
    """

    _not_in_config = (*Layer._not_in_config, "activity_regularizer")

    _built_at_init = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Return the inputs."""
        return inputs
