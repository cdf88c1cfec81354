"""Affine transforms and brightness changes of single images. Random numbers come from NumPy's global generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras.utils.image import array_to_img, img_to_array


def apply_affine_transform(
    x: np.ndarray,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> np.ndarray:
    """Return an image rotated, shifted, sheared and zoomed around its centre.

    Args:
        x: one image of 3 axes.
        theta: the angle in degrees.
        tx: the shift upwards, in pixels.
        ty: the shift to the left, in pixels.
        shear: the shear angle in degrees.
        zx: the number of rows that become one.
        zy: the number of columns that become one.
        row_axis: the axis of the rows.
        col_axis: the axis of the columns.
        channel_axis: the first axis or the last one.
        fill_mode: how to continue beyond the border: `"constant"`, `"nearest"`, `"reflect"` or `"wrap"`.
        cval: the value for `"constant"`.
        order: the order of the splines between pixels: 0 for the nearest pixel, 1 for linear.

    Raises:
        ValueError: if the rank or the axes are wrong.
        ImportError: if SciPy is not installed.
    """
    if x.ndim != 3 or sorted((row_axis, col_axis, channel_axis)) != [0, 1, 2] or channel_axis == 1:
        raise ValueError(
            "apply_affine_transform: expected an image of 3 axes, the channels first or last; received the shape "
            f"{x.shape}, with row_axis={row_axis}, col_axis={col_axis} and channel_axis={channel_axis}."
        )
    matrix = _affine_matrix(theta, tx, ty, shear, zx, zy)
    if matrix is None:
        return x
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ImportError("Rotating, shifting, shearing and zooming images needs SciPy: pip install scipy") from error
    matrix = _around_middle(matrix, x.shape[row_axis], x.shape[col_axis])
    if col_axis > row_axis:
        matrix = matrix[[1, 0, 2]][:, [1, 0, 2]]
    offset: Any = matrix[:2, 2]
    channels = [
        # According to its annotations, the offset is one number; the documentation allows one for each axis.
        ndimage.affine_transform(channel, matrix[:2, :2], offset, order=order, mode=fill_mode, cval=cval)
        for channel in np.moveaxis(x, channel_axis, 0)
    ]
    return np.moveaxis(np.stack(channels), 0, channel_axis)


def _affine_matrix(theta: float, tx: float, ty: float, shear: float, zx: float, zy: float) -> np.ndarray | None:
    """Return the product of the requested matrices, or None if there are none."""
    angle, slant = np.deg2rad(theta), np.deg2rad(shear)
    turn = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    shift = [[1, 0, tx], [0, 1, ty], [0, 0, 1]]
    slope = [[1, -np.sin(slant), 0], [0, np.cos(slant), 0], [0, 0, 1]]
    zoom = [[zx, 0, 0], [0, zy, 0], [0, 0, 1]]
    asked = ((theta != 0, turn), (tx != 0 or ty != 0, shift), (shear != 0, slope), (zx != 1 or zy != 1, zoom))
    result = None
    for is_asked, part in asked:
        if is_asked:
            result = np.array(part, float) if result is None else result @ np.array(part, float)
    return result


def _around_middle(matrix: np.ndarray, height: int, width: int) -> np.ndarray:
    middle = np.array([[1, 0, height / 2 - 0.5], [0, 1, width / 2 - 0.5], [0, 0, 1]])
    back = np.array([[1, 0, -height / 2 + 0.5], [0, 1, -width / 2 + 0.5], [0, 0, 1]])
    return middle @ matrix @ back


def apply_channel_shift(x: np.ndarray, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """Return an image with a number added to all pixels, clipped to the original range of values.

    Args:
        x: the image.
        intensity: the number.
        channel_axis: the axis of the channels, which are all shifted by the same number.
    """
    return np.clip(x + intensity, x.min(), x.max()).astype(x.dtype, copy=False)


def apply_brightness_shift(x: np.ndarray, brightness: float, scale: bool = True) -> np.ndarray:
    """Return a brighter or darker image, like Pillow.

    Args:
        x: one image of 3 axes.
        brightness: the factor: 0 is black, 1 leaves the image unchanged.
        scale: whether the image is first stretched to the range 0 to 255.

    Raises:
        ImportError: if Pillow is not installed.
    """
    low, high = np.min(x), np.max(x)
    outside = bool(low < 0 or high > 255)
    picture = array_to_img(x, scale=outside or scale)
    from PIL import ImageEnhance

    result = img_to_array(ImageEnhance.Brightness(picture).enhance(brightness))
    return result / 255 * (high - low) + low if outside and not scale else result


def _moved(given: dict[str, Any], **change: Any) -> np.ndarray:
    """Return the changed image of one of the functions below, given its arguments by name (from `locals()`)."""
    options = {name: given[name] for name in ("row_axis", "col_axis", "channel_axis", "fill_mode", "cval")}
    return apply_affine_transform(given["x"], order=given["interpolation_order"], **options, **change)


def random_rotation(
    x: np.ndarray,
    rg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Return an image rotated by a random angle of up to `rg` degrees; other arguments are as for `random_shift`."""
    theta = np.random.uniform(-rg, rg)
    return _moved(locals(), theta=theta)


def random_shift(
    x: np.ndarray,
    wrg: float,
    hrg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Return a randomly shifted image.

    Args:
        x: one image of 3 axes.
        wrg: the largest horizontal shift, as a fraction of the width.
        hrg: the largest vertical shift, as a fraction of the height.
        row_axis: the axis of the rows.
        col_axis: the axis of the columns.
        channel_axis: the axis of the channels.
        fill_mode: see `apply_affine_transform`.
        cval: see `apply_affine_transform`.
        interpolation_order: see `order` of `apply_affine_transform`.
    """
    tx = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    return _moved(locals(), tx=tx, ty=ty)


def random_shear(
    x: np.ndarray,
    intensity: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Return an image sheared by up to `intensity` degrees; other arguments are as for `random_shift`."""
    shear = np.random.uniform(-intensity, intensity)
    return _moved(locals(), shear=shear)


def random_zoom(
    x: np.ndarray,
    zoom_range: Sequence[float],
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Return an image zoomed by factors drawn from `zoom_range`; other arguments are as for `random_shift`.

    Raises:
        ValueError: if `zoom_range` is not two numbers.
    """
    if len(zoom_range) != 2:
        raise ValueError(f"random_zoom: `zoom_range` must be two numbers; received {zoom_range}.")
    zx, zy = zoom_factors(zoom_range)
    return _moved(locals(), zx=zx, zy=zy)


def zoom_factors(zoom_range: Sequence[float]) -> tuple[float, float]:
    """Return random factors for rows and columns between two numbers, or 1 and 1, without a draw, if both are 1."""
    if zoom_range[0] == 1 and zoom_range[1] == 1:
        return 1.0, 1.0
    zx, zy = np.random.uniform(zoom_range[0], zoom_range[1], 2)
    return zx, zy


def random_channel_shift(x: np.ndarray, intensity_range: float, channel_axis: int = 0) -> np.ndarray:
    """Return an image with a random number of up to `intensity_range` added; see `apply_channel_shift`.

    Args:
        x: the image.
        intensity_range: the largest absolute value of the number.
        channel_axis: see `apply_channel_shift`.
    """
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range), channel_axis)


def random_brightness(x: np.ndarray, brightness_range: Sequence[float], scale: bool = True) -> np.ndarray:
    """Return an image multiplied by a factor drawn from `brightness_range`; see `apply_brightness_shift`.

    Args:
        x: one image of 3 axes.
        brightness_range: the least and the largest factor.
        scale: see `apply_brightness_shift`.

    Raises:
        ValueError: if `brightness_range` is not two numbers.
    """
    if len(brightness_range) != 2:
        raise ValueError(f"random_brightness: `brightness_range` must be two numbers; received {brightness_range}.")
    return apply_brightness_shift(x, np.random.uniform(brightness_range[0], brightness_range[1]), scale)
