"""Layers, a family a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from polykeras.layers.attention import MultiHeadAttention
from polykeras.layers.batch_normalization import BatchNormalization
from polykeras.layers.convolution import Conv1D, Conv2D, Convolution1D, Convolution2D
from polykeras.layers.dense import Dense
from polykeras.layers.depthwise import DepthwiseConv2D, SeparableConv2D, SeparableConvolution2D
from polykeras.layers.embedding import Embedding, Masking
from polykeras.layers.input_layer import Input, InputLayer
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.lambda_layer import Lambda
from polykeras.layers.layer import LAYERS, Layer
from polykeras.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from polykeras.layers.normalization import LayerNormalization
from polykeras.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AvgPool1D,
    AvgPool2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPool1D,
    MaxPool2D,
    MaxPooling1D,
    MaxPooling2D,
)
from polykeras.layers.recurrent import GRU, LSTM, CuDNNGRU, CuDNNLSTM, SimpleRNN
from polykeras.layers.regularization import (
    ActivityRegularization,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
)
from polykeras.layers.rescaling import Normalization, Rescaling
from polykeras.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from polykeras.layers.resizing import (
    Cropping1D,
    Cropping2D,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)
from polykeras.layers.rnn import RNN
from polykeras.layers.rnn_cells import GRUCell, LSTMCell, SimpleRNNCell
from polykeras.layers.stacked_cells import StackedRNNCells
from polykeras.layers.wrappers import Bidirectional, TimeDistributed, Wrapper
from polykeras.saving.serialization import serialize_keras_object


def serialize(layer: Layer) -> dict[str, Any]:
    """Return the config of a layer, with its class."""
    return serialize_keras_object(layer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """Return the layer of a config.

    Args:
        config: what `serialize` gave.
        custom_objects: further names it may use.
    """
    return LAYERS.deserialize(config, custom_objects)


__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "ActivityRegularization",
    "Add",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNormalization",
    "Bidirectional",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Convolution1D",
    "Convolution2D",
    "Cropping1D",
    "Cropping2D",
    "CuDNNGRU",
    "CuDNNLSTM",
    "Dense",
    "DepthwiseConv2D",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "InputSpec",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SeparableConv2D",
    "SeparableConvolution2D",
    "SimpleRNN",
    "SimpleRNNCell",
    "Softmax",
    "SpatialDropout1D",
    "StackedRNNCells",
    "Subtract",
    "TimeDistributed",
    "UpSampling1D",
    "UpSampling2D",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]
