"""Layers that apply randomly chosen other layers: RandAugment and AugMix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.image.base import ImageLayer, RandomImageLayer, Transformation
from polykeras.layers.image.color import LAST, RandomBrightness, RandomColorDegeneration, RandomContrast
from polykeras.layers.image.factors import factor_range
from polykeras.layers.image.filters import RandomSharpness
from polykeras.layers.image.geometry import RandomRotation, RandomShear, RandomTranslation
from polykeras.layers.image.tone import AutoContrast, Equalization, RandomPosterization, Solarization
from polykeras.seeds import SeedGenerator


class _Policy(RandomImageLayer):
    """Base of layers that choose among several changes of one strength.

    Args:
        value_range: the range of the images' values.
        factor: the range of the strength.
        interpolation: the interpolation of those changes that move pixels.
        **kwargs: further arguments of `RandomImageLayer`.
    """

    _names: ClassVar[Sequence[str]] = ()

    def __init__(
        self, value_range: Sequence[float], factor: float | Sequence[float], interpolation: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.value_range = value_range
        self.factor = factor_range(factor, "factor", self)
        self.interpolation = interpolation

    def _made(self, names: Sequence[str]) -> list[ImageLayer]:
        """Return the layers with the given names."""
        f = self.factor
        own: dict[str, Any] = {"dtype": self.dtype_policy, "seed": self.seed, **LAST}
        moving = {"interpolation": self.interpolation, **own}
        colored = {"value_range": self.value_range, **own}
        fixed = {key: value for key, value in colored.items() if key != "seed"}
        makers: dict[str, Callable[[], ImageLayer]] = {
            "random_shear": lambda: RandomShear(f, f, **moving),
            "random_translation": lambda: RandomTranslation(f, f, **moving),
            "random_rotation": lambda: RandomRotation(f, **moving),
            "random_brightness": lambda: RandomBrightness(f, **colored),
            "random_color_degeneration": lambda: RandomColorDegeneration(f, **colored),
            "random_contrast": lambda: RandomContrast(f, **colored),
            "random_sharpness": lambda: RandomSharpness(f, **colored),
            "random_posterization": lambda: RandomPosterization(max(1, int(8 * f[1])), **colored),
            "solarization": lambda: Solarization(f, f, **colored),
            "auto_contrast": lambda: AutoContrast(**fixed),
            "equalization": lambda: Equalization(**fixed),
        }
        return [makers[name]() for name in names]

    @staticmethod
    def _changes(
        layers: Sequence[ImageLayer], drawn: Sequence[Transformation], masks: bool
    ) -> list[Callable[[Array], Array]]:
        """Return functions that apply each layer to a batch of images, or of masks."""

        def change(layer: ImageLayer, transformation: Transformation) -> Callable[[Array], Array]:
            function = layer._transform_masks if masks else layer._transform
            return lambda batch: ops.cast(function(batch, transformation), ops.dtype(batch))

        return [change(layer, transformation) for layer, transformation in zip(layers, drawn, strict=True)]


_GEOMETRY = ("random_shear", "random_translation", "random_rotation")
_COLORS = ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness")
_TONES = ("random_posterization", "solarization", "auto_contrast", "equalization")


@LAYERS.register()
class RandAugment(_Policy):
    """Applies some randomly chosen changes, the same ones to all images of a batch, while training.

    Source: Cubuk et al., "RandAugment", 2019, https://arxiv.org/abs/1909.13719.

    Args:
        value_range: the range of the images' values.
        num_ops: the number of changes, applied one after another.
        factor: the range of their strength: a pair, or one number `f` for 0 to f.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: an int that gives the layer a random stream of its own.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: an argument is out of range.
    """

    _names = (*_GEOMETRY, *_COLORS, *_TONES)
    _moves_pixels = True

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_ops: int = 2,
        factor: float | Sequence[float] = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, factor, interpolation, seed=seed, data_format=data_format, **kwargs)
        self.num_ops = num_ops
        self._layers = self._made(self._names)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        chosen = random.randint((self.num_ops,), 0, len(self._names), seed=seed)
        drawn = [{**layer._draw(shape, seed), "size": shape[1:3]} for layer in self._layers]
        return {"layer_idxes": chosen, "transforms": drawn}

    def _applied(self, batch: Array, transformation: Transformation, masks: bool) -> Array:
        changes = self._changes(self._layers, transformation["transforms"], masks)
        for i in range(self.num_ops):
            batch = ops.switch(transformation["layer_idxes"][i], changes, batch)
        return batch

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        return self._applied(images, transformation, masks=False)

    def _transform_masks(self, masks: Array, transformation: Transformation) -> Array:
        return self._applied(masks, transformation, masks=True)

    def _transform_boxes(self, corners: Array, transformation: Transformation) -> Array:
        def change(layer: ImageLayer, drawn: Transformation) -> Callable[[Array], Array]:
            return lambda boxes: layer._transform_boxes(boxes, drawn)

        changes = [change(*pair) for pair in zip(self._layers, transformation["transforms"], strict=True)]
        for i in range(self.num_ops):
            corners = ops.switch(transformation["layer_idxes"][i], changes, corners)
        return corners


@LAYERS.register()
class AugMix(_Policy):
    """Mixes each image with the mean of several chains of randomly chosen changes, while training.

    Source: Hendrycks et al., "AugMix", 2019, https://arxiv.org/abs/1912.02781.

    Args:
        value_range: the range of the images' values.
        num_chains: the number of chains.
        chain_depth: the largest number of changes in a chain; one of the choices is to change nothing.
        factor: the range of their strength: a pair, or one number `f` for 0 to f.
        alpha: the parameter of the Dirichlet distribution of the chains' weights, and of the beta distribution of the
            image's own weight.
        all_ops: whether brightness, contrast, colour and sharpness are among the changes.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: an int that gives the layer a random stream of its own.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: float | Sequence[float] = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, factor, interpolation, seed=seed, data_format=data_format, **kwargs)
        self.num_chains = positive_int(num_chains, "num_chains", self)
        self.chain_depth = positive_int(chain_depth, "chain_depth", self)
        self.alpha = alpha
        self.all_ops = all_ops
        self._layers = self._made((*_GEOMETRY, *_TONES, *(_COLORS if all_ops else ())))

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        weights = random.gamma((self.num_chains,), self.alpha, seed=seed)
        own = random.beta((), self.alpha, self.alpha, seed=seed)
        count = (self.num_chains, self.chain_depth)
        chosen = random.randint(count, 0, len(self._layers) + 1, seed=seed)
        drawn = [
            [[{**layer._draw(shape, seed), "size": shape[1:3]} for layer in self._layers] for _ in range(count[1])]
            for _ in range(count[0])
        ]
        weights = weights / ops.sum(weights)
        return {"chain_mixing_weights": weights, "weight_sample": own, "chosen": chosen, "drawn": drawn}

    def _applied(self, batch: Array, transformation: Transformation, masks: bool) -> Array:
        total: Any = 0.0
        for i, chain in enumerate(transformation["drawn"]):
            changed = batch
            for j, drawn in enumerate(chain):
                changes = [*self._changes(self._layers, drawn, masks), lambda same: same]
                changed = ops.switch(transformation["chosen"][i, j], changes, changed)
            total = total + changed * ops.cast(transformation["chain_mixing_weights"][i], ops.dtype(changed))
        own = ops.cast(transformation["weight_sample"], ops.dtype(total))
        return own * batch + (1.0 - own) * total

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        return ops.clip(self._applied(images, transformation, masks=False), *self.value_range)

    def _transform_masks(self, masks: Array, transformation: Transformation) -> Array:
        return self._applied(ops.cast(masks, self.compute_dtype), transformation, masks=True)
