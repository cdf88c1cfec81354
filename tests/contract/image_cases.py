"""Calls of the ops of images, a line each: name, positional arguments, keyword arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

RNG = np.random.default_rng(31)


def U(*shape: int) -> np.ndarray:
    """Draw numbers between 0 and 1."""
    return RNG.uniform(0.02, 0.98, shape).astype("float32")


X, SMALL, ONE = U(2, 7, 9, 3), U(1, 5, 6, 2), U(6, 5, 3)
BYTES = RNG.integers(0, 256, (2, 6, 5, 3)).astype("uint8")
FIRST: dict[str, Any] = {"data_format": "channels_first"}
TURN = np.array(
    [[0.91, -0.253, 1.337, 0.217, 1.113, -0.829, 0, 0], [1.217, 0.113, -2.239, -0.127, 0.831, 0.719, 0, 0]], "float32"
)
TILT = np.array([0.9, -0.2, 1.3, 0.2, 1.1, -0.8, 0.01, -0.02], "float32")
CORNERS = np.array([[[0, 0], [8, 0], [0, 6], [8, 6]], [[1, 1], [7, 0], [0, 5], [8, 6]]], "float32")
MOVED = np.array([[[1, 0.5], [7, 1], [0, 5], [8, 6]], [[0, 0], [8, 0], [0, 6], [7.5, 5.5]]], "float32")
PLACES = RNG.uniform(-6, 12, (2, 4, 5)).astype("float32")
MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")

Call = tuple[str, tuple[Any, ...], dict[str, Any]]
CALLS: list[Call] = [
    # ---- sizes
    *[("resize", (X, (5, 13), kind), {"antialias": a}) for kind in INTERPOLATIONS for a in (False, True)],
    ("resize", (X, (3, 4)), {"antialias": True}),
    ("resize", (ONE, (1, 1), "lanczos3"), {"antialias": True}),
    ("resize", (U(2, 3, 9, 7), (4, 11), "bicubic"), FIRST),
    ("resize", (ONE, (6, 5)), {}),
    ("resize", (BYTES, (9, 3), "bicubic"), {}),
    ("resize", (BYTES, (9, 3), "nearest"), {}),
    ("resize", (U(1, 40, 3, 1), (3, 3), "lanczos5"), {"antialias": True}),
    ("resize", (X, (4, 4)), {"crop_to_aspect_ratio": True}),
    ("resize", (X, (6, 3)), {"crop_to_aspect_ratio": True}),
    ("resize", (X, (4, 4)), {"pad_to_aspect_ratio": True, "fill_value": 0.5}),
    ("resize", (X, (3, 9), "nearest"), {"pad_to_aspect_ratio": True}),
    ("resize", (ONE, (3, 9)), {"pad_to_aspect_ratio": True, "fill_value": 2.0}),
    ("crop_images", (X,), {"top_cropping": 1, "target_height": 4, "left_cropping": 2, "right_cropping": 3}),
    ("crop_images", (ONE,), {"bottom_cropping": 1, "target_height": 4, "right_cropping": 0, "target_width": 5}),
    ("crop_images", (U(1, 2, 5, 6), 1, 2, 0, 1), FIRST),
    ("pad_images", (X,), {"top_padding": 1, "target_height": 10, "left_padding": 2, "right_padding": 3}),
    ("pad_images", (ONE,), {"bottom_padding": 1, "target_height": 9, "right_padding": 0, "target_width": 7}),
    ("pad_images", (U(1, 2, 5, 6), 1, 2, 0, 1), FIRST),
    # ---- colours
    ("rgb_to_grayscale", (X,), {}),
    ("rgb_to_grayscale", (BYTES,), {}),
    ("rgb_to_grayscale", (U(3, 4, 5),), FIRST),
    ("rgb_to_grayscale", (U(3, 4, 1),), {}),
    ("rgb_to_hsv", (X,), {}),
    ("rgb_to_hsv", (U(2, 3, 4, 5),), FIRST),
    ("rgb_to_hsv", (np.array([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0, 1]]], "float32"),), {}),
    ("hsv_to_rgb", (X,), {}),
    ("hsv_to_rgb", (U(3, 4, 5),), FIRST),
    ("hsv_to_rgb", (X + 1,), {}),
    # ---- places
    *[("map_coordinates", (X[0, :, :, 0], PLACES, order, mode), {"fill_value": 0.3}) for order in (0, 1) for mode in MODES],
    ("map_coordinates", (ONE, RNG.uniform(0, 4, (3, 7)).astype("float32"), 1), {}),
    ("map_coordinates", (BYTES[0, :, :, 0], PLACES, 1, "wrap"), {}),
    ("map_coordinates", (np.ones((1, 3), "float32"), PLACES, 1, "mirror"), {}),
    *[("affine_transform", (X, TURN, kind, mode), {"fill_value": 0.2}) for kind in ("nearest", "bilinear") for mode in MODES],
    ("affine_transform", (ONE, TURN[0]), {}),
    ("affine_transform", (U(2, 3, 5, 6), TURN), FIRST),
    ("affine_transform", (BYTES, TURN), {}),
    ("perspective_transform", (X, CORNERS, MOVED), {"fill_value": 0.5}),
    ("perspective_transform", (X, CORNERS, MOVED, "nearest"), {}),
    ("perspective_transform", (ONE, CORNERS[0], MOVED[0]), {}),
    ("perspective_transform", (U(2, 3, 7, 9), CORNERS, MOVED), FIRST),
    # ---- filters
    ("gaussian_blur", (X,), {"data_format": "channels_last"}),
    ("gaussian_blur", (X, (5, 3), (0.7, 2.0)), {"data_format": "channels_last"}),
    ("gaussian_blur", (ONE, (2, 4)), {"data_format": "channels_last"}),
    ("gaussian_blur", (U(2, 3, 6, 5), (3, 5)), FIRST),
    ("sobel_edges", (X,), {}),
    ("sobel_edges", (U(2, 3, 6, 5),), FIRST),
    ("ssim", (U(2, 13, 12, 3), U(2, 13, 12, 3)), {}),
    ("ssim", (U(12, 11, 3), U(12, 11, 3)), {"max_val": 2.0, "filter_size": 5, "filter_sigma": 1.0}),
    ("ssim", (U(2, 3, 11, 12), U(2, 3, 11, 12)), FIRST),
    # ---- patches
    ("extract_patches", (X, 3), {}),
    ("extract_patches", (X, (2, 3), (1, 2), 1, "same"), {}),
    ("extract_patches", (X, (2, 3), 1, (3, 2)), {}),
    ("extract_patches", (ONE, (2, 2)), {"padding": "same"}),
    ("extract_patches", (U(2, 3, 6, 7), (3, 2), 2), FIRST),
    ("extract_patches", (U(1, 4, 5, 4, 2), (2, 2, 3)), {}),
    ("extract_patches_3d", (U(1, 4, 5, 4, 2), 2), {}),
    ("extract_patches_3d", (U(1, 2, 4, 5, 4), (2, 1, 2), (1, 2, 2), 1, "same"), FIRST),
    ("extract_patches_3d", (U(4, 5, 4, 2), (2, 3, 2), (1, 1, 2)), {}),
    ("reconstruct_patches", (U(2, 2, 3, 12), (2, 3)), {}),
    ("reconstruct_patches", (U(2, 3, 18), 3, (5, 8), 3, "same"), {}),
    ("reconstruct_patches", (U(2, 8, 2, 1), 2), FIRST),
    ("reconstruct_patches", (U(1, 2, 2, 1, 12), (1, 2, 3), (2, 4, 3)), {}),
    # ---- scaled
    *[
        ("scale_and_translate", (SMALL, (1, 7, 4, 2), np.array([1.5, 0.6], "float32"), np.array([-0.7, 0.4], "float32"), (1, 2), kind), {"antialias": a})
        for kind in ("linear", "bicubic", "lanczos3", "lanczos5")
        for a in (False, True)
    ],
]  # fmt: skip


def name_of(call: Call) -> str:
    """Return a name for test reports."""
    op, args, kwargs = call
    shown = [str(x.shape) if isinstance(x, np.ndarray) else str(x) for x in args]
    return "-".join([op, *shown, *(f"{key}={value}" for key, value in kwargs.items())]).replace(" ", "")


IDS = [f"{i}-{name_of(call)}" for i, call in enumerate(CALLS)]
