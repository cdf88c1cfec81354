"""Dropout that drops whole channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import config
from polykeras.common.types import DTypeLike
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.regularization.dropout import BaseDropout


class _SpatialDropout(BaseDropout):
    """Drops whole channels over `rank` spatial axes."""

    rank = 1
    data_format = "channels_last"

    def __init__(
        self, rate: float, seed: int | None = None, name: str | None = None, dtype: DTypeLike = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _mask_shape(self, shape: tuple[int, ...]) -> Sequence[int | None] | None:
        ones = (1,) * self.rank
        return (shape[0], *ones, shape[-1]) if self.data_format == "channels_last" else (*shape[:2], *ones)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, except `trainable`, which Keras's layer does not take."""
        config = super().get_config()
        del config["trainable"]
        return config


@LAYERS.register()
class SpatialDropout1D(_SpatialDropout):
    """Drops whole channels of sequences `(batch, time, channels)` while training.

    Source: Tompson et al., 2014, https://arxiv.org/abs/1411.4280.

    Args:
        rate: the share to drop, in [0, 1].
        seed: an int that gives the layer a random stream of its own.
        name: the name of the layer.
        dtype: a dtype or a policy.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `rate` is out of range.
    """

    sample_by_sample = True


class _SpatialDropoutND(_SpatialDropout):
    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed, name, dtype, **kwargs)
        self.data_format = config.standardize_data_format(data_format)


@LAYERS.register()
class SpatialDropout2D(_SpatialDropoutND):
    """Drops whole channels of images `(batch, height, width, channels)` while training.

    Source: Tompson et al., 2014, https://arxiv.org/abs/1411.4280.

    Args:
        rate: the share to drop, in [0, 1].
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        seed: an int that gives the layer a random stream of its own.
        name: the name of the layer.
        dtype: a dtype or a policy.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `rate` is out of range.
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register()
class SpatialDropout3D(_SpatialDropoutND):
    """Drops whole channels of volumes (three spatial axes) while training; arguments as for `SpatialDropout2D`."""

    sample_by_sample = True
    rank = 3
