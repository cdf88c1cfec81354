"""Layers that make training harder: dropout, noise, penalties."""

from __future__ import annotations

from typing import Any

from polykeras import ops, random, regularizers
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import LAYERS, Layer
from polykeras.arguments import rate as share


class _Random(Layer):
    """A layer that draws random numbers while training."""

    def __init__(self, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)
        self.supports_masking = True


@LAYERS.register()
class Dropout(_Random):
    """Sets a share of the inputs to 0 while training, and scales the rest so that their sum is expected to stay.

    Source: Srivastava et al., "Dropout", JMLR 15, 2014.

    Args:
        rate: the share, in [0, 1].
        noise_shape: shape of the mask, 1 or None along axes that share it.
        seed: an int, for a stream of its own.
        **kwargs: as for `Layer`.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = share(rate, "rate", self)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def _noise_shape(self, inputs: Any) -> tuple[int, ...] | None:
        if self.noise_shape is None:
            return None
        return tuple(n if want is None else want for want, n in zip(self.noise_shape, ops.shape(inputs), strict=True))

    def call(self, inputs: Any, training: Any = False) -> Any:
        """Return the inputs, thinned out where `training`."""
        if not training or self.rate == 0:
            return inputs
        return random.dropout(inputs, self.rate, self._noise_shape(inputs), seed=self.seed_generator)


@LAYERS.register()
class SpatialDropout1D(Dropout):
    """Dropout of whole channels of a sequence `(batch, time, channels)`.

    Args:
        rate: the share, in [0, 1].
        seed: an int, for a stream of its own.
        **kwargs: as for `Layer`.
    """

    def __init__(self, rate: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(rate, None, seed, **kwargs)
        self.input_spec = InputSpec(ndim=3)

    def _noise_shape(self, inputs: Any) -> tuple[int, ...]:
        batch, _, channels = ops.shape(inputs)
        return (batch, 1, channels)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        config = super().get_config()
        config.pop("noise_shape", None)
        return config


@LAYERS.register()
class GaussianNoise(_Random):
    """Adds normal noise while training.

    Args:
        stddev: its standard deviation.
        seed: an int, for a stream of its own.
        **kwargs: as for `Layer`.
    """

    def __init__(self, stddev: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if not isinstance(stddev, (int, float)) or stddev < 0:
            raise ValueError(f"GaussianNoise: `stddev` must be a number of at least 0; received {stddev!r}.")
        self.stddev = float(stddev)

    def call(self, inputs: Any, training: Any = False) -> Any:
        """Return the inputs, with noise where `training`."""
        if not training or self.stddev == 0:
            return inputs
        noise = random.normal(ops.shape(inputs), 0.0, self.stddev, dtype=ops.dtype(inputs), seed=self.seed_generator)
        return ops.add(inputs, noise)


@LAYERS.register()
class GaussianDropout(_Random):
    """Multiplies with normal noise around 1 while training, of the variance that dropout would have.

    Args:
        rate: as for `Dropout`; the noise has the standard deviation `sqrt(rate / (1 - rate))`.
        seed: an int, for a stream of its own.
        **kwargs: as for `Layer`.
    """

    def __init__(self, rate: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = share(rate, "rate", self)

    def call(self, inputs: Any, training: Any = False) -> Any:
        """Return the inputs, times noise where `training`."""
        if not training or self.rate == 0:
            return inputs
        spread = (self.rate / (1.0 - self.rate)) ** 0.5
        noise = random.normal(ops.shape(inputs), 1.0, spread, dtype=ops.dtype(inputs), seed=self.seed_generator)
        return ops.multiply(inputs, noise)


@LAYERS.register()
class ActivityRegularization(Layer):
    """Passes its input through and adds a penalty on it to the losses.

    Args:
        l1: factor of the sum of absolute values.
        l2: factor of the sum of squares.
        **kwargs: as for `Layer`.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Return the inputs."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return config
