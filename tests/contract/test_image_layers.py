"""Layers over images: what belongs to images comes along, draws repeat themselves, models train with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import polykeras
from helpers.runner import in_one_program
from polykeras import layers as L
from polykeras import ops
from polykeras.backend import Backend, use_backend
from polykeras.common import nested
from polykeras.layers.image.base import ImageLayer

RNG = np.random.default_rng(4)
X = RNG.uniform(0, 255, (4, 6, 8, 3)).astype("float32")
MASKS = RNG.integers(0, 5, (4, 6, 8, 1)).astype("int32")
LABELS = np.eye(4, dtype="float32")
BOXES = np.array([[[1, 2, 5, 6], [0, 0, 8, 6]]] * 4, "float32")


def host(x: Any) -> np.ndarray:
    return ops.convert_to_numpy(x)


def results_of(name: str, backend: Backend, fn: Callable[..., Any], *given: Any) -> Any:
    """Return what calls of a layer give, as NumPy arrays: as one program, but for that whose program has all others."""
    return nested.map_structure(host, fn(*given)) if name == "RandAugment" else in_one_program(backend, fn, *given)


def everything() -> dict[str, Any]:
    boxes = {"boxes": BOXES, "labels": np.array([[0, 1]] * 4)}
    return {"images": X, "labels": LABELS, "bounding_boxes": boxes, "segmentation_masks": MASKS}


def first(data: Any) -> Any:
    return {key: first(value) for key, value in data.items()} if isinstance(data, dict) else data[0]


MAKERS: dict[str, Callable[..., ImageLayer]] = {
    "Resizing": lambda **k: L.Resizing(3, 5, **k),
    "CenterCrop": lambda **k: L.CenterCrop(4, 4, **k),
    "RandomCrop": lambda **k: L.RandomCrop(4, 4, seed=1, **k),
    "RandomFlip": lambda **k: L.RandomFlip(seed=1, **k),
    "RandomRotation": lambda **k: L.RandomRotation(0.2, seed=1, **k),
    "RandomPerspective": lambda **k: L.RandomPerspective(seed=1, **k),
    "RandomElasticTransform": lambda **k: L.RandomElasticTransform((1.0, 1.0), (1.0, 1.0), seed=1, **k),
    "RandomHue": lambda **k: L.RandomHue(0.4, seed=1, **k),
    "RandAugment": lambda **k: L.RandAugment(seed=1, **k),
    "MixUp": lambda **k: L.MixUp(seed=1, **k),
    "Mosaic": lambda **k: L.Mosaic(seed=1, **k),
}
MIXES = {"MixUp": 2, "Mosaic": 4}
"""Layers that bring images of a batch together, with the number of them."""


@pytest.mark.parametrize("name", MAKERS)
def test_what_belongs_to_images_comes_along(name: str, backend: Backend) -> None:
    make = MAKERS[name]
    with_boxes, of_images, of_one = make(bounding_box_format="xyxy"), make(), make(bounding_box_format="xyxy")

    def results(data: dict[str, Any]) -> Any:
        passed = dict(data)
        whole = with_boxes(passed), of_images(data["images"]), of_one(first(data))
        assert all(passed[key] is value for key, value in data.items()), "the dict that was passed stays as it is"
        return whole

    data = everything()
    result, alone, single = results_of(name, backend, results, data)
    assert_array_equal(result["images"], alone)
    assert set(result) == set(data)
    assert result["segmentation_masks"].shape[1:3] == alone.shape[1:3]
    if name != "MixUp":
        assert set(np.unique(result["segmentation_masks"])) <= {0, 1, 2, 3, 4}, "classes are not mixed"
    if name not in MIXES:
        assert_array_equal(result["labels"], LABELS)
    boxes = result["bounding_boxes"]["boxes"]
    assert boxes.shape == (4, 2 * MIXES.get(name, 1), 4)
    height, width = alone.shape[1:3]
    assert boxes.min() >= 0
    assert (boxes <= np.array([width, height, width, height]) + 1e-3).all()
    assert single["images"].shape == alone.shape[1:]
    assert single["labels"].shape == (4,)
    assert single["bounding_boxes"]["boxes"].shape == boxes.shape[1:]
    assert single["segmentation_masks"].shape == (*alone.shape[1:3], 1)


@pytest.mark.parametrize("name", ["RandomFlip", "RandomRotation", "RandomCrop", "RandomElasticTransform"])
def test_masks_move_as_images_do(name: str, backend: Backend) -> None:
    """A mask that is the image's own brightness, in two steps, stays that."""
    coarse = np.repeat(np.repeat(RNG.integers(0, 2, (4, 3, 4, 1)), 2, 1), 2, 2)
    kwargs = {} if name in ("RandomCrop", "RandomFlip") else {"interpolation": "nearest"}
    makers: dict[str, Callable[..., Any]] = {
        "RandomFlip": lambda: L.RandomFlip(seed=2),
        "RandomRotation": lambda: L.RandomRotation(0.3, seed=2, **kwargs),
        "RandomCrop": lambda: L.RandomCrop(4, 5, seed=2),
        "RandomElasticTransform": lambda: L.RandomElasticTransform((1, 1), (1, 1), seed=2, **kwargs),
    }
    result = makers[name]()({"images": coarse.astype("float32"), "segmentation_masks": coarse.astype("int32")})
    assert_array_equal(host(result["images"]), host(result["segmentation_masks"]).astype("float32"))
    assert host(result["images"]).any()


def test_a_quarter_turn_is_that_of_numpy(backend: Backend) -> None:
    square = X[:, :, :6]
    turned = host(L.RandomRotation((0.25, 0.25))(square))
    assert_allclose(turned, np.rot90(square, 1, (1, 2)), atol=1e-3)
    half = host(L.RandomRotation((0.5, 0.5))(X))
    assert_allclose(half, X[:, ::-1, ::-1], atol=1e-3)


def test_whole_translations_are_slices(backend: Backend) -> None:
    moved = host(L.RandomTranslation((0.5, 0.5), (-0.25, -0.25), "constant", fill_value=9.0)(X))
    assert_allclose(moved[:, 3:, :6], X[:, :3, 2:], atol=1e-3)
    assert_allclose(moved[:, :3], 9.0)
    assert_allclose(moved[:, :, 6:], 9.0)


def test_a_zoom_out_shows_more(backend: Backend) -> None:
    ones = np.ones((1, 9, 9, 1), "float32")
    shown = host(L.RandomZoom((1.0, 1.0), fill_mode="constant", interpolation="nearest")(ones))
    assert shown.sum() == 25, "half as large in both directions, about the middle pixel"


def test_flips_by_chance(backend: Backend) -> None:
    many = np.broadcast_to(np.arange(4.0, dtype="float32")[None, None, :, None], (400, 1, 4, 1))
    flipped = host(L.RandomFlip("horizontal", seed=3)(many))[:, 0, 0, 0]
    assert set(flipped) == {0.0, 3.0}
    assert 150 < (flipped == 3).sum() < 250


def test_single_images_and_integers(backend: Backend) -> None:
    for name, make in MAKERS.items():
        if name not in ("MixUp", "RandomElasticTransform"):
            of_one, of_several = make(), make()
            one, several = results_of(name, backend, lambda x, a=of_one, b=of_several: (a(x[0]), b(x)), X[:1])
            assert_allclose(one, several[0], rtol=1e-5, err_msg=name)
        as_bytes = results_of(name, backend, partial(make(), training=False), X.astype("uint8"))
        assert as_bytes.dtype == ("uint8" if name == "Resizing" else "float32"), name
    half = L.RandomBrightness((0.1, 0.1), dtype="mixed_float16")(X)
    assert ops.dtype(half) == "float16"


@pytest.mark.slow
def test_augmentation_trains_in_a_model_alike(all_backends: list[Backend]) -> None:
    results = []
    for backend in all_backends:
        polykeras.utils.set_random_seed(9)
        with use_backend(backend):
            augmentation = [L.RandomFlip(), L.RandomRotation(0.1), L.RandomContrast(0.3), L.RandomTranslation(0.2, 0.2)]
            model = polykeras.Sequential(
                [L.Input((6, 8, 3)), *augmentation, L.Rescaling(1 / 255), L.Flatten(), L.Dense(4, "softmax")]
            )
            model.compile("sgd", "categorical_crossentropy")
            model.fit(X, LABELS, batch_size=2, epochs=2, shuffle=False, verbose=0)
            results.append([*model.get_weights(), model.predict(X, verbose=0)])
            assert_allclose(model.predict(X, verbose=0), model.predict(X, verbose=0))
    for values in results[1:]:
        for actual, expected in zip(values, results[0], strict=True):
            assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


def test_rand_augment_in_a_compiled_step(backend: Backend) -> None:
    layer = L.RandAugment(seed=2)
    compiled = polykeras.function(lambda x: layer(x, training=True))
    drawn = [host(compiled(X)) for _ in range(3)]
    assert len({array.tobytes() for array in drawn}) == 3
    eager = L.RandAugment(seed=2)
    for array in drawn:
        assert_allclose(host(eager(X, training=True)), array, rtol=1e-4, atol=0.1)


def test_lists_of_boxes_become_arrays(backend: Backend) -> None:
    boxes = {"boxes": [[[0, 0, 4, 4]], [[1, 1, 2, 2], [0, 0, 8, 6]]], "labels": [[1], [2, 3]]}
    layer = L.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
    found = layer({"images": X[:2], "bounding_boxes": boxes})["bounding_boxes"]
    assert_array_equal(host(found["labels"]), [[1, -1, -1], [2, 3, -1]])
    assert_array_equal(host(found["boxes"])[:, 2], -np.ones((2, 4)))
    fewer = L.MaxNumBoundingBoxes(1, bounding_box_format="xyxy")({"images": X[:2], "bounding_boxes": boxes})
    assert fewer["bounding_boxes"]["boxes"].shape == (2, 1, 4)


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: L.RandomRotation(2.0), "`factor` must be a number, or a pair of them, from -1.0 to 1.0"),
    (lambda: L.RandomRotation(0.1, "edge"), "`fill_mode` must be one of reflect, wrap, constant, nearest"),
    (lambda: L.RandomRotation(0.1, interpolation="bicubic"), "`interpolation` must be one of nearest, bilinear"),
    (lambda: L.RandomZoom(-1.0), "`height_factor` must be"),
    (lambda: L.RandomContrast((0.1, 0.2, 0.3)), "RandomContrast: `factor` must be"),
    (lambda: L.RandomBrightness(0.1, 5), "`value_range` must be a pair"),
    (lambda: L.RandomFlip("both"), "`mode` must be one of"),
    (lambda: L.RandomGaussianBlur(kernel_size=4), "must be an odd int"),
    (lambda: L.RandomErasing(fill_value=(1, 2)), "`fill_value` must be a number, three, or None"),
    (lambda: L.Resizing(0, 3), "`height` must be a positive int"),
    (lambda: L.Resizing(None, None)(X), "`height` must be a positive int; received None"),
    (lambda: L.CenterCrop(3, None)(X), "`width` must be a positive int; received None"),
    (lambda: L.RandomFlip()(np.ones((2, 3))), "expected an image of 3 axes"),
    (lambda: L.RandomFlip()(everything()), "does not know their format"),
    (lambda: L.RandomFlip(bounding_box_format="xy")(everything()), "`source` must be one of xyxy"),
    (lambda: L.RandomFlip(bounding_box_format="xyxy")({"images": X, "bounding_boxes": {"boxes": BOXES}}), "'boxes' and 'labels'"),
    (lambda: L.Mosaic(1.5), "`offset` must be a number, or a pair of them"),
    (lambda: L.Mosaic()({"images": X, "labels": np.arange(4)}), "such as one-hot rows"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG, ids=range(len(WRONG)))
def test_mistakes_are_told(call: Callable[[], Any], message: str) -> None:
    with use_backend("numpy"), pytest.raises(ValueError, match=message):
        call()


def test_a_mosaic_is_cut_out_of_a_grid_of_four(backend: Backend) -> None:
    layer = L.Mosaic((0.2, 0.8), seed=5, bounding_box_format="xyxy")
    drawn = layer.get_random_transformation(X)
    assert drawn is not None
    order, centers = host(drawn["permutation_order"]), host(drawn["mosaic_centers"])
    whole = {"boxes": np.array([[[0, 0, 8, 6]]] * 4, "float32"), "labels": np.arange(4)[:, None]}
    images, masks = host(layer.transform_images(X, drawn)), host(layer.transform_segmentation_masks(MASKS, drawn))
    labels, boxes = host(layer.transform_labels(LABELS, drawn)), layer.transform_bounding_boxes(whole, drawn)
    assert_array_equal(host(boxes["labels"]), order)
    assert not np.array_equal(centers[0], centers[1])
    for i, (x, y) in enumerate(np.rint(centers * [8, 6]).astype(int)):
        for found, given in ((images, X), (masks, MASKS)):
            a, b, c, d = given[order[i]]
            grid = np.concatenate([np.concatenate([a, b], 1), np.concatenate([c, d], 1)])
            assert_array_equal(found[i], grid[6 - y : 12 - y, 8 - x : 16 - x])
        corners = [[0, 0, x, y], [x, 0, 8, y], [0, y, x, 6], [x, y, 8, 6]]
        assert_allclose(host(boxes["boxes"])[i], corners, atol=1e-5)
        areas = np.array([(right - left) * (bottom - top) for left, top, right, bottom in corners]) / 48
        assert_allclose(labels[i], areas @ LABELS[order[i]], atol=1e-6)


def test_cut_mix_refuses_boxes() -> None:
    with use_backend("numpy"), pytest.raises(NotImplementedError, match="use MixUp"):
        L.CutMix(bounding_box_format="xyxy")(everything())


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_single_images_are_changed_as_those_of_a_batch(name: str, data_format: str, backend: Backend) -> None:
    layer = MAKERS[name](bounding_box_format="xyxy", data_format=data_format)
    axes = (-3, -2, -1) if data_format == "channels_last" else (-2, -1, -3)
    assert (layer.height_axis, layer.width_axis, layer.channel_axis) == axes
    boxes = {key: value[:1] for key, value in everything()["bounding_boxes"].items()}
    images, masks = (x if data_format == "channels_last" else np.moveaxis(x, -1, 1) for x in (X, MASKS))

    def pairs(images: Any, labels: Any, masks: Any, boxes: Any) -> list[tuple[Any, Any]]:
        drawn = layer.get_random_transformation(images, seed=3)
        found = [
            (layer.transform_single_image(images[0], drawn), layer.transform_images(images, drawn)),
            (layer.transform_single_label(labels[0], drawn), layer.transform_labels(labels, drawn)),
            (
                layer.transform_single_segmentation_mask(masks[0], drawn),
                layer.transform_segmentation_masks(masks, drawn),
            ),
        ]
        if name != "MixUp":  # where boxes of two images come together
            one = layer.transform_single_bounding_box(first(boxes), drawn)
            found.append((one["boxes"], layer.transform_bounding_boxes(boxes, drawn)["boxes"]))
        return found

    for one, several in results_of(name, backend, pairs, images[:1], LABELS[:1], masks[:1], boxes):
        assert_array_equal(one, several[0])


def test_layers_without_a_factor_say_so() -> None:
    with pytest.raises(ValueError, match="RandomFlip has no `factor`"):
        L.RandomFlip(factor=0.3)
    assert "factor" not in L.RandomFlip().get_config()
    assert L.RandomHue(0.3).get_config()["factor"] == (0.0, 0.3)


class Brighter(L.Rescaling):
    """Computes by the functions that Keras gives preprocessing layers, as KerasHub's do."""

    def call(self, inputs: Any) -> Any:
        noise = self.backend.random.uniform(self.backend.shape(inputs), seed=1)
        inputs = self.backend.image.resize(inputs, inputs.shape[1:3])
        return self.backend.numpy.add(self.backend.cast(inputs, "float32") * self.scale, 0 * noise)


def test_functions_by_the_name_of_keras(backend: Backend) -> None:
    layer = Brighter(2.0)
    assert layer.backend.name == backend.name
    assert_array_equal(host(layer(X)), host(X) * 2)
    assert layer(polykeras.Input((4, 4, 3))).shape == (None, 4, 4, 3)
