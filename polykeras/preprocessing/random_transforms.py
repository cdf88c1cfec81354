"""Random changes of a single image. Random numbers come from NumPy's global generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras.preprocessing.affine import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    zoom_factors,
)


class RandomTransforms:
    """The part of `ImageDataGenerator` that changes images. The attributes are its arguments."""

    rotation_range: float
    width_shift_range: Any
    height_shift_range: Any
    brightness_range: Sequence[float] | None
    shear_range: float
    zoom_range: Sequence[float]
    channel_shift_range: float
    fill_mode: str
    cval: float
    horizontal_flip: bool
    vertical_flip: bool
    interpolation_order: int
    row_axis: int
    col_axis: int
    channel_axis: int

    def get_random_transform(self, img_shape: Sequence[int], seed: int | None = None) -> dict[str, Any]:
        """Return random numbers for one image, in the form that `apply_transform` takes.

        Args:
            img_shape: the shape of the image.
            seed: the seed of NumPy's global generator; None leaves it unchanged.
        """
        if seed is not None:
            np.random.seed(seed)
        theta = _up_to(self.rotation_range)
        tx = _shift(self.height_shift_range, img_shape[self.row_axis - 1])
        ty = _shift(self.width_shift_range, img_shape[self.col_axis - 1])
        shear = _up_to(self.shear_range)
        zx, zy = zoom_factors(self.zoom_range)
        flip_horizontal = (np.random.random() < 0.5) * self.horizontal_flip
        flip_vertical = (np.random.random() < 0.5) * self.vertical_flip
        channel_shift = _up_to(self.channel_shift_range) if self.channel_shift_range else None
        lit = self.brightness_range
        brightness = None if lit is None else np.random.uniform(lit[0], lit[1])
        return {
            "theta": theta,
            "tx": tx,
            "ty": ty,
            "shear": shear,
            "zx": zx,
            "zy": zy,
            "flip_horizontal": flip_horizontal,
            "flip_vertical": flip_vertical,
            "channel_shift_intensity": channel_shift,
            "brightness": brightness,
        }

    def apply_transform(self, x: np.ndarray, transform_parameters: dict[str, Any]) -> np.ndarray:
        """Return an image changed by given parameters.

        Args:
            x: one image of 3 axes.
            transform_parameters: the parameters, as `get_random_transform` returns them; missing ones have no effect.
        """
        told = transform_parameters
        row, column, channel = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        x = apply_affine_transform(
            x,
            told.get("theta", 0),
            told.get("tx", 0),
            told.get("ty", 0),
            told.get("shear", 0),
            told.get("zx", 1),
            told.get("zy", 1),
            row_axis=row,
            col_axis=column,
            channel_axis=channel,
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
        )
        if told.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, told["channel_shift_intensity"], channel)
        if told.get("flip_horizontal"):
            x = np.flip(x, column)
        if told.get("flip_vertical"):
            x = np.flip(x, row)
        if told.get("brightness") is not None:
            x = apply_brightness_shift(x, told["brightness"], False)
        return x

    def random_transform(self, x: np.ndarray, seed: int | None = None) -> np.ndarray:
        """Return a randomly changed image.

        Args:
            x: one image of 3 axes.
            seed: the seed of NumPy's global generator; None leaves it unchanged.
        """
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))


def _up_to(most: float) -> float:
    """Return a random number between `-most` and `most`; 0, without a draw, for 0."""
    return np.random.uniform(-most, most) if most else 0.0


def _shift(most: Any, size: int) -> float:
    """Return a random distance in pixels; see `width_shift_range`."""
    if np.ndim(most) or (most and isinstance(most, (int, np.integer))):
        # Drawn from a list, or from the integers below a number.
        distance = np.random.choice(most) * np.random.choice([-1, 1])
    else:
        distance = _up_to(most)
    return distance * size if np.max(most) < 1 else distance
