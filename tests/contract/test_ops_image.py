"""Operations on images: on every backend as on NumPy in float64; and as SciPy, Pillow and the definitions have it."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from numpy.testing import assert_allclose, assert_array_equal

import polykeras
from contract.agreement import agree, gradient
from contract.image_cases import BYTES, CALLS, IDS, MODES, ONE, PLACES, TILT, TURN, Call, U, X
from helpers.runner import running
from polykeras import autodiff, ops
from polykeras.backend import Backend, registry

image = ops.image


def _wide(value: Any) -> Any:
    return value.astype("float64") if isinstance(value, np.ndarray) and value.dtype == np.float32 else value


def _reference(call: Call) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the value and the gradient of its weighted sum in the first argument, by NumPy in float64."""
    op, args, kwargs = call
    with running(registry.load("numpy"), 64):
        wide = [_wide(x) for x in args]
        function = getattr(image, op)
        value = np.asarray(function(*wide, **kwargs))
        return value, _slope(function, wide, kwargs, value.shape) if value.dtype == np.float64 else None


def _slope(function: Any, args: list[Any], kwargs: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    weights = np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape)

    def total(x: Any) -> Any:
        result = function(x, *args[1:], **kwargs)
        return ops.sum(ops.multiply(result, ops.convert_to_tensor(weights, ops.dtype(result))))

    return ops.convert_to_numpy(autodiff.grad(total)(ops.convert_to_tensor(args[0])))


@pytest.mark.parametrize("call", CALLS, ids=IDS)
def test_values_and_gradients(call: Call, backend: Backend) -> None:
    op, args, kwargs = call
    function = getattr(image, op)
    value, slope = _reference(call)
    compiled = polykeras.function(lambda x: function(x, *args[1:], **kwargs))
    for run in (lambda x: function(x, *args[1:], **kwargs), compiled):
        result = run(ops.convert_to_tensor(args[0]))
        assert ops.dtype(result) == args[0].dtype.name
        if value.dtype.kind == "f":
            agree(result, value)
        else:  # halves may fall to either side
            assert np.abs(ops.convert_to_numpy(result).astype(int) - value).max() <= 1
    if slope is not None:
        assert_allclose(_slope(function, list(args), kwargs, value.shape), slope, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("call", CALLS, ids=IDS)
def test_shapes_are_known_beforehand(call: Call) -> None:
    op, args, kwargs = call
    first = polykeras.KerasTensor(args[0].shape, args[0].dtype.name)
    found = getattr(image, op)(first, *args[1:], **kwargs)
    with polykeras.use_backend("numpy"):
        expected = getattr(image, op)(*args, **kwargs)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype.name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "op",
    [
        "resize",
        "affine_transform",
        "gaussian_blur",
        "rgb_to_hsv",
        "hsv_to_rgb",
        "sobel_edges",
        "elastic_transform",
        "rgb_to_grayscale",
    ],
)
def test_half_precision(op: str, dtype: str, backend: Backend) -> None:
    more = {"resize": ((5, 4),), "affine_transform": (TURN,)}.get(op, ())
    options: dict[str, Any] = {"seed": 3} if op == "elastic_transform" else {}
    result = getattr(image, op)(ops.cast(ops.convert_to_tensor(X), dtype), *more, **options)
    assert ops.dtype(result) == dtype
    rough = 0.02 if dtype == "float16" else 0.1
    assert_allclose(
        ops.convert_to_numpy(result).astype("float32"),
        ops.convert_to_numpy(getattr(image, op)(X, *more, **options)),
        atol=rough,
    )


# ---- other libraries -------------------------------------------------------------------------------------------------

SCIPY = {"constant": "grid-constant", "wrap": "grid-wrap"}
"""The names of our modes there, where they are others: SciPy's "constant" does not interpolate beyond the border."""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [0, 1])
def test_map_coordinates_as_scipy(order: int, mode: str, backend: Backend) -> None:
    for array, places in ((X[0, :, :, 0], PLACES), (ONE, np.concatenate([PLACES, PLACES[:1]]))):
        expected = scipy.ndimage.map_coordinates(array, places, order=order, mode=SCIPY.get(mode, mode), cval=0.3)
        agree(image.map_coordinates(array, places, order, mode, 0.3), expected)


@pytest.mark.parametrize("mode", MODES)
def test_affine_transform_as_scipy(mode: str, backend: Backend) -> None:
    a0, a1, a2, b0, b1, b2 = TURN[0, :6]
    matrix = np.array([[b1, b0], [a1, a0]])  # rows and columns, where we say x and y
    turned = [
        scipy.ndimage.affine_transform(X[0, :, :, c], matrix, (b2, a2), order=1, mode=SCIPY.get(mode, mode), cval=0.2)
        for c in range(3)
    ]
    agree(image.affine_transform(X[0], TURN[0], "bilinear", mode, 0.2), np.stack(turned, -1))


def test_projective_transforms_divide(backend: Backend) -> None:
    y, x = np.mgrid[0:7, 0:9].astype("float64")
    a0, a1, a2, b0, b1, b2, c0, c1 = TILT.astype("float64")
    depth = c0 * x + c1 * y + 1
    places = np.stack([(b0 * x + b1 * y + b2) / depth, (a0 * x + a1 * y + a2) / depth])
    expected = scipy.ndimage.map_coordinates(X[0, :, :, 1], places, order=1, mode="nearest")
    agree(image.affine_transform(X, TILT, fill_mode="nearest")[0, :, :, 1], expected)


def test_perspective_leads_corners_to_corners(backend: Backend) -> None:
    start, end = [[0, 0], [8, 0], [0, 6], [8, 6]], [[1, 1], [7, 0], [0, 5], [8, 6]]
    result = ops.convert_to_numpy(image.perspective_transform(X, start, end))
    for (x, y), (to_x, to_y) in zip(start, end, strict=True):
        assert_allclose(result[:, to_y, to_x], X[:, y, x], atol=1e-4)


@pytest.mark.parametrize("size", [(3, 4), (14, 5), (7, 20)])
@pytest.mark.parametrize("kind", ["bilinear", "bicubic", "lanczos3"])
def test_resize_as_pillow(kind: str, size: tuple[int, int], backend: Backend) -> None:
    Image = pytest.importorskip("PIL.Image")
    method = {"bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos3": "LANCZOS"}[kind]
    of_pillow = Image.fromarray(X[0, :, :, 0]).resize(size[::-1], getattr(Image.Resampling, method))
    agree(image.resize(X, size, kind, antialias=True)[0, :, :, 0], np.asarray(of_pillow), 1e-4, 1e-4)


def test_area_is_the_mean_of_what_a_pixel_covers(backend: Backend) -> None:
    x = U(1, 6, 8, 2)
    agree(image.resize(x, (2, 4), "area"), x.reshape(1, 2, 3, 4, 2, 2).mean((2, 4)))
    thirds = np.array([[1.0, 2.0, 3.0]], "float32").reshape(1, 1, 3, 1)
    agree(ops.reshape(image.resize(thirds, (1, 2), "area"), (-1,)), [(1 + 0.5 * 2) / 1.5, (0.5 * 2 + 3) / 1.5])
    agree(image.resize(x, (6, 16), "area"), np.repeat(x, 2, 2))


def test_colours_as_the_standard_library(backend: Backend) -> None:
    flat = X.reshape(-1, 3).astype("float64")
    agree(ops.reshape(image.rgb_to_hsv(X), (-1, 3)), [colorsys.rgb_to_hsv(*p) for p in flat])
    agree(ops.reshape(image.hsv_to_rgb(X), (-1, 3)), [colorsys.hsv_to_rgb(*p) for p in flat])


def test_filters_as_scipy(backend: Backend) -> None:
    across, down = (np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / s) ** 2) for n, s in ((5, 0.7), (3, 2.0)))
    kernel = np.outer(down / down.sum(), across / across.sum())
    plane = X[1, :, :, 2]
    blurred = scipy.signal.correlate2d(plane, kernel, "same")
    agree(image.gaussian_blur(X, (5, 3), (0.7, 2.0))[1, :, :, 2], blurred)
    edges = np.stack([scipy.ndimage.sobel(plane, axis, mode="constant") for axis in (0, 1)], -1)
    agree(image.sobel_edges(X)[1, :, :, 2], edges)
    agree(image.sobel_edges(X[1])[:, :, 2], edges)


def test_ssim_by_its_definition(backend: Backend) -> None:
    a, b = U(12, 14, 1).astype("float64"), U(12, 14, 1).astype("float64")
    t = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    window = np.outer(t, t) / t.sum() ** 2
    total = []
    for i in range(2):
        for j in range(4):
            p, q = a[i : i + 11, j : j + 11, 0], b[i : i + 11, j : j + 11, 0]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq, c = (
                (window * (p - mp) ** 2).sum(),
                (window * (q - mq) ** 2).sum(),
                (window * (p - mp) * (q - mq)).sum(),
            )
            total.append((2 * mp * mq + 1e-4) * (2 * c + 9e-4) / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4)))
    agree(image.ssim(a.astype("float32"), b.astype("float32")), np.mean(total), 1e-4)
    agree(image.ssim(a.astype("float32"), a.astype("float32")), 1.0)


def test_patches_are_blocks(backend: Backend) -> None:
    blocks = [[X[0, i : i + 3, j : j + 4 : 2].reshape(-1) for j in range(0, 7, 3)] for i in range(0, 5, 2)]
    agree(image.extract_patches(X, (3, 2), (2, 3), (1, 2))[0], blocks)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(2, 3), (3, 4), 1])
def test_images_come_back_from_patches(size: Any, padding: str, backend: Backend) -> None:
    x = X if padding == "same" else X[:, :6, :8] if size == (3, 4) else X[:, :6]
    patches = image.extract_patches(x, size, padding=padding)
    agree(image.reconstruct_patches(patches, size, x.shape[1:3], padding=padding), x, 0, 0)
    single = ops.moveaxis(patches[0], -1, 0)
    first = image.reconstruct_patches(single, size, x.shape[1:3], padding=padding, data_format="channels_first")
    agree(first, x[0].transpose(2, 0, 1), 0, 0)


def test_scale_and_translate_moves_and_is_differentiable(backend: Backend) -> None:
    x = np.arange(5, dtype="float32").reshape(1, 5)
    agree(image.scale_and_translate(x, (1, 5), [1.0], [2.0], (1,), "linear"), [[0, 0, 0, 1, 2]])
    agree(
        image.scale_and_translate(x, (1, 10), [2.0], [0.0], (1,), "linear"),
        ops.reshape(image.resize(x.reshape(1, 5, 1), (1, 10)), (1, 10)),
    )
    slope = gradient(
        lambda t: image.scale_and_translate(x, (1, 5), [1.0], t, (1,), "linear")[0, 2], np.array([0.5], "float32")
    )
    assert_allclose(slope, [-1.0], rtol=1e-4)


# ---- elastic ---------------------------------------------------------------------------------------------------------


def test_elastic_moves_pixels_alike_on_all_backends(backend: Backend) -> None:
    with polykeras.use_backend("numpy"):
        expected = image.elastic_transform(X, 3.0, 1.0, seed=4)
        assert np.abs(expected - X).max() > 0.05
        assert_array_equal(image.elastic_transform(X, 0.0, 1.0, seed=4), X)
        assert not np.array_equal(image.elastic_transform(X, 3.0, 1.0, seed=5), expected)
    agree(image.elastic_transform(X, 3.0, 1.0, seed=4), expected, atol=1e-4)
    first = image.elastic_transform(X.transpose(0, 3, 1, 2), 3.0, 1.0, seed=4, data_format="channels_first")
    agree(ops.transpose(first, (0, 2, 3, 1)), expected, atol=1e-4)
    ramp = np.broadcast_to(np.arange(9, dtype="float32")[None, None, :, None], (1, 7, 9, 1))
    moved = ops.convert_to_numpy(image.elastic_transform(ramp, 3.0, 1.0, seed=4, fill_mode="nearest"))
    assert np.abs(moved[0, :, 3:6, 0] - ramp[0, :, 3:6, 0]).max() < 3.0, "by some pixels, not by many"


# ---- errors ----------------------------------------------------------------------------------------------------------

WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("resize", (X, (3, 0)), {}, "`size` must be an int or 2 ints"),
    ("resize", (X, (3, 3), "cubic"), {}, "`interpolation` must be one of nearest, area, bilinear"),
    ("resize", (X, (3, 3)), {"fill_mode": "wrap"}, "`fill_mode` must be 'constant'"),
    ("resize", (X[0, 0], (3, 3)), {}, "expected an image of 3 axes, or a batch of them with 4"),
    ("resize", (X, (3, 3)), {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "only one of"),
    ("crop_images", (X, 1, 1), {}, "exactly two of top_cropping, bottom_cropping, target_height"),
    ("crop_images", (X, 1, 1, 8, 1), {}, "is more than axis 1 has"),
    ("crop_images", (X, 1, 1, None, 1, 9), {}, "do not fit"),
    ("pad_images", (X, 1, 1, None, 1, 7), {}, "do not fit"),
    ("pad_images", (X, -1, 1, 1, 1), {}, "none negative"),
    ("rgb_to_grayscale", (X[..., :2],), {}, "expected 3 channels"),
    ("rgb_to_hsv", (BYTES,), {}, "expected floats with 3 channels"),
    ("hsv_to_rgb", (X[..., :2],), {}, "expected floats with 3 channels"),
    ("map_coordinates", (ONE, PLACES, 1), {}, r"expected coordinates \(3, ...\)"),
    ("map_coordinates", (X[0, :, :, 0], PLACES, 3), {}, "`order` must be 0 or 1"),
    ("affine_transform", (X, TURN[:, :6]), {}, r"expected a transform \(8,\)"),
    ("affine_transform", (X, TURN, "bicubic"), {}, "`interpolation` must be one of nearest, bilinear"),
    ("affine_transform", (X, TURN), {"fill_mode": "edge"}, "`fill_mode` must be one of constant"),
    ("perspective_transform", (X, TURN, TURN), {}, r"\(4, 2\) or \(batch, 4, 2\)"),
    ("extract_patches", (X, 8), {}, "does not fit into an axis of 7"),
    ("extract_patches", (X, 2), {"padding": "causal"}, "`padding` must be 'valid' or 'same'"),
    ("reconstruct_patches", (X, 1, None, 2), {}, "patches must be adjacent"),
    ("reconstruct_patches", (X, 1), {"padding": "same"}, "'same' with the `output_size`"),
    ("reconstruct_patches", (X, 2), {}, "are no patches of size"),
    ("reconstruct_patches", (X, 1, (6, 9)), {}, "`output_size` is"),
    ("scale_and_translate", (ONE, (6, 5, 3), [1.0], [0.0], (0,), "nearest"), {}, "`method` must be one of"),
    ("scale_and_translate", (ONE, (6, 5, 3), [1.0, 1.0], [0.0], (0,), "linear"), {}, "for each of 1 axes"),
    ("scale_and_translate", (ONE, (6, 5), [1.0], [0.0], (0,), "linear"), {}, "each of the 3 axes"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "args", "kwargs", "message"), WRONG, ids=[f"{i}-{w[0]}" for i, w in enumerate(WRONG)])
def test_mistakes_are_told(op: str, args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    with polykeras.use_backend("numpy"), pytest.raises(ValueError, match=message):
        getattr(image, op)(*args, **kwargs)


# ---- in graphs -------------------------------------------------------------------------------------------------------


def test_images_of_any_size_in_a_model(backend: Backend) -> None:
    x = polykeras.Input((None, None, 3))
    y = image.rgb_to_grayscale(image.resize(x, (4, 5), antialias=True))
    model = polykeras.Model(x, y)
    assert model.output_shape == (None, 4, 5, 1)
    twin = polykeras.Model.from_config(model.get_config())
    for size in ((7, 9), (3, 3)):
        images = U(2, *size, 3)
        agree(model(images), image.rgb_to_grayscale(image.resize(images, (4, 5), antialias=True)))
        agree(twin(images), model(images))
