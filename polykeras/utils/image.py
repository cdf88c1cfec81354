"""Image files and arrays. Pillow reads and writes files; it is imported when it is needed."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import config, ops
from polykeras.common.types import ArrayLike

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from PIL.Image import Image

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_GRAY = ("L", "I;16", "I")
"""Modes of Pillow that are kept if grey images are requested: of 8, 16 and 32 bits."""
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def _pillow(what: str) -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"{what} needs Pillow, which is not installed. Install it with `pip install polykeras[images]`, or "
            "`pip install pillow`."
        ) from error
    return Image


def array_to_img(
    x: ArrayLike, data_format: str | None = None, scale: bool = True, dtype: DTypeLike | None = None
) -> Image:
    """Return a Pillow image made from an array.

    Args:
        x: one image of 1, 3 (RGB) or 4 (RGBA) channels, `(height, width, channels)`; or channels first.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
        scale: whether to map the smallest value to 0 and the largest to 255; otherwise values are truncated.
        dtype: the dtype of the arithmetic before that; by default the default float dtype.

    Returns:
        The image, with 8 bits for each channel. Grey images with values above 255 have 32 bits.

    Raises:
        ValueError: if the rank or the number of channels is wrong.
        ImportError: if Pillow is not installed.
    """
    image = _pillow("array_to_img")
    first = config.standardize_data_format(data_format) == "channels_first"
    x = np.asarray(x, dtype or config.floatx())
    if x.ndim != 3:
        raise ValueError(f"array_to_img: expected one image of 3 axes; received an array of the shape {x.shape}.")
    if first:
        x = x.transpose(1, 2, 0)
    if x.shape[2] not in (1, 3, 4):
        raise ValueError(f"array_to_img: expected 1, 3 or 4 channels; received {x.shape[2]} of the shape {x.shape}.")
    if scale:
        x = x - x.min()
        largest = x.max()
        x = (x / largest if largest != 0 else x) * 255
    if x.shape[2] == 1:
        return image.fromarray(x[:, :, 0].astype("int32" if x.max() > 255 else "uint8"))
    return image.fromarray(x.astype("uint8"))


def img_to_array(img: Any, data_format: str | None = None, dtype: DTypeLike | None = None) -> np.ndarray:
    """Return the pixels of a Pillow image.

    Args:
        img: the image, or an array of 2 or 3 axes.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
        dtype: the dtype of the result; by default the default float dtype.

    Returns:
        Shape `(height, width, channels)`, or channels first.

    Raises:
        ValueError: if it has another number of axes.
    """
    first = config.standardize_data_format(data_format) == "channels_first"
    x = np.asarray(img, dtype or config.floatx())
    if x.ndim == 2:
        x = x[:, :, None]
    elif x.ndim != 3:
        raise ValueError(f"img_to_array: expected an image of 2 or 3 axes; received the shape {x.shape}.")
    return x.transpose(2, 0, 1) if first else x


def save_img(
    path: Any,
    x: ArrayLike,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array to an image file.

    Args:
        path: the path of the file, or an open file.
        x: one image, see `array_to_img`.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
        file_format: the format, such as `"png"`; by default given by the suffix of the path.
        scale: see `array_to_img`.
        **kwargs: arguments of `PIL.Image.Image.save`.
    """
    if file_format is None and isinstance(path, (str, Path)):
        file_format = Path(path).suffix[1:].lower()
    if file_format and file_format.lower() == "jpg":
        file_format = "jpeg"
    img = array_to_img(x, data_format, scale)
    if img.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("save_img: a JPEG file has no transparency; the image is written as RGB.", stacklevel=2)
        img = img.convert("RGB")
    img.save(path, format=file_format or None, **kwargs)


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Sequence[int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image:
    """Return the Pillow image of a file.

    Args:
        path: the path of the file, or a `BytesIO` with its bytes.
        color_mode: `"grayscale"`, `"rgb"` or `"rgba"`. Grey images of 16 or 32 bits keep them.
        target_size: the `(height, width)` to which it is resized.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"hamming"`, `"box"` or `"lanczos"`.
        keep_aspect_ratio: whether to first crop the image, centred, to the aspect ratio of `target_size`.

    Raises:
        TypeError: if `path` is something else.
        ValueError: if the colour mode or the interpolation is unknown.
        ImportError: if Pillow is not installed.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> save_img(file, [[[0.0], [1.0]]], file_format="png")
        >>> img_to_array(load_img(file, color_mode="grayscale")).ravel().tolist()
        [0.0, 255.0]
    """
    image = _pillow("load_img")
    if color_mode not in _MODES:
        raise ValueError(f"load_img: `color_mode` must be one of {', '.join(_MODES)}; received {color_mode!r}.")
    if interpolation not in _INTERPOLATIONS:
        raise ValueError(
            f"load_img: `interpolation` must be one of {', '.join(_INTERPOLATIONS)}; received {interpolation!r}."
        )
    if isinstance(path, io.BytesIO):
        img = image.open(path)
    elif isinstance(path, (str, bytes, os.PathLike)):
        with open(path, "rb") as file:
            img = image.open(io.BytesIO(file.read()))
    else:
        raise TypeError(f"load_img: expected a path or an io.BytesIO; received {type(path).__name__}.")
    wanted = _MODES[color_mode]
    if img.mode != wanted and not (color_mode == "grayscale" and img.mode in _GRAY):
        img = img.convert(wanted)
    if target_size is None or img.size == (target_size[1], target_size[0]):
        return img
    size, method = (target_size[1], target_size[0]), getattr(image.Resampling, interpolation.upper())
    if not keep_aspect_ratio:
        return img.resize(size, method)
    width, height = img.size
    cut_height = min(height, width * size[1] // size[0])
    cut_width = min(width, height * size[0] // size[1])
    top, left = (height - cut_height) // 2, (width - cut_width) // 2
    return img.resize(size, method, box=(left, top, left + cut_width, top + cut_height))


def smart_resize(
    x: ArrayLike, size: Sequence[int], interpolation: str = "bilinear", data_format: str | None = "channels_last"
) -> Any:
    """Return resized images without distortion: they are first cropped to the new aspect ratio.

    Args:
        x: one image `(height, width, channels)` or a batch of them; or channels first.
        size: the new `(height, width)`.
        interpolation: see `ops.image.resize`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        The images, as a NumPy array for a NumPy array, otherwise as an array of the backend.
    """
    resized = ops.image.resize(x, size, interpolation, crop_to_aspect_ratio=True, data_format=data_format)
    return ops.convert_to_numpy(resized) if isinstance(x, np.ndarray) else resized
