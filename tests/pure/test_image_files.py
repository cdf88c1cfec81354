"""Image files: read and written as Pillow does, resized, refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import polykeras
from polykeras import config, ops, utils
from polykeras.utils.image import smart_resize

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (6, 9, 3)).astype("uint8")


def opened(path: Any) -> Any:
    """Return an image of Pillow, read at once."""
    with Image.open(path) as image:
        image.load()
        return image


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    Image.fromarray(PIXELS).save(path)
    return path


def test_a_file_as_an_array(file: Path) -> None:
    for path in (file, str(file), str(file).encode(), io.BytesIO(file.read_bytes())):
        array = utils.img_to_array(utils.load_img(path))
        assert array.dtype == np.float32
        assert_array_equal(array, PIXELS)
    first = utils.img_to_array(utils.load_img(file), "channels_first", "uint8")
    assert first.dtype == np.uint8
    assert_array_equal(first, PIXELS.transpose(2, 0, 1))


def test_colours(file: Path, tmp_path: Path) -> None:
    gray = utils.load_img(file, color_mode="grayscale")
    assert gray.mode == "L"
    assert_array_equal(utils.img_to_array(gray)[..., 0], np.asarray(opened(file).convert("L")))
    rgba = utils.img_to_array(utils.load_img(file, "rgba"))
    assert rgba.shape == (6, 9, 4)
    assert (rgba[..., 3] == 255).all()
    deep = tmp_path / "deep.png"
    Image.fromarray(np.array([[0, 70], [500, 60000]], "uint16")).save(deep)
    assert_array_equal(utils.img_to_array(utils.load_img(deep, "grayscale"))[..., 0], [[0, 70], [500, 60000]])


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"])
def test_target_size(interpolation: str, file: Path) -> None:
    method = getattr(Image.Resampling, interpolation.upper())
    loaded = utils.load_img(file, target_size=(4, 5), interpolation=interpolation)
    assert_array_equal(np.asarray(loaded), np.asarray(opened(file).resize((5, 4), method)))
    square = utils.load_img(file, target_size=(3, 3), interpolation=interpolation, keep_aspect_ratio=True)
    assert_array_equal(np.asarray(square), np.asarray(Image.fromarray(PIXELS).resize((3, 3), method, (1, 0, 7, 6))))
    assert utils.load_img(file, target_size=(6, 9)).size == (9, 6)


def test_arrays_become_images() -> None:
    scaled = np.asarray(utils.array_to_img(np.array([[[1.0], [3.0]], [[2.0], [5.0]]])))
    assert_array_equal(scaled, [[0, 127], [63, 255]])
    assert_array_equal(np.asarray(utils.array_to_img(PIXELS, scale=False)), PIXELS)
    assert_array_equal(np.asarray(utils.array_to_img(PIXELS.transpose(2, 0, 1), "channels_first", False)), PIXELS)
    assert_array_equal(np.asarray(utils.array_to_img(np.full((2, 2, 3), 7.0))), np.zeros((2, 2, 3)))
    wide = utils.array_to_img(np.array([[[1.0], [70000.0]]]), scale=False)
    assert (wide.mode, np.asarray(wide).tolist()) == ("I", [[1, 70000]])
    assert utils.array_to_img(RNG.uniform(size=(2, 3, 4))).mode == "RGBA"


def test_arrays_are_written(tmp_path: Path) -> None:
    utils.save_img(tmp_path / "a.png", PIXELS, scale=False)
    assert_array_equal(np.asarray(opened(tmp_path / "a.png")), PIXELS)
    utils.save_img(str(tmp_path / "b.jpg"), PIXELS, scale=False, quality=95)
    assert opened(tmp_path / "b.jpg").format == "JPEG"
    with pytest.warns(UserWarning, match="has no transparency"):
        utils.save_img(tmp_path / "c.jpeg", RNG.uniform(size=(4, 4, 4)))
    assert opened(tmp_path / "c.jpeg").mode == "RGB"
    memory = io.BytesIO()
    utils.save_img(memory, PIXELS, file_format="bmp", scale=False)
    assert_array_equal(np.asarray(opened(memory)), PIXELS)


def test_the_configured_layout_and_dtype_count(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings(), "image_data_format", "channels_first")
    monkeypatch.setattr(config.settings(), "floatx", "float16")
    array = utils.img_to_array(utils.load_img(file))
    assert (array.shape, array.dtype) == ((3, 6, 9), np.float16)
    assert utils.array_to_img(array).size == (9, 6)


@pytest.mark.parametrize("size", [(3, 3), (12, 4), (2, 9)])
def test_smart_resize_cuts_around_the_middle(size: tuple[int, int]) -> None:
    with polykeras.use_backend("numpy"):
        height, width = min(6, 9 * size[0] // size[1]), min(9, 6 * size[1] // size[0])
        top, left = (6 - height) // 2, (9 - width) // 2
        cut = PIXELS[top : top + height, left : left + width].astype("float32")
        resized = smart_resize(PIXELS.astype("float32"), size)
        assert isinstance(resized, np.ndarray)
        assert_allclose(resized, ops.image.resize(cut, size), rtol=1e-6)
        first = smart_resize(PIXELS.transpose(2, 0, 1), size, data_format="channels_first")
        assert first.shape == (3, *size)


WRONG: list[tuple[Any, str]] = [
    (lambda: utils.load_img(3), "expected a path or an io.BytesIO"),
    (lambda: utils.load_img("x.png", color_mode="cmyk"), "`color_mode` must be one of grayscale, rgb, rgba"),
    (lambda: utils.load_img("x.png", interpolation="cubic"), "`interpolation` must be one of nearest"),
    (lambda: utils.array_to_img(np.zeros((2, 2))), "expected one image of 3 axes"),
    (lambda: utils.array_to_img(np.zeros((2, 2, 2))), "expected 1, 3 or 4 channels"),
    (lambda: utils.img_to_array(np.zeros((2, 2, 2, 2))), "2 or 3 axes"),
    (lambda: smart_resize(np.zeros((2, 2)), (2, 2)), "expected an image of 3 axes"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_mistakes_are_told(call: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"load_img needs Pillow.*pip install polykeras\[images\]"):
        utils.load_img("x.png")
    with pytest.raises(ImportError, match="array_to_img needs Pillow"):
        utils.array_to_img(np.zeros((2, 2, 3)))
    assert utils.img_to_array(np.zeros((2, 2))).shape == (2, 2, 1)
