"""Edges of the ops of images: one pixel, no images, sizes far apart, bytes and halves, places outside."""

from __future__ import annotations

import numpy as np

from contract.table import NAN, A, Case, I, N, U
from differential.ops_cases import ops
from polykeras import dtypes

PIXEL, IMAGE, NO_IMAGES = U(0, 1, 1, 1, 3), U(0, 1, 1, 4, 5, 3), A(np.zeros((0, 4, 5, 3)))
BYTES = np.arange(36, dtype="uint8").reshape(1, 3, 4, 3) * 7
HALVES = [
    np.linspace(0, 1, 36).reshape(1, 3, 4, 3).astype(dtypes.numpy_dtype(name)) for name in ("float16", "bfloat16")
]
SHIFT = A([[1.0, 0.0, 1.5, 0.0, 1.0, -0.5, 0.0, 0.0]])
TILT = A([[1.0, 0.1, 0.0, 0.0, 1.0, 0.0, 0.05, 0.0]])
CORNERS = A([[[0.0, 0.0], [4.0, 0.0], [0.0, 3.0], [4.0, 3.0]]])
LAST = {"data_format": "channels_last"}
ATOL = 1e-5
"""How far float32 may be off: images of numbers between 0 and 1, of which the weights sum to 1."""

EDGES: list[Case] = ops(
    *[("image.resize", x, size, kind) for x, size in ((PIXEL, (3, 2)), (IMAGE, (1, 1)), (IMAGE, (4, 5)), (IMAGE, (9, 2))) for kind in ("nearest", "bilinear", "bicubic")],
    *[("image.resize", x, (5, 3), "bilinear") for x in (BYTES, *HALVES)], ("image.resize", BYTES, (1, 2), "nearest"), ("image.resize", BYTES, (5, 7), "lanczos3"),
    *[("image.resize", IMAGE, (8, 3), {key: True, **more}) for key in ("crop_to_aspect_ratio", "pad_to_aspect_ratio") for more in ({}, {"antialias": True, "interpolation": "bicubic"})],
    *[(f"image.{op}", x) for op in ("rgb_to_grayscale", "rgb_to_hsv", "hsv_to_rgb") for x in (PIXEL, NO_IMAGES, *HALVES)], ("image.rgb_to_grayscale", BYTES), ("image.rgb_to_hsv", A([[[0.5, 0.5, 0.5], [0.2, 0.2, 0.1], [1.5, -0.5, 0.0], [NAN, 0.0, 1.0]]])), ("image.hsv_to_rgb", A([[[0.0, 0.0, 0.5], [1.0, 1.0, 1.0], [-0.25, 0.5, 0.5], [0.5, 2.0, 1.0]]])),
    ("image.crop_images", IMAGE, 1, 1, 1, 1), ("image.crop_images", IMAGE, {"top_cropping": 0, "left_cropping": 0, "target_height": 4, "target_width": 1}), ("image.crop_images", NO_IMAGES, 1, 0, 0, 2), ("image.pad_images", IMAGE, 0, 0, 0, 0), ("image.pad_images", BYTES, 1, 2, 0, 1), ("image.pad_images", NO_IMAGES, 1, 0, 0, 2), ("image.pad_images", PIXEL, {"top_padding": 2, "left_padding": 1, "target_height": 3, "target_width": 4}),
    *[("image.map_coordinates", x, A([[-2.5, -0.5, 0.0, 1.49, 2.5, 7.0]]), order, mode) for x in (A([1.0, 3.0, -2.0]), I(1, 3, -2)) for order in (0, 1) for mode in ("constant", "nearest", "wrap", "mirror", "reflect")], ("image.map_coordinates", A([1.0, 3.0]), A(np.zeros((1, 0))), 1), ("image.map_coordinates", A([[1.0, 3.0]]), I([[0, 0], [0, 1]]), 1),
    *[("image.affine_transform", x, m, kind, mode, 0.5) for x, m in ((IMAGE, SHIFT), (BYTES, SHIFT)) for kind in ("nearest", "bilinear") for mode in ("constant", "reflect")], ("image.affine_transform", IMAGE, TILT), ("image.affine_transform", HALVES[0], SHIFT), ("image.affine_transform", NO_IMAGES, A(np.zeros((0, 8)))), ("image.affine_transform", IMAGE, A([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])),
    ("image.perspective_transform", IMAGE, CORNERS, CORNERS), ("image.perspective_transform", IMAGE, CORNERS, CORNERS[:, [1, 0, 3, 2]].copy(), "nearest"), ("image.perspective_transform", BYTES, CORNERS, CORNERS + 0.5), ("image.perspective_transform", IMAGE, CORNERS, CORNERS * 0.5, {"fill_value": 2.0}),
    *[("image.gaussian_blur", x, LAST) for x in (IMAGE, PIXEL, BYTES, *HALVES)], ("image.gaussian_blur", IMAGE, (1, 1), LAST), ("image.gaussian_blur", IMAGE, (5, 3), (0.1, 9.0), LAST),
    *[("image.sobel_edges", x) for x in (IMAGE, PIXEL, BYTES, NO_IMAGES, *HALVES)],
    ("image.ssim", IMAGE, IMAGE, {"filter_size": 3}), ("image.ssim", IMAGE, IMAGE, {"filter_size": 3, "k1": 0.1, "k2": 0.2, "filter_sigma": 0.5}), ("image.ssim", A(np.zeros((4, 5, 1))), A(np.ones((4, 5, 1))), {"filter_size": 4, "max_val": 2.0}), ("image.ssim", BYTES, BYTES[:, ::-1].copy(), 255.0, {"filter_size": 2}),
    *[("image.extract_patches", x, *args) for x, args in ((IMAGE, ((4, 5),)), (IMAGE, (1, 3)), (IMAGE, (2, 3, 1, "same")), (IMAGE, ((2, 3), 1, 2)), (IMAGE, (3, 1, 2, "same")), (NO_IMAGES, (2,)), (BYTES, (2,)), (HALVES[0], (2,)))], ("image.extract_patches_3d", N(1, 2, 3, 3, 1), (2, 3, 3)), ("image.extract_patches_3d", N(1, 2, 3, 3, 1), 2, 3, 1, "same"), ("image.extract_patches_3d", N(1, 2, 4, 4, 1), (1, 2, 2), 1, (1, 2, 2)),
    *[("image.scale_and_translate", IMAGE, (1, 3, 7, 3), A(s), A(t), (1, 2), kind, a) for s, t in (([1.0, 1.0], [0.0, 0.0]), ([0.5, 2.0], [1.5, -3.0])) for kind in ("linear", "cubic") for a in (True, False)], ("image.scale_and_translate", BYTES, (1, 3, 7, 3), A([1.0, 2.0]), A([0.0, 0.0]), (1, 2), "linear"),
    note="edge",
)  # fmt: skip
