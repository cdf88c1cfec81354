"""Cases of layers: convolution."""

from __future__ import annotations

from contract.layer_cases.case import FIRST, SUMS, layer
from contract.table import N
from helpers.layer_runner import LayerCase
from polykeras import layers as L

CASES: tuple[LayerCase, ...] = (
    layer(lambda: L.Conv1D(3, 3), N(2, 6, 2), "valid", **SUMS),
    layer(lambda: L.Conv1D(3, 3, padding="causal"), N(2, 6, 2), **SUMS),
    layer(lambda: L.Conv1D(2, 3, padding="causal", dilation_rate=2, **FIRST), N(2, 2, 6), "dilated first", **SUMS),
    layer(lambda: L.Conv1D(3, 3, strides=2, padding="same", activation="relu"), N(2, 6, 2), "strided", **SUMS),
    layer(lambda: L.Conv2D(3, (3, 2), strides=2, padding="same", activation="relu"), N(1, 6, 5, 2), **SUMS),
    layer(lambda: L.Conv2D(3, 2, strides=(1, 2), use_bias=False), N(1, 4, 5, 2), "no bias", **SUMS),
    layer(lambda: L.Conv2D(4, 3, groups=2), N(1, 5, 5, 2), "groups", **SUMS),
    layer(lambda: L.Conv2D(2, 2, dilation_rate=(1, 2), padding="same", **FIRST), N(1, 3, 4, 5), "first", **SUMS),
    layer(lambda: L.Conv2D(2, 2, lora_rank=3, lora_alpha=2.0), N(1, 4, 5, 2), "lora", **SUMS),
    layer(lambda: L.DepthwiseConv2D(3, depth_multiplier=2), N(1, 5, 5, 2), **SUMS),
    layer(lambda: L.DepthwiseConv2D((2, 3), strides=2, padding="same", **FIRST), N(1, 2, 5, 6), "first", **SUMS),
    layer(lambda: L.SeparableConv2D(3, 3, padding="same"), N(1, 5, 5, 2), **SUMS),
    layer(lambda: L.SeparableConv2D(3, 2, depth_multiplier=2, **FIRST), N(1, 2, 4, 4), "first", **SUMS),
    layer(lambda: L.Conv3D(3, (1, 2, 2), strides=(1, 2, 1), padding="same"), N(1, 2, 3, 4, 2), **SUMS),
    layer(lambda: L.Conv3D(2, 2, groups=2, activation="relu", **FIRST), N(1, 2, 3, 2, 3), "first groups", **SUMS),
    layer(lambda: L.Conv3D(2, 2, dilation_rate=(1, 2, 1)), N(1, 2, 4, 3, 1), "dilated", **SUMS),
    layer(lambda: L.Conv1DTranspose(3, 3, strides=2), N(2, 4, 2), **SUMS),
    layer(lambda: L.Conv1DTranspose(3, 2, strides=5, padding="same"), N(2, 1, 2), "huge stride", **SUMS),
    layer(lambda: L.Conv1DTranspose(2, 3, dilation_rate=2, use_bias=False, **FIRST), N(2, 2, 4), "first", **SUMS),
    layer(lambda: L.Conv1DTranspose(2, 4, strides=3, padding="same", output_padding=2), N(2, 4, 2), "output", **SUMS),
    layer(lambda: L.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu"), N(1, 3, 4, 2), **SUMS),
    layer(lambda: L.Conv2DTranspose(3, (2, 3), strides=(1, 3), output_padding=(0, 2)), N(1, 3, 2, 2), "output", **SUMS),
    layer(lambda: L.Conv2DTranspose(2, 4, 2, "same", **FIRST), N(1, 2, 3, 3), "first", **SUMS),
    layer(lambda: L.Conv2DTranspose(2, 3, padding="same", dilation_rate=(1, 2)), N(1, 3, 4, 2), "dilated", **SUMS),
    layer(lambda: L.Conv3DTranspose(2, 2, strides=(1, 2, 3), padding="same"), N(1, 2, 2, 2, 3), **SUMS),
    layer(lambda: L.Conv3DTranspose(2, 3, strides=2, output_padding=1, **FIRST), N(1, 2, 1, 2, 2), "first", **SUMS),
    layer(lambda: L.DepthwiseConv1D(3, depth_multiplier=2, activation="tanh"), N(2, 5, 2), **SUMS),
    layer(lambda: L.DepthwiseConv1D(2, strides=2, padding="same", **FIRST), N(2, 3, 5), "first", **SUMS),
    layer(lambda: L.DepthwiseConv1D(3, padding="same", dilation_rate=2), N(2, 5, 2), "dilated", **SUMS),
    layer(lambda: L.SeparableConv1D(3, 3, strides=2, padding="same", depth_multiplier=2), N(2, 5, 2), **SUMS),
    layer(lambda: L.SeparableConv1D(4, 2, dilation_rate=2, use_bias=False, **FIRST), N(2, 2, 5), "first", **SUMS),
)
