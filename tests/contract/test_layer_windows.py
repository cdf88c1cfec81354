"""What holds of layers that move windows at the edges of their arguments: by definitions, in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import polykeras
from helpers.runner import running
from polykeras import layers as L
from polykeras import ops
from polykeras.backend import Backend, registry, use_backend

RNG = np.random.default_rng(4)


def draw(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def filled(layer: L.Layer, x: np.ndarray) -> list[np.ndarray]:
    """Build a layer, give it random weights, and return them."""
    layer.build(x.shape)
    values = [draw(*w.shape) for w in layer.weights]
    layer.set_weights(values)
    return values


# ---- transposed convolutions ---------------------------------------------------------------------------------------


def spread(x: np.ndarray, kernel: np.ndarray, stride: int, dilation: int) -> np.ndarray:
    """Return the full transposed convolution along time: each input leaves its multiple of the kernel."""
    (batch, n, _), (k, filters, _) = x.shape, kernel.shape
    full = np.zeros((batch, (n - 1) * stride + dilation * (k - 1) + 1, filters))
    for i in range(n):
        for j in range(k):
            full[:, i * stride + j * dilation] += x[:, i] @ kernel[j].T
    return full


@given(
    n=st.integers(1, 4),
    k=st.integers(1, 5),
    stride=st.integers(1, 7),
    dilation=st.integers(1, 3),
    same=st.booleans(),
    extra=st.none() | st.integers(0, 6),
)
def test_transposes_spread_their_inputs(
    n: int, k: int, stride: int, dilation: int, same: bool, extra: int | None
) -> None:
    dilation = dilation if stride == 1 else 1
    extra = None if extra is None else extra % stride
    with running(registry.load("numpy"), 64):
        layer = L.Conv1DTranspose(
            3, k, stride, "same" if same else "valid", output_padding=extra, dilation_rate=dilation
        )
        x = draw(2, n, 2)
        kernel, bias = filled(layer, x)
        y = ops.convert_to_numpy(layer(x)) - bias
    span = dilation * (k - 1) + 1
    if same:
        size = n * stride if extra is None else (n - 1) * stride + span % 2 + extra
    else:
        size = (n - 1) * stride + (max(span, stride) if extra is None else span + extra)
    assert y.shape == (2, size, 3)
    full = spread(x, kernel, stride, dilation)
    before = max(full.shape[1] - size, 0) // 2 if same else 0
    expected = np.concatenate([full[:, before:], np.zeros((2, size, 3))], 1)[:, :size]
    assert_allclose(y, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_transpose_is_the_adjoint_of_the_convolution(rank: int, padding: str) -> None:
    """`<conv(x), y> = <x, transpose(y)>` with one kernel: what defines it."""
    names = [getattr(L, f"Conv{rank}D{kind}") for kind in ("", "Transpose")]
    with running(registry.load("numpy"), 64):
        conv, back = (
            make(f, 3, strides=2, padding=padding, use_bias=False) for make, f in zip(names, (3, 2), strict=True)
        )
        size = 6 if padding == "same" else 7
        x = draw(2, *(size,) * rank, 2)
        (kernel,) = filled(conv, x)
        y = draw(*conv(x).shape)
        filled(back, y)
        back.set_weights([kernel])
        assert_allclose(np.sum(conv(x) * y), np.sum(x * back(y)), rtol=1e-10)


# ---- convolutions along time are those of images of one row --------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("DepthwiseConv", {"depth_multiplier": 2}),
        ("DepthwiseConv", {"strides": 4, "padding": "same"}),
        ("SeparableConv", {"filters": 3, "dilation_rate": 2, "depth_multiplier": 2}),
        ("SeparableConv", {"filters": 3, "strides": 2, "padding": "same"}),
    ],
)
def test_filters_along_time_are_those_of_one_row(name: str, arguments: dict[str, Any]) -> None:
    def around(key: str, value: Any) -> Any:
        return (1, value) if key in ("strides", "dilation_rate") and "strides" not in arguments else value

    with running(registry.load("numpy"), 64):
        time = getattr(L, f"{name}1D")(kernel_size=3, **arguments)
        row = getattr(L, f"{name}2D")(kernel_size=(1, 3), **{key: around(key, v) for key, v in arguments.items()})
        x = draw(2, 6, 2)
        weights = filled(time, x)
        row.build((2, 1, 6, 2))
        row.set_weights([w[None] if w.ndim > 1 else w for w in weights])
        assert_allclose(time(x), row(x[:, None])[:, 0], rtol=1e-10)


def test_conv3d_by_hand() -> None:
    with running(registry.load("numpy"), 64):
        layer = L.Conv3D(1, (2, 1, 2), strides=(1, 2, 1))
        x = np.arange(1.0, 13.0).reshape(1, 2, 3, 2, 1)
        layer.build(x.shape)
        layer.set_weights([np.array([1.0, 2.0, 3.0, 4.0]).reshape(2, 1, 2, 1, 1), np.array([0.5])])
        # The windows hold 1, 2, 7, 8 and, two rows on, 5, 6, 11, 12.
        assert_allclose(np.ravel(layer(x)), [1 + 4 + 21 + 32 + 0.5, 5 + 12 + 33 + 48 + 0.5])


# ---- pooling -------------------------------------------------------------------------------------------------------


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3), data=st.data())
def test_adaptive_windows(sizes: list[int], data: st.DataObject) -> None:
    """Window i of m over n places goes from floor(i n / m) to ceil((i + 1) n / m), along each axis."""
    rank = len(sizes)
    counts = tuple(data.draw(st.integers(1, 9)) for _ in sizes)
    x = draw(2, *sizes, 2)
    for kind, reduce in (("Max", np.max), ("Average", np.mean)):
        expected = np.zeros((2, *counts, 2))
        for place in np.ndindex(counts):
            window = [slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(place, sizes, counts, strict=True)]
            expected[(slice(None), *place)] = reduce(x[(slice(None), *window)], axis=tuple(range(1, rank + 1)))
        with running(registry.load("numpy"), 64):
            assert_allclose(getattr(L, f"Adaptive{kind}Pooling{rank}D")(counts)(x), expected, rtol=1e-10, atol=1e-14)


def test_pools_know_their_kind_and_their_name() -> None:
    for rank in (1, 2, 3):
        maximum, mean = (getattr(L, f"{kind}Pool{rank}D") for kind in ("Max", "Avg"))
        assert (maximum().pool_mode, mean().pool_mode) == ("max", "average")
        assert mean(2, None, "same", None, "pool").name == "pool"


def test_volumes_by_hand() -> None:
    x = np.arange(8.0, dtype="float32").reshape(1, 2, 2, 2, 1)
    assert_array_equal(np.ravel(L.MaxPooling3D(2)(x)), [7])
    assert_array_equal(np.ravel(L.AveragePooling3D((1, 2, 2))(x)), [1.5, 5.5])
    # With "same" the last windows hold what is there: 7 alone at the end.
    assert_array_equal(np.ravel(L.AveragePooling3D(2, 1, "same")(x)), [3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7])
    assert_array_equal(np.ravel(L.GlobalAveragePooling3D()(x)), [3.5])
    assert_array_equal(np.ravel(L.Cropping3D(((1, 0), (0, 1), (0, 0)))(x)), [4, 5])
    padded = np.asarray(L.ZeroPadding3D(((1, 0), (0, 0), (0, 2)))(x))
    assert padded.shape == (1, 3, 2, 4, 1)
    assert_array_equal(padded[0, 1:, :, :2], x[0])
    assert padded.sum() == x.sum()
    assert_array_equal(np.ravel(L.UpSampling3D((1, 1, 2))(x)), np.repeat(np.arange(8.0), 2))
    with pytest.raises(ValueError, match="leaves nothing"):
        L.Cropping3D()(x)


# ---- recurrent convolutions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_window_of_one_place_is_an_lstm_at_each_place(rank: int) -> None:
    space = (2, 3, 2)[:rank]
    with running(registry.load("numpy"), 64):
        wide = getattr(L, f"ConvLSTM{rank}D")(3, 1, return_sequences=True, go_backwards=True)
        narrow = L.LSTM(3, return_sequences=True, go_backwards=True)
        x = draw(2, 4, *space, 2)
        weights = filled(wide, x)
        narrow.build((None, 4, 2))
        narrow.set_weights([w.reshape(w.shape[-2:]) if w.ndim > 1 else w for w in weights])
        y = np.asarray(wide(x))
        for place in np.ndindex(space):
            at = (slice(None), slice(None), *place)
            assert_allclose(y[at], narrow(x[at]), rtol=1e-10, atol=1e-12)


def test_conv_lstm_asks_for_known_sizes() -> None:
    with pytest.raises(ValueError, match="must be known"):
        L.ConvLSTM2D(2, 3)(L.Input((None, None, 5, 1)))
    y = L.ConvLSTM2D(2, 3, return_sequences=True)(L.Input((None, 4, 5, 1)))
    assert y.shape == (None, None, 2, 3, 2)
    assert L.ConvLSTM2D(2, 3, unit_forget_bias=True).filters == 2


def test_conv_lstm_begins_with_an_open_forget_gate() -> None:
    layer = L.ConvLSTM1D(2, 2)
    layer.build((1, 3, 4, 1))
    assert_array_equal(layer.cell.bias.numpy(), [0, 0, 1, 1, 0, 0, 0, 0])


@pytest.mark.slow
def test_conv_lstm_trains(backend: Backend) -> None:
    """It learns which way a point moves, with dropout, and masks of the same seed on each backend."""
    polykeras.utils.set_random_seed(3)
    frames = np.zeros((32, 4, 6, 1), "float32")
    ways = np.arange(32) % 2
    for i, way in enumerate(ways):
        for t in range(4):
            frames[i, t, (i // 2 + (t if way else -t)) % 6, 0] = 1
    with use_backend(backend):
        model = polykeras.Sequential(
            [
                L.Input((4, 6, 1)),
                L.ConvLSTM1D(4, 3, padding="same", dropout=0.05, recurrent_dropout=0.05),
                L.GlobalMaxPooling1D(),
                L.Dense(1, "sigmoid"),
            ]
        )
        model.compile(polykeras.optimizers.Adam(0.03), "binary_crossentropy")
        losses = model.fit(frames, ways, batch_size=12, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.3 < losses[0]


# ---- no samples ----------------------------------------------------------------------------------------------------

WITHOUT_SAMPLES: dict[str, tuple[Callable[[], L.Layer], tuple[int, ...]]] = {
    "Conv3D": (lambda: L.Conv3D(2, 2, strides=3), (3, 2, 4, 2)),
    "Conv1DTranspose": (lambda: L.Conv1DTranspose(2, 3, strides=4), (3, 2)),
    "Conv2DTranspose": (lambda: L.Conv2DTranspose(2, 3, strides=2, padding="same"), (3, 1, 2)),
    "Conv3DTranspose": (lambda: L.Conv3DTranspose(2, 2, strides=2), (1, 2, 1, 2)),
    "DepthwiseConv1D": (lambda: L.DepthwiseConv1D(2, padding="same"), (3, 2)),
    "SeparableConv1D": (lambda: L.SeparableConv1D(2, 2, dilation_rate=2), (3, 2)),
    "MaxPooling3D": (lambda: L.MaxPooling3D(2, padding="same"), (3, 1, 2, 2)),
    "AveragePooling3D": (lambda: L.AveragePooling3D(1, strides=2), (3, 1, 2, 2)),
    "AdaptiveMaxPooling2D": (lambda: L.AdaptiveMaxPooling2D(2), (3, 1, 2)),
    "AdaptiveAveragePooling3D": (lambda: L.AdaptiveAveragePooling3D(2), (3, 1, 2, 2)),
    "UpSampling3D": (lambda: L.UpSampling3D(2), (1, 2, 1, 2)),
    "ConvLSTM1D": (lambda: L.ConvLSTM1D(2, 2, return_sequences=True), (3, 4, 2)),
    "ConvLSTM2D": (lambda: L.ConvLSTM2D(2, 2, padding="same"), (3, 2, 1, 2)),
}


@pytest.mark.parametrize("name", WITHOUT_SAMPLES)
def test_a_batch_may_be_empty(name: str, backend: Backend) -> None:
    make, sample = WITHOUT_SAMPLES[name]
    with use_backend(backend):
        layer = make()
        some = layer(np.ones((2, *sample), "float32")).shape
        nothing = np.ones((0, *sample), "float32")
        assert ops.convert_to_numpy(layer(nothing)).shape == (0, *some[1:])
        weights = layer.trainable_variables
        if weights:
            loss, slopes = polykeras.value_and_grad(lambda: ops.sum(layer(nothing)), weights)()
            assert float(loss) == 0
            for weight, slope in zip(weights, slopes, strict=True):
                assert_array_equal(ops.convert_to_numpy(slope), np.zeros(weight.shape))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16"])
def test_dtypes_stay(dtype: str, backend: Backend) -> None:
    makes = [
        (lambda: L.Conv2DTranspose(2, 3, strides=2, dtype=dtype), (3, 2, 2)),
        (lambda: L.Conv3D(2, 2, dtype=dtype), (3, 2, 2, 2)),
        (lambda: L.ConvLSTM1D(2, 2, dropout=0.2, recurrent_dropout=0.2, dtype=dtype), (3, 4, 2)),
        (lambda: L.AlphaDropout(0.3, dtype=dtype), (3, 4)),
        (lambda: L.SpatialDropout2D(0.3, dtype=dtype), (3, 4, 2)),
        (lambda: L.AdaptiveAveragePooling1D(2, dtype=dtype), (3, 4)),
    ]
    with use_backend(backend):
        for make, sample in makes:
            layer = make()
            y = layer(np.ones((2, *sample), "float32"), training=True)
            assert ops.dtype(y) == layer.compute_dtype, type(layer).__name__
