"""Convolution, pooling, unfolding and pixels against windows taken by hand."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from contract.agreement import agree
from polykeras import ops
from polykeras.backend import Backend

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


def same(n: int, span: int, stride: int) -> tuple[int, int]:
    total = max((-(-n // stride) - 1) * stride + span - n, 0)
    return total // 2, total - total // 2


def windows(x: np.ndarray, k: int, stride: int, padding: str, dilation: int = 1, fill: float = 0.0) -> np.ndarray:
    """Return windows over the one spatial axis, `(batch, windows, k, channels)`."""
    span = dilation * (k - 1) + 1
    around = same(x.shape[1], span, stride) if padding == "same" else (span - 1, 0) if padding == "causal" else (0, 0)
    x = np.pad(x, ((0, 0), around, (0, 0)), constant_values=fill)
    starts = range(0, x.shape[1] - span + 1, stride)
    return np.stack([x[:, i : i + span : dilation] for i in starts], 1)


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("k", "stride", "dilation"), [(1, 1, 1), (3, 1, 1), (4, 2, 1), (2, 3, 1), (3, 1, 2)])
def test_convolutions(padding: str, k: int, stride: int, dilation: int, backend: Backend) -> None:
    x, kernel = normal(2, 9, 4), normal(k, 4, 6)
    expected = np.einsum("bwkc,kcf->bwf", windows(x, k, stride, padding, dilation), kernel)
    agree(ops.conv(x, kernel, stride, padding, "channels_last", dilation), expected)
    first = ops.conv(x.transpose(0, 2, 1), kernel, stride, padding, "channels_first", dilation)
    agree(first, expected.transpose(0, 2, 1))
    grouped = normal(k, 2, 6)
    halves = [
        np.einsum("bwkc,kcf->bwf", windows(x[..., c], k, stride, padding, dilation), grouped[..., f])
        for c, f in ((slice(0, 2), slice(0, 3)), (slice(2, 4), slice(3, 6)))
    ]
    agree(ops.conv(x, grouped, stride, padding, dilation_rate=dilation), np.concatenate(halves, -1))
    depthwise = normal(k, 4, 2)
    spread = np.einsum("bwkc,kcm->bwcm", windows(x, k, stride, padding, dilation), depthwise)
    spread = spread.reshape(*spread.shape[:2], 8)
    agree(ops.depthwise_conv(x, depthwise, stride, padding, dilation_rate=dilation), spread)
    mix = normal(1, 8, 3)
    agree(ops.separable_conv(x, depthwise, mix, stride, padding, dilation_rate=dilation), spread @ mix[0])


def test_convolution_in_two_dimensions_is_two_in_one(backend: Backend) -> None:
    x, rows, columns = normal(2, 6, 8, 1), normal(3), normal(2)
    kernel = (rows[:, None] * columns)[:, :, None, None]
    across = windows(x.reshape(12, 8, 1), 2, 1, "same")[..., 0] @ columns
    down = windows(across.reshape(2, 6, 8).transpose(0, 2, 1).reshape(16, 6, 1), 3, 2, "same")[..., 0] @ rows
    agree(ops.conv(x, kernel, (2, 1), "same")[..., 0], down.reshape(2, 8, 3).transpose(0, 2, 1))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("k", "stride"), [(1, 1), (3, 1), (3, 2), (4, 2), (5, 3), (2, 3), (4, 1)])
def test_transposed_convolution_is_the_adjoint(padding: str, k: int, stride: int, backend: Backend) -> None:
    y, kernel = normal(2, 5, 4), normal(k, 3, 4)
    back = ops.convert_to_numpy(ops.conv_transpose(y, kernel, stride, padding))
    assert back.shape == (2, 5 * stride if padding == "same" else 4 * stride + max(k, stride), 3)
    x = normal(*back.shape)
    forward = ops.convert_to_numpy(ops.conv(x, kernel, stride, padding))
    assert (back * x).sum() == pytest.approx((forward * y).sum(), rel=1e-3, abs=1e-3)
    if stride > 1:
        longer = ops.conv_transpose(y, kernel, stride, padding, output_padding=1)
        assert ops.shape(longer)[1] == 4 * stride + (k % 2 if padding == "same" else k) + 1


def test_windows_that_do_not_fit_are_refused(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"a window of 5 does not fit into a spatial size of 3"):
        ops.conv(normal(1, 3, 2), normal(5, 2, 2))
    with pytest.raises(ValueError, match=r"does not fit 3 channels and 1 spatial axes"):
        ops.conv(normal(1, 3, 3), normal(2, 2, 2))
    with pytest.raises(ValueError, match="`padding` must be 'valid', 'same'"):
        ops.conv(normal(1, 3, 2), normal(2, 2, 2), padding="half")
    with pytest.raises(ValueError, match="`strides` must be a positive int, or 1 of them"):
        ops.conv(normal(1, 3, 2), normal(2, 2, 2), strides=(1, 1))
    with pytest.raises(ValueError, match="does not fit into the spatial size"):
        ops.max_pool(normal(1, 3, 2), 4)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("k", "stride"), [(2, None), (3, 1), (2, 3), (3, 2)])
def test_pooling(padding: str, k: int, stride: int | None, backend: Backend) -> None:
    x = normal(2, 8, 3)
    step = stride or k
    agree(ops.max_pool(x, k, stride, padding), windows(x, k, step, padding, fill=-np.inf).max(2))
    holes = windows(x, k, step, padding, fill=np.nan)
    agree(ops.average_pool(x, k, stride, padding), np.nanmean(holes, 2))
    first = ops.average_pool(x.transpose(0, 2, 1), k, stride, padding, "channels_first")
    agree(first, np.nanmean(holes, 2).transpose(0, 2, 1))


@pytest.mark.parametrize("size", [1, 3, 4, 7])
def test_adaptive_pooling(size: int, backend: Backend) -> None:
    x = normal(2, 7, 3)
    parts = [slice(i * 7 // size, -(-(i + 1) * 7 // size)) for i in range(size)]
    agree(ops.adaptive_average_pool(x, size), np.stack([x[:, p].mean(1) for p in parts], 1))
    agree(ops.adaptive_max_pool(x, size), np.stack([x[:, p].max(1) for p in parts], 1))
    image = normal(1, 4, 6, 2)
    agree(ops.adaptive_average_pool(image, (2, 3)), image.reshape(1, 2, 2, 3, 2, 2).mean((2, 4)))


def test_unfold_takes_blocks_and_fold_is_its_adjoint(backend: Backend) -> None:
    x = normal(2, 3, 5, 6)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    blocks = [padded[:, :, i : i + 2, j : j + 5 : 2].reshape(2, -1) for i in range(0, 6, 2) for j in range(0, 4, 2)]
    columns = ops.convert_to_numpy(ops.unfold(x, (2, 3), (1, 2), 1, 2))
    agree(columns, np.stack(blocks, -1))
    y = normal(*columns.shape)
    back = ops.convert_to_numpy(ops.fold(y, (5, 6), (2, 3), (1, 2), 1, 2))
    assert back.shape == x.shape
    assert (back * x).sum() == pytest.approx((columns * y).sum(), rel=1e-3)


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_depth_and_space(layout: str, backend: Backend) -> None:
    x = normal(2, 4, 6, 12)
    agree(ops.space_to_depth(ops.depth_to_space(x, 2, layout), 2, layout), x)
    pixels = np.arange(4, dtype="float32").reshape((1, 1, 1, 4) if layout == "channels_last" else (1, 4, 1, 1))
    agree(ops.convert_to_numpy(ops.depth_to_space(pixels, 2, layout)).reshape(2, 2), [[0, 1], [2, 3]])


def test_convolutions_of_complex_numbers_are_those_of_their_parts(backend: Backend) -> None:
    """TensorFlow has no kernels for them, and says so."""
    x, kernel = normal(1, 7, 2) + 1j * normal(1, 7, 2), normal(3, 2, 2)
    for op in (ops.conv, ops.conv_transpose):
        expected = np.asarray(op(x.real, kernel)) + 1j * np.asarray(op(x.imag, kernel))
        refused = pytest.raises(Exception, match="complex64") if backend.name == "tensorflow" else nullcontext()
        with refused:
            agree(op(x.astype("complex64"), kernel.astype("complex64")), expected)
