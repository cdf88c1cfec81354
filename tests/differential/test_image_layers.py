"""Layers over images as Keras has them (3.15, on JAX): what Keras draws, ours are given, and the images must be equal."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from differential.opponent import keras, quiet
from polykeras import layers, ops
from polykeras.common import nested

pytestmark = pytest.mark.keras

RNG = np.random.default_rng(8)
X = RNG.uniform(3, 252, (3, 8, 10, 3)).astype("float32")
FIRST: dict[str, Any] = {"data_format": "channels_first"}

LAYERS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Resizing", (5, 12), {}),
    ("Resizing", (5, 5, "bicubic"), {"crop_to_aspect_ratio": True, "antialias": True}),
    ("Resizing", (4, 4, "nearest"), {"pad_to_aspect_ratio": True, "fill_value": 7.0}),
    ("Resizing", (5, 6), FIRST),
    ("CenterCrop", (5, 4), {}),
    ("CenterCrop", (12, 5), {}),
    ("CenterCrop", (5, 4), FIRST),
    ("RandomFlip", (), {}),
    ("RandomFlip", ("vertical",), FIRST),
    ("RandomRotation", (0.3,), {}),
    ("RandomRotation", ((0.25, 0.25), "constant"), {"fill_value": 5.0}),
    ("RandomRotation", (0.1, "wrap"), FIRST),
    ("RandomZoom", (0.3,), {}),
    ("RandomZoom", ((0.1, 0.4), -0.3, "nearest"), FIRST),
    ("RandomTranslation", (0.3, 0.2), {}),
    ("RandomTranslation", ((-0.4, 0.1), 0.0, "constant", "nearest"), {}),
    ("RandomShear", (0.3, 0.2), {}),
    ("RandomPerspective", (1.0, 0.4), {}),
    ("RandomBrightness", (0.4,), {}),
    ("RandomBrightness", ((0.2, 0.2),), {"value_range": (0, 300)}),
    ("RandomContrast", (0.5,), {}),
    ("RandomHue", (0.7,), {}),
    ("RandomHue", (0.7,), FIRST),
    ("RandomSaturation", ((0.2, 0.9),), {}),
    ("RandomSaturation", (0.4,), FIRST),
    ("RandomColorDegeneration", (0.7,), {}),
    ("RandomGrayscale", (0.5,), {}),
    ("RandomInvert", (), {}),
    ("RandomPosterization", (6,), {}),
    ("RandomPosterization", ((3, 3),), {"value_range": (0, 300)}),
    ("Solarization", (0.2, 0.6), {}),
    ("Solarization", (0.2, 0.6), {"value_range": (0, 300)}),
    ("AutoContrast", (), {}),
    ("AutoContrast", ((0, 300),), {}),
    ("Equalization", (), {}),
    ("Equalization", ((0, 300), 32), {}),
    ("ContrastLimitedAdaptiveHistogramEqualization", (), {"tile_grid_size": (2, 3)}),
    ("ContrastLimitedAdaptiveHistogramEqualization", ((0, 300), 1.5, (3, 2)), {}),
    ("RandomSharpness", (0.8,), {}),
    ("RandomGaussianBlur", (1.0, (5, 3)), {}),
    ("RandomErasing", (1.0, (0.2, 0.6), 2.0), {}),
    ("RandomErasing", ((1.0, 1.0),), FIRST),
    ("MixUp", (0.5,), {}),
    ("CutMix", ((1.0, 1.0),), {}),
]
IDS = [f"{name}-{'-'.join(map(str, args))}-{kwargs}".replace(" ", "") for name, args, kwargs in LAYERS]


def pair(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Return a layer of ours and one of Keras."""
    return getattr(layers, name)(*args, **kwargs), getattr(keras().layers, name)(*args, **kwargs)


def drawn(theirs: Any, images: np.ndarray) -> tuple[Any, dict[str, Any]]:
    """Return what Keras's layer draws, and the same for ours."""
    found = theirs.get_random_transformation(images, training=True)
    plain = found if isinstance(found, Mapping) else {"applies": found} if hasattr(found, "shape") else {}
    size = images.shape[2:] if theirs.data_format == "channels_first" else images.shape[1:3]
    moved = {}
    for key, value in plain.items():
        value = np.asarray(value) if hasattr(value, "shape") else value
        if key in ("batch_masks", "fill_value") and theirs.data_format == "channels_first":
            value = np.moveaxis(value, 1, -1)
        moved[key] = value
    return found, {**moved, "size": size}


@pytest.mark.parametrize(("name", "args", "kwargs"), LAYERS, ids=IDS)
def test_the_same_draws_give_the_same_images(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    images = X.transpose(0, 3, 1, 2) if kwargs == FIRST else X
    with quiet():
        ours, theirs = pair(name, args, kwargs)
        found, given = drawn(theirs, images)
        expected = np.asarray(theirs.transform_images(keras().ops.convert_to_tensor(images), found, training=True))
        result = ops.convert_to_numpy(ours.transform_images(images, given, training=True))
        assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
        assert_allclose(result, expected, rtol=1e-4, atol=1.01 if name == "Equalization" else 3e-2)
        if ours.only_training:
            assert np.abs(expected - images).max() > 1.0 or name in (
                "RandomInvert",
                "RandomGrayscale",
                "RandomErasing",
                "RandomFlip",
            )
            assert_array_equal(ops.convert_to_numpy(ours(images, training=False)), images)


@pytest.mark.parametrize(("name", "args", "kwargs"), LAYERS, ids=IDS)
def test_what_is_drawn_has_the_same_range(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """The extremes of 2,000 images: no draw of ours lies where none of Keras's can."""
    many = np.zeros((2000, 2, 2, 3), "float32").transpose(*((0, 3, 1, 2) if kwargs == FIRST else (0, 1, 2, 3)))
    if name in ("CutMix", "RandomErasing"):
        return  # rectangles: their sides are compared by `test_rectangles`
    with quiet():
        ours, theirs = pair(name, args, kwargs)
        mine = ours.get_random_transformation(many, training=True)
        found = drawn(theirs, many)[1]
    for key in set(found) - {
        "size",
        "input_shape",
        "permutation_order",
        "rotation_matrix",
        "batch_size",
        "blur_factor",
        "image_height",
        "image_width",
    }:
        a, b = (np.asarray(x, "float64") for x in (mine[key], found[key]))
        spread = max(np.ptp(b), 1e-3)
        low, high = (np.abs(f(a) - f(b)) for f in (np.min, np.max))
        assert max(low, high) < 0.1 * spread if key != "factor" or name != "RandomSaturation" else True, key
        assert abs(a.mean() - b.mean()) < 0.1 * spread, key


def test_rectangles() -> None:
    many = np.zeros((500, 20, 30, 3), "float32")
    for name, args in (("RandomErasing", ((1.0, 1.0), (0.1, 0.3))), ("CutMix", ((1.0, 1.0),))):
        with quiet():
            ours, theirs = pair(name, args, {})
            a = ops.convert_to_numpy(ours.get_random_transformation(many)["batch_masks"])[..., 0]
        b = np.asarray(theirs.get_random_transformation(many)["batch_masks"])[..., 0]
        assert abs(a.mean() - b.mean()) < 0.03
        for axis in (1, 2):
            assert abs(a.any(axis).sum(1).mean() - b.any(axis).sum(1).mean()) < 1.5


BOXES = np.array([[[1, 2, 5, 6], [0, 0, 10, 8], [4, 1, 9, 3]]] * 3, "float32")


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("Resizing", (5, 12), {}),
        ("Resizing", (8, 8), {"crop_to_aspect_ratio": True}),  # to other sizes, Keras rounds where the part begins
        ("Resizing", (4, 4), {"pad_to_aspect_ratio": True}),
        ("CenterCrop", (5, 4), {}),
        ("CenterCrop", (12, 5), {}),
        ("RandomFlip", ("horizontal",), {}),
        ("RandomZoom", (0.3, 0.2), {}),
        ("RandomTranslation", (0.3, 0.2), {}),
        ("RandomRotation", (0.1,), {}),
        ("MixUp", (), {}),
    ],
)
def test_boxes_move_along(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    given = {"boxes": BOXES, "labels": np.array([[0, 1, 2]] * 3)}
    with quiet():
        ours, theirs = pair(name, args, {**kwargs, "bounding_box_format": "xyxy"})
        found, moved = drawn(theirs, X)
        in_keras = nested.map_structure(keras().ops.convert_to_tensor, given)
        expected = theirs.transform_bounding_boxes(dict(in_keras), found)
        result = ours.transform_bounding_boxes(nested.map_structure(ops.convert_to_tensor, given), moved)
        assert_allclose(ops.convert_to_numpy(result["boxes"]), expected["boxes"], rtol=1e-4, atol=1e-3)
        if name != "MixUp":  # there Keras puts the labels of the second image below those of all first ones
            assert_array_equal(ops.convert_to_numpy(result["labels"]), expected["labels"])


def test_labels_are_mixed_alike() -> None:
    labels = np.eye(3, dtype="float32")
    for name in ("MixUp", "CutMix"):
        with quiet():
            ours, theirs = pair(name, (), {})
            found, moved = drawn(theirs, X)
            expected = theirs.transform_labels(labels, found)
            assert_allclose(ops.convert_to_numpy(ours.transform_labels(labels, moved)), expected, atol=1e-5)


def _arguments(cls: type) -> list[tuple[str, Any]]:
    return [(p.name, p.default) for p in inspect.signature(cls).parameters.values()]


NOT_YET = {"Mosaic"}
"""Layers of Keras 3.16."""


@pytest.mark.parametrize("name", sorted(n for n, module in layers.LATER.items() if module.endswith(".image")))
def test_signatures(name: str) -> None:
    if name in NOT_YET:
        assert not hasattr(keras().layers, name)
        return
    assert _arguments(getattr(layers, name)) == _arguments(getattr(keras().layers, name))
