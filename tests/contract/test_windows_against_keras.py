"""Layers that move windows, and their kin, beside those of Keras 3 with the same weights: over many arguments."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from differential.opponent import keras, quiet
from polykeras import layers as L
from polykeras import ops
from polykeras.common import nested

pytestmark = [pytest.mark.slow, pytest.mark.keras]

FORMATS = ("channels_last", "channels_first")
RNG = np.random.default_rng(11)


def draw(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


def images(rank: int, size: int, channels: int, data_format: str, *outer: int) -> np.ndarray:
    """Return inputs whose spatial axes have the sizes `size`, `size + 1`, ..."""
    space = tuple(range(size, size + rank))
    return draw(*outer, *((*space, channels) if data_format == "channels_last" else (channels, *space)))


def beside(name: str, x: np.ndarray, call: dict[str, Any] | None = None, **arguments: Any) -> None:
    """Compare the outputs (of a second call too, where there are states) and the shapes known beforehand."""
    call = call or {}
    theirs = getattr(keras().layers, name)(**arguments)
    theirs.build(x.shape)
    weights = [draw(*w.shape) for w in theirs.weights]
    theirs.set_weights(weights)
    with quiet():
        ours = getattr(L, name)(**arguments)
        ours.build(x.shape)
        assert [w.shape for w in ours.weights] == [w.shape for w in weights]
        ours.set_weights(weights)
        for _ in range(2 if getattr(ours, "stateful", False) else 1):
            expected = nested.flatten(theirs(x, **call))
            actual = nested.flatten(ours(x, **call))
            assert len(actual) == len(expected)
            for mine, other in zip(actual, expected, strict=True):
                assert_allclose(
                    ops.convert_to_numpy(mine), np.asarray(other), rtol=2e-5, atol=2e-5, err_msg=str(arguments)
                )
        shapes = nested.flatten(ours.compute_output_shape(x.shape))
        assert shapes == [n for other in expected for n in other.shape]


# ---- transposed convolutions ---------------------------------------------------------------------------------------


def transposes() -> Iterator[dict[str, Any]]:
    for kernel, padding in itertools.product((1, 2, 3, 4), ("valid", "same")):
        for stride, extra in [
            (1, None),
            (1, 0),
            (2, None),
            (2, 0),
            (2, 1),
            (3, None),
            (3, 1),
            (3, 2),
            (6, None),
            (6, 4),
        ]:
            yield {"kernel_size": kernel, "strides": stride, "padding": padding, "output_padding": extra}
        for extra in (None, 0):
            yield {"kernel_size": kernel, "dilation_rate": 2, "padding": padding, "output_padding": extra}


@pytest.mark.parametrize("size", [1, 4])
def test_transposes_along_time(size: int) -> None:
    for arguments, data_format in zip(transposes(), itertools.cycle(FORMATS)):
        beside("Conv1DTranspose", images(1, size, 2, data_format, 2), filters=3, data_format=data_format, **arguments)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize(("name", "rank"), [("Conv2DTranspose", 2), ("Conv3DTranspose", 3)])
def test_transposes_of_images_and_volumes(name: str, rank: int, data_format: str) -> None:
    x = images(rank, 1, 2, data_format, 1)
    chosen = [
        {"kernel_size": (3, 2, 1)[:rank], "strides": (2, 1, 3)[:rank]},
        {"kernel_size": (3, 4, 2)[:rank], "strides": (2, 3, 2)[:rank], "padding": "same", "activation": "relu"},
        {"kernel_size": 2, "strides": (3, 2, 2)[:rank], "padding": "same", "output_padding": (2, 0, 1)[:rank]},
        {"kernel_size": 3, "strides": 3, "output_padding": 1, "use_bias": False},
        {"kernel_size": (2, 3, 2)[:rank], "dilation_rate": (2, 1, 2)[:rank], "padding": "same"},
    ]
    for arguments in chosen:
        beside(name, x, filters=2, data_format=data_format, **arguments)


@pytest.mark.parametrize("name", ["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"])
def test_both_refuse_as_much_output_padding_as_strides(name: str) -> None:
    for layers in (L, keras().layers):
        with pytest.raises(ValueError, match="output_padding"):
            getattr(layers, name)(2, 3, strides=2, output_padding=2)
        with pytest.raises(ValueError, match="dilation"):
            getattr(layers, name)(2, 3, strides=2, dilation_rate=2)


# ---- convolutions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data_format", FORMATS)
def test_conv3d(data_format: str) -> None:
    for arguments in (
        {"kernel_size": 2},
        {"kernel_size": (1, 3, 2), "strides": (1, 4, 2), "padding": "same", "activation": "gelu"},
        {"kernel_size": 2, "strides": 7, "groups": 2, "use_bias": False},
        {"kernel_size": (2, 1, 2), "dilation_rate": (1, 1, 3), "padding": "same"},
    ):
        beside("Conv3D", images(3, 2, 4, data_format, 2), filters=4, data_format=data_format, **arguments)


@pytest.mark.parametrize("data_format", FORMATS)
def test_depthwise_and_separable_along_time(data_format: str) -> None:
    x = images(1, 5, 3, data_format, 2)
    for arguments in (
        {"kernel_size": 3},
        {"kernel_size": 1, "depth_multiplier": 3, "use_bias": False},
        {"kernel_size": 4, "padding": "same", "strides": 3, "depth_multiplier": 2},
        {"kernel_size": 2, "strides": 9, "activation": "tanh"},
        {"kernel_size": 3, "padding": "same", "dilation_rate": 2},
    ):
        beside("DepthwiseConv1D", x, data_format=data_format, **arguments)
        beside("SeparableConv1D", x, filters=4, data_format=data_format, **arguments)


# ---- pooling and resizing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("name", ["MaxPooling3D", "AveragePooling3D"])
def test_pooling_of_volumes(name: str, data_format: str) -> None:
    for pool, strides, padding in itertools.product((1, (2, 3, 1)), (None, 1, (3, 1, 9)), ("valid", "same")):
        x = images(3, 3, 2, data_format, 2)
        beside(name, x, pool_size=pool, strides=strides, padding=padding, data_format=data_format)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("name", ["GlobalMaxPooling3D", "GlobalAveragePooling3D"])
def test_global_pooling_of_volumes(name: str, data_format: str) -> None:
    for keepdims in (False, True):
        beside(name, images(3, 1, 2, data_format, 3), keepdims=keepdims, data_format=data_format)


@pytest.mark.parametrize("kind", ["Max", "Average"])
def test_adaptive_pooling(kind: str) -> None:
    """Not over 7 windows: there Keras's bounds are off by one on JAX (3.15), as it computes them in float32."""
    for rank, size, data_format in itertools.product((1, 2, 3), (1, 5), FORMATS):
        for output_size in (1, (3, 1, 2)[:rank], (4, 5, 4)[:rank]) if size > 1 else (1, 2):
            x = images(rank, size, 2, data_format, 2)
            beside(f"Adaptive{kind}Pooling{rank}D", x, output_size=output_size, data_format=data_format)


@pytest.mark.parametrize("data_format", FORMATS)
def test_padding_cropping_and_enlarging_of_volumes(data_format: str) -> None:
    x = images(3, 3, 2, data_format, 2)
    for amount in (0, 1, (0, 1, 2), ((1, 0), (2, 1), (0, 3))):
        beside("ZeroPadding3D", x, padding=amount, data_format=data_format)
        beside("Cropping3D", x, cropping=amount if amount != (0, 1, 2) else (1, 0, 1), data_format=data_format)
    beside("ZeroPadding3D", x, data_format=data_format)
    beside("Cropping3D", x, data_format=data_format)
    for size in (1, 3, (1, 2, 3)):
        beside("UpSampling3D", x, size=size, data_format=data_format)


# ---- recurrent convolutions ----------------------------------------------------------------------------------------

MASK = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 1, 0]], bool)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_lstm(rank: int, data_format: str) -> None:
    everything = {"return_sequences": True, "return_state": True}
    for arguments in (
        {"kernel_size": 2},
        {"kernel_size": (3, 1, 2)[:rank], "padding": "same", "strides": (2, 1, 4)[:rank], **everything},
        {"kernel_size": 2, "dilation_rate": 2, "go_backwards": True, "return_sequences": True, "use_bias": False},
        {"kernel_size": 3, "strides": 5, "activation": "relu", "recurrent_activation": "hard_sigmoid"},
    ):
        x = images(rank, 3, 2, data_format, 2, 4)
        beside(f"ConvLSTM{rank}D", x, filters=2, data_format=data_format, **arguments)


def test_conv_lstm_with_states_from_before_and_from_outside() -> None:
    x = draw(2, 3, 4, 2)
    states = [draw(2, 3, 2), draw(2, 3, 2)]
    beside("ConvLSTM1D", x, filters=2, kernel_size=2, stateful=True, return_state=True)
    beside("ConvLSTM1D", x, {"initial_state": states}, filters=2, kernel_size=2, return_sequences=True)
    beside("ConvLSTM1D", x, filters=2, kernel_size=2, unroll=True, go_backwards=True)


@pytest.mark.parametrize("backwards", [False, True])
def test_conv_lstm_leaves_masked_times_out(backwards: bool) -> None:
    """Each sample ends as Keras's layer does on its other times alone: with a mask that fails on JAX (3.15)."""
    x = draw(4, 4, 3, 3, 2)
    arguments = {
        "filters": 2,
        "kernel_size": 2,
        "go_backwards": backwards,
        "return_sequences": True,
        "return_state": True,
    }
    theirs = keras().layers.ConvLSTM2D(**arguments)
    theirs.build(x.shape)
    weights = [draw(*w.shape) for w in theirs.weights]
    theirs.set_weights(weights)
    with quiet():
        ours, zeros = L.ConvLSTM2D(**arguments), L.ConvLSTM2D(zero_output_for_mask=True, **arguments)
        for layer in (ours, zeros):
            layer.build(x.shape)
            layer.set_weights(weights)
        outputs, *states = map(ops.convert_to_numpy, ours(x, mask=MASK))
        with_zeros = ops.convert_to_numpy(zeros(x, mask=MASK)[0])
    order = MASK[:, ::-1] if backwards else MASK
    for i, kept in enumerate(order):
        expected, *last = theirs(x[i : i + 1, MASK[i]])
        assert_allclose(outputs[i, kept], expected[0], rtol=2e-5, atol=2e-6)
        for mine, other in zip(states, last, strict=True):
            assert_allclose(mine[i], other[0], rtol=2e-5, atol=2e-6)
        for t in np.flatnonzero(~kept):
            np.testing.assert_array_equal(outputs[i, t], outputs[i, t - 1] if t else 0 * outputs[i, t])
    np.testing.assert_array_equal(with_zeros, np.where(order[..., None, None, None], outputs, 0))


def test_each_gate_drops_for_itself() -> None:
    """With kernels of ones and a linear layer, a dropped input or state shows in one gate at a time, as in Keras."""
    x = np.ones((64, 1, 1, 1), "float32")
    arguments = {"filters": 1, "kernel_size": 1, "activation": "linear", "recurrent_activation": "linear"}
    arguments |= {"use_bias": False, "kernel_initializer": "ones", "recurrent_initializer": "zeros", "seed": 3}
    ours, theirs = L.ConvLSTM1D(dropout=0.5, **arguments), keras().layers.ConvLSTM1D(dropout=0.5, **arguments)
    with quiet():
        y = ops.convert_to_numpy(ours(x, training=True))
    # Of the factors i * g, then o * (i * g): each is 0 or 2, so that the output is 0, or 8 in an eighth of the cases.
    for values in (y, np.asarray(theirs(x, training=True))):
        assert set(np.unique(values)) == {0, 8}
        assert 0.02 < (values == 8).mean() < 0.3
    # Beside it, of a whole sequence: the same masks at all times.
    with quiet():
        long = ops.convert_to_numpy(
            L.ConvLSTM1D(dropout=0.5, return_sequences=True, **arguments)(
                np.ones((8, 5, 1, 1), "float32"), training=True
            )
        )
    assert set(map(tuple, (long[:, :, 0, 0] != 0).astype(int))) <= {(0,) * 5, (1,) * 5}
