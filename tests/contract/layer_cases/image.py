"""Cases of layers: images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contract.layer_cases.case import FIRST, layer
from contract.table import R, U
from helpers.layer_runner import LayerCase
from polykeras import layers as L

X, ONE = U(5, 250, 2, 6, 7, 3), U(5, 250, 6, 7, 3)
XF = U(5, 250, 2, 3, 6, 7)
UNIT: dict[str, Any] = {"value_range": (0, 1)}
PIXELS: dict[str, Any] = {"rtol": 1e-4, "atol": 2e-2, "why": "values of 255, looked up at rounded places"}
HALVES: dict[str, Any] = {"grad": False, "atol": 1.01, "why": "halves are rounded to either side"}
JUMPS: dict[str, Any] = {"grad": False, **PIXELS}


def drawn(make: Callable[..., L.Layer], *args: Any, note: str = "", **options: Any) -> list[LayerCase]:
    """Return cases of a layer that draws: of a batch, of one image, channels first, and outside training."""
    case = {**PIXELS, **options}
    return [
        layer(lambda: make(*args), X, note, training=True, **case),
        layer(lambda: make(*args), ONE, f"{note} single".strip(), training=True, **case),
        layer(lambda: make(*args, **FIRST), XF, f"{note} first".strip(), training=True, **case),
        layer(lambda: make(*args), X, f"{note} inference".strip(), training=False),
    ]


CASES: tuple[LayerCase, ...] = (
    layer(lambda: L.Resizing(4, 9), X),
    layer(lambda: L.Resizing(4, 9, "bicubic", antialias=True, **FIRST), XF, "bicubic first", **PIXELS),
    layer(lambda: L.Resizing(3, 3, crop_to_aspect_ratio=True), X, "cut"),
    layer(lambda: L.Resizing(3, 3, "nearest", pad_to_aspect_ratio=True, fill_value=2.0), X, "padded"),
    layer(lambda: L.Resizing(5, 2), R(0, 255, 2, 4, 3, 3), "integers", grad=False),
    layer(lambda: L.CenterCrop(3, 4), X),
    layer(lambda: L.CenterCrop(8, 5), X, "smaller images"),
    layer(lambda: L.CenterCrop(4, 3, **FIRST), XF, "first"),
    layer(lambda: L.RandomCrop(3, 4), X, training=True),
    layer(lambda: L.RandomCrop(6, 4, **FIRST), XF, "first", training=True),
    layer(lambda: L.RandomCrop(3, 4), X, "inference", training=False),
    *drawn(L.RandomFlip),
    layer(lambda: L.RandomFlip("horizontal"), X, "horizontal", training=True),
    *drawn(L.RandomRotation, 0.2),
    layer(lambda: L.RandomRotation((0.1, 0.3), "constant", "nearest", fill_value=3.0), X, "nearest", training=True, **JUMPS),
    *drawn(L.RandomZoom, 0.3, (-0.2, 0.4)),
    layer(lambda: L.RandomZoom(0.3, fill_mode="wrap"), X, "same aspect", training=True, **PIXELS),
    *drawn(L.RandomTranslation, 0.3, (0.1, 0.4)),
    layer(lambda: L.RandomTranslation(0.3, 0.2, "nearest"), X, "edges", training=True, **PIXELS),
    *drawn(L.RandomShear, 0.3, (0.1, 0.2)),
    *drawn(L.RandomPerspective, 1.0, 0.5),
    *drawn(L.RandomElasticTransform),
    *drawn(L.RandomBrightness, 0.3),
    layer(lambda: L.RandomBrightness((0.1, 0.3), **UNIT), U(0, 1, 2, 3, 3, 1), "unit", training=True),
    *drawn(L.RandomContrast, 0.3),
    *drawn(L.RandomHue, 0.4),
    *drawn(L.RandomSaturation, (0.3, 0.8)),
    *drawn(L.RandomColorDegeneration, 0.6),
    *drawn(L.RandomGrayscale, 0.5),
    *drawn(L.RandomColorJitter, (0, 255), 0.2, 0.3, (0.4, 0.7), 0.3),
    layer(lambda: L.RandomColorJitter(hue_factor=0.3), X, "hue alone", training=True, **PIXELS),
    *drawn(L.RandomInvert),
    *drawn(L.RandomPosterization, 5, grad=False),
    layer(lambda: L.RandomPosterization((4, 4), **UNIT), U(0, 1, 2, 3, 3, 1), "unit", grad=False, training=True),
    *drawn(L.Solarization, 0.3, 0.7),
    layer(lambda: L.AutoContrast(), X, **PIXELS),
    layer(lambda: L.AutoContrast(**UNIT, **FIRST), U(0.3, 0.6, 2, 3, 4, 5), "unit first"),
    layer(lambda: L.Equalization(), X, training=True, **HALVES),
    layer(lambda: L.Equalization(bins=16, **FIRST), XF, "first", training=True, **HALVES),
    layer(lambda: L.Equalization(**UNIT), U(0, 1, 2, 5, 4, 1), "unit", training=True, grad=False),
    layer(lambda: L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 7)), X, **JUMPS),
    layer(lambda: L.ContrastLimitedAdaptiveHistogramEqualization((0, 1), 0, (3, 2), **FIRST), U(0, 1, 2, 3, 6, 7), "unit first", grad=False),
    *drawn(L.RandomSharpness, 0.9),
    *drawn(L.RandomGaussianBlur, (0.5, 1.0), (5, 3)),
    *drawn(L.RandomErasing),
    layer(lambda: L.RandomErasing((1, 1), (0.3, 0.6), (1.0, 2.0, 3.0)), X, "colour", training=True),
    *drawn(L.MixUp, 0.4),
    *drawn(L.CutMix),
    *drawn(L.Mosaic),
    *drawn(L.RandAugment, grad=False),
    layer(lambda: L.AugMix(num_chains=2, chain_depth=2), X, training=True, **JUMPS),
    layer(lambda: L.AugMix(all_ops=False, num_chains=1, **FIRST), XF, "geometry first", training=True, **JUMPS),
    layer(lambda: L.AugMix(), ONE, "inference", training=False),
    layer(lambda: L.MaxNumBoundingBoxes(3), X),
)  # fmt: skip
