"""Convolutions."""

from polykeras.layers.convolution.conv import Conv1D, Conv2D, Convolution1D, Convolution2D
from polykeras.layers.convolution.depthwise import DepthwiseConv2D, SeparableConv2D, SeparableConvolution2D

__all__ = [
    "Conv1D",
    "Conv2D",
    "Convolution1D",
    "Convolution2D",
    "DepthwiseConv2D",
    "SeparableConv2D",
    "SeparableConvolution2D",
]
