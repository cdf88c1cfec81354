"""Preprocessing of Keras 2: what is wrong with arguments, and what only this library says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.folders import pictures
from polykeras.preprocessing.image import (
    ImageDataGenerator,
    apply_affine_transform,
    image_dataset_from_directory,
    random_brightness,
    random_zoom,
)
from polykeras.preprocessing.sequence import TimeseriesGenerator
from polykeras.preprocessing.text import Tokenizer

IMAGES = np.random.default_rng(0).uniform(0, 255, (6, 5, 4, 3)).astype("float32")


def test_tokenizers_say_what_is_wrong() -> None:
    assert Tokenizer(nb_words=7).num_words == 7
    with pytest.raises(TypeError, match="unknown arguments words"):
        Tokenizer(words=7)
    with pytest.raises(ValueError, match="`mode` must be"):
        Tokenizer(num_words=3).sequences_to_matrix([[1]], "share")
    with pytest.raises(ValueError, match="`fit_on_texts` first"):
        Tokenizer().sequences_to_matrix([[1]])
    with pytest.raises(ValueError, match='before mode="tfidf"'):
        Tokenizer(num_words=3).sequences_to_matrix([[1]], "tfidf")


def test_configs_of_generators() -> None:
    generator = TimeseriesGenerator(np.arange(6).reshape(3, 2), [1, 2, 3], length=1, batch_size=2)
    config = json.loads(generator.to_json())["config"]
    assert json.loads(config["data"]) == [[0, 1], [2, 3], [4, 5]]
    assert json.loads(config["targets"]) == [1, 2, 3]
    assert (config["start_index"], config["end_index"], config["batch_size"]) == (1, 2, 2)
    with pytest.raises(ValueError, match="same length; received 3 and 2"):
        TimeseriesGenerator([1, 2, 3], [1, 2], 1)
    with pytest.raises(ValueError, match="no window fits"):
        TimeseriesGenerator([1, 2, 3], [1, 2, 3], 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_format": "first"}, "data_format"),
        ({"validation_split": 1.5}, "`validation_split`"),
        ({"zoom_range": "ab"}, "`zoom_range`"),
        ({"zoom_range": [1, 2, 3]}, "`zoom_range`"),
        ({"brightness_range": [1]}, "`brightness_range`"),
    ],
)
def test_generators_say_what_is_wrong(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageDataGenerator(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zca_whitening": True}, "zca_whitening needs featurewise_center"),
        ({"featurewise_std_normalization": True}, "featurewise_std_normalization needs featurewise_center"),
        ({"samplewise_std_normalization": True}, "samplewise_std_normalization needs samplewise_center"),
    ],
)
def test_what_follows_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.warns(UserWarning, match=message):
        ImageDataGenerator(**options)


def test_what_was_not_fitted_is_said() -> None:
    with pytest.warns(UserWarning, match="featurewise_center does nothing before `fit`"):
        ImageDataGenerator(featurewise_center=True).standardize(IMAGES[0])
    with pytest.raises(ValueError, match="4 axes"):
        ImageDataGenerator().fit(IMAGES[0])
    with pytest.warns(UserWarning, match="1, 3 or 4 channels"):
        ImageDataGenerator(data_format="channels_first").fit(IMAGES)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((IMAGES, np.ones(5)), {}, "x: 6, y: 5"),
        ((IMAGES, np.ones(6)), {"sample_weight": np.ones(2)}, "sample_weight: 2"),
        (((IMAGES, np.ones(5)), None), {}, "same length"),
        ((IMAGES[0], None), {}, "4 axes"),
        ((IMAGES, None), {"subset": "test"}, "`subset`"),
        ((IMAGES, np.arange(6)), {"subset": "training"}, "different classes"),
    ],
)
def test_flows_say_what_is_wrong(arguments: tuple[Any, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageDataGenerator(validation_split=0.5).flow(*arguments, **options)


def test_weights_belong_to_their_part() -> None:
    generator = ImageDataGenerator(validation_split=0.5)
    weights = np.arange(6.0)
    for subset, expected in (("validation", [0, 1, 2]), ("training", [3, 4, 5])):
        flow = generator.flow(IMAGES, np.zeros(6), sample_weight=weights, subset=subset, shuffle=False)
        assert next(flow)[2].tolist() == expected
    with pytest.raises(ValueError, match="There are 1 batches"):
        flow[1]


def test_the_images_given_stay_as_they_were(tmp_path: Path) -> None:
    before = IMAGES.copy()
    generator = ImageDataGenerator(rescale=2.0, preprocessing_function=lambda x: np.multiply(x, 2, out=x))
    flow = generator.flow(IMAGES, shuffle=False, save_to_dir=str(tmp_path), save_prefix="p", save_format="png")
    np.testing.assert_allclose(next(flow), IMAGES * 4)
    assert np.array_equal(before, IMAGES)
    assert len(list(tmp_path.glob("p_*.png"))) == 6


def test_functions_say_what_is_wrong() -> None:
    for options in ({"channel_axis": 1, "row_axis": 0}, {"row_axis": 0}, {"row_axis": -1}):
        with pytest.raises(ValueError, match="expected an image of 3 axes"):
            apply_affine_transform(IMAGES[0], theta=1, **options)
    with pytest.raises(ValueError, match="two numbers"):
        random_zoom(IMAGES[0], [1])
    with pytest.raises(ValueError, match="two numbers"):
        random_brightness(IMAGES[0], [1])


def test_folders_say_what_is_wrong(tmp_path: Path) -> None:
    pictures(tmp_path)
    for options, message in (
        ({"class_mode": "raw"}, "`class_mode`"),
        ({"color_mode": "grey"}, "`color_mode`"),
        ({"subset": "test"}, "`subset`"),
    ):
        with pytest.raises(ValueError, match=message):
            ImageDataGenerator().flow_from_directory(tmp_path, **options)
    with pytest.raises(TypeError, match="unknown argument 'sorted'"):
        ImageDataGenerator().flow_from_dataframe(None, sorted=True)
    for options, message in (
        ({"color_mode": "grey"}, "`color_mode`"),
        ({"interpolation": "linear"}, "`interpolation`"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "Only one of"),
        ({"format": "jax"}, "`format`"),
    ):
        with pytest.raises(ValueError, match=message):
            image_dataset_from_directory(tmp_path, **options)


def test_images_are_padded_with_black(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.full((4, 8, 3), 200, np.uint8)).save(tmp_path / "wide.png")
    options: dict[str, Any] = {"labels": None, "image_size": (8, 8), "batch_size": None, "verbose": False}
    (image,) = image_dataset_from_directory(tmp_path, pad_to_aspect_ratio=True, **options)
    assert image[:, 0, 0].tolist() == [0, 0, 200, 200, 200, 200, 0, 0]
