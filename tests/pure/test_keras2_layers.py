"""The 115 names of layers of Keras 2.1: each makes a layer, which is built and called."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from polykeras import layers, ops, use_backend

ROW, STEPS, IMAGE, VOLUME = (2, 4), (2, 6, 4), (2, 6, 6, 3), (2, 6, 6, 6, 2)
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot")

# Names, arguments, the shape of the inputs, and that of the outputs.
TABLE: tuple[tuple[str, tuple[Any, ...], tuple[int, ...], tuple[int, ...]], ...] = (
    ("Dense MaxoutDense", (3,), ROW, (2, 3)),
    ("Highway ELU LeakyReLU PReLU Softmax ThresholdedReLU", (), ROW, ROW),
    ("BatchNormalization ActivityRegularization Masking", (), ROW, ROW),
    ("Activation", ("tanh",), ROW, ROW),
    ("Dropout AlphaDropout GaussianDropout GaussianNoise", (0.5,), ROW, ROW),
    ("SpatialDropout1D", (0.5,), STEPS, STEPS),
    ("SpatialDropout2D", (0.5,), IMAGE, IMAGE),
    ("SpatialDropout3D", (0.5,), VOLUME, VOLUME),
    ("Lambda", (ops.tanh,), ROW, ROW),
    ("Flatten", (), IMAGE, (2, 108)),
    ("Reshape", ((2, 2),), ROW, (2, 2, 2)),
    ("Permute", ((2, 1),), STEPS, (2, 4, 6)),
    ("RepeatVector", (5,), ROW, (2, 5, 4)),
    ("Embedding", (7, 3), ROW, (2, 4, 3)),
    ("Conv1D Convolution1D", (5, 3), STEPS, (2, 4, 5)),
    ("AtrousConvolution1D LocallyConnected1D SeparableConv1D SeparableConvolution1D", (5, 3), STEPS, (2, 4, 5)),
    ("Conv2D Convolution2D LocallyConnected2D", (5, (3, 2)), IMAGE, (2, 4, 5, 5)),
    ("AtrousConvolution2D", (5, 3, 2), IMAGE, (2, 4, 5, 5)),
    ("SeparableConv2D SeparableConvolution2D", (5, (3, 2)), IMAGE, (2, 4, 5, 5)),
    ("DepthwiseConv2D", ((3, 2),), IMAGE, (2, 4, 5, 3)),
    ("Conv3D Convolution3D", (5, 3), VOLUME, (2, 4, 4, 4, 5)),
    ("Conv2DTranspose Convolution2DTranspose Deconvolution2D", (5, 3), IMAGE, (2, 8, 8, 5)),
    ("Conv3DTranspose Deconvolution3D", (5, 3), VOLUME, (2, 8, 8, 8, 5)),
    ("MaxPooling1D MaxPool1D AveragePooling1D AvgPool1D", (2,), STEPS, (2, 3, 4)),
    ("MaxPooling2D MaxPool2D AveragePooling2D AvgPool2D", (2,), IMAGE, (2, 3, 3, 3)),
    ("MaxPooling3D MaxPool3D AveragePooling3D AvgPool3D", (2,), VOLUME, (2, 3, 3, 3, 2)),
    ("GlobalMaxPooling1D GlobalMaxPool1D GlobalAveragePooling1D GlobalAvgPool1D", (), STEPS, (2, 4)),
    ("GlobalMaxPooling2D GlobalMaxPool2D GlobalAveragePooling2D GlobalAvgPool2D", (), IMAGE, (2, 3)),
    ("GlobalMaxPooling3D GlobalMaxPool3D GlobalAveragePooling3D GlobalAvgPool3D", (), VOLUME, (2, 2)),
    ("UpSampling1D", (2,), STEPS, (2, 12, 4)),
    ("UpSampling2D", (2,), IMAGE, (2, 12, 12, 3)),
    ("UpSampling3D", (2,), VOLUME, (2, 12, 12, 12, 2)),
    ("ZeroPadding1D", (1,), STEPS, (2, 8, 4)),
    ("ZeroPadding2D", (1,), IMAGE, (2, 8, 8, 3)),
    ("ZeroPadding3D", (1,), VOLUME, (2, 8, 8, 8, 2)),
    ("Cropping1D", (1,), STEPS, (2, 4, 4)),
    ("Cropping2D", (1,), IMAGE, (2, 4, 4, 3)),
    ("Cropping3D", (1,), VOLUME, (2, 4, 4, 4, 2)),
    ("SimpleRNN GRU LSTM CuDNNGRU CuDNNLSTM", (3,), STEPS, (2, 3)),
    ("ConvLSTM2D ConvRecurrent2D", (5, 3), (2, 3, 6, 6, 2), (2, 4, 4, 5)),
)
CASES = {name: case for names, *case in TABLE for name in names.split()}


def ones(shape: tuple[int, ...]) -> np.ndarray:
    return np.ones(shape, "float32")


def wrapped(name: str) -> tuple[Any, Any, tuple[int, ...]]:
    """Return a layer that holds another one, inputs, and the shape of the outputs."""
    if name in ("RNN", "Recurrent"):
        return getattr(layers, name)(layers.GRUCell(3)), ones(STEPS), (2, 3)
    if name == "StackedRNNCells":
        return layers.RNN(layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(5)])), ones(STEPS), (2, 5)
    if name == "Bidirectional":
        return layers.Bidirectional(layers.GRU(3)), ones(STEPS), (2, 6)
    return layers.TimeDistributed(layers.Dense(3)), ones(STEPS), (2, 6, 3)


def cell(name: str) -> tuple[Any, Any, tuple[int, ...]]:
    """Return a function that runs a step of a cell from its first state, inputs, and the shape of the output."""
    convolves = name == "ConvLSTM2DCell"
    made = getattr(layers, name)(5, 3) if convolves else getattr(layers, name)(5)
    shape, expected = (IMAGE, (2, 4, 4, 5)) if convolves else (ROW, (2, 5))
    made.build((None, *shape[1:]))
    return lambda x: made(x, made.get_initial_state(batch_size=2))[0], ones(shape), expected


def merge(name: str) -> tuple[Any, Any, tuple[int, ...]]:
    """Return a layer, or a function, that merges two arrays; these; and the shape of the output."""
    made, two = getattr(layers, name), [ones(ROW), 2 * ones(ROW)]
    expected = {"Concatenate": (2, 8), "Dot": (2, 1)}.get(name.capitalize(), ROW)
    options = {"axes": 1} if name.capitalize() == "Dot" else {}
    return made(**options) if name[0].isupper() else lambda x: made(x, **options), two, expected


def inputs(name: str) -> tuple[Any, Any, tuple[int, ...]]:
    """Return what gives a symbolic tensor, called as a layer is, an argument, and the shape."""
    made = getattr(layers, name)
    return (lambda _: made(shape=(4,)) if name == "Input" else made(shape=(4,)).output), None, (None, 4)


GROUPS = {
    **dict.fromkeys(("RNN", "Recurrent", "StackedRNNCells", "Bidirectional", "TimeDistributed"), wrapped),
    **dict.fromkeys(("SimpleRNNCell", "GRUCell", "LSTMCell", "ConvLSTM2DCell"), cell),
    **dict.fromkeys((*MERGES, *map(str.lower, MERGES)), merge),
    **dict.fromkeys(("Input", "InputLayer"), inputs),
}
HELD = ("Layer", "Wrapper", "InputSpec")
"""Names that are no layers to call: base classes, and a description of inputs."""


def test_there_are_115() -> None:
    assert len({*CASES, *GROUPS, *HELD}) == len(CASES) + len(GROUPS) + len(HELD) == 115


@pytest.mark.parametrize("name", [*CASES, *GROUPS])
def test_each_is_built_and_called(name: str) -> None:
    with use_backend("numpy"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # tests/training/test_legacy_layers.py looks at them
        if name in CASES:
            arguments, shape, expected = CASES[name]
            layer, given = getattr(layers, name)(*arguments), ones(shape)
        else:
            layer, given, expected = GROUPS[name](name)
        outputs = layer(given)
        assert tuple(outputs.shape) == expected
        if name not in ("Input", "InputLayer"):
            assert np.isfinite(ops.convert_to_numpy(outputs)).all()


def test_what_is_no_layer_to_call() -> None:
    class Twice(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return 2 * inputs

    assert ops.convert_to_numpy(Twice()(ones(ROW))).tolist() == (2 * ones(ROW)).tolist()
    inner = layers.Dense(3)
    assert layers.Wrapper(inner).layer is inner
    spec = layers.InputSpec(ndim=2, axes={-1: 4})
    assert (spec.ndim, spec.axes) == (2, {-1: 4})
