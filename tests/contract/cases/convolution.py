"""Cases of the public convolutions and pools: padding names, layouts, groups; and images as blocks."""

from __future__ import annotations

from contract.cases.nn import SUM
from contract.table import A, I, N, S, case

FIRST = {"data_format": "channels_first"}

CASES = (
    case("conv", N(2, 6, 3), N(3, 3, 2), **SUM),
    case("conv", N(2, 6, 3), N(3, 3, 2), 2, "same", **SUM),
    case("conv", N(1, 6, 2), N(3, 2, 2), padding="causal", dilation_rate=2, **SUM),
    case("conv", N(1, 5, 6, 2), N(3, 2, 2, 3), (2, 1), "same", **SUM),
    case("conv", N(1, 2, 5, 6), N(3, 2, 2, 3), 1, "same", **FIRST, **SUM),
    case("conv", N(1, 5, 5, 4), N(2, 2, 2, 4), note="groups", **SUM),
    case("conv", N(1, 7, 7, 1), N(3, 3, 1, 2), padding="same", dilation_rate=2, **SUM),
    case("conv", N(1, 4, 3, 4, 2), N(2, 2, 2, 2, 2), padding="same", **SUM),
    case("depthwise_conv", N(1, 5, 5, 2), N(3, 3, 2, 2), padding="same", **SUM),
    case("depthwise_conv", N(1, 2, 5, 4), N(2, 2, 2, 1), **FIRST, **SUM),
    case("depthwise_conv", N(2, 6, 3), N(3, 3, 1), 2, **SUM),
    case("depthwise_conv", N(1, 9, 10, 2), N(2, 3, 2, 1), dilation_rate=(2, 3), **SUM),
    case("depthwise_conv", N(1, 6, 7, 2), N(2, 3, 2, 1), (2, 1), **SUM),
    case("depthwise_conv", N(1, 7, 6, 2), N(6, 5, 2, 1), **SUM),
    case("separable_conv", N(1, 5, 5, 2), N(3, 3, 2, 2), N(1, 1, 4, 3), padding="same", **SUM),
    case("separable_conv", N(1, 6, 2), N(3, 2, 1), N(1, 2, 3), 2, **SUM),
    case("conv_transpose", N(1, 4, 2), N(3, 3, 2), 2, **SUM),
    case("conv_transpose", N(1, 4, 2), N(3, 3, 2), 2, "same", **SUM),
    case("conv_transpose", N(1, 3, 3, 2), N(3, 2, 2, 2), (2, 3), "same", **SUM),
    case("conv_transpose", N(1, 3, 3, 2), N(3, 3, 2, 2), 2, "same", 1, **SUM),
    case("conv_transpose", N(1, 3, 3, 2), N(3, 3, 2, 2), 2, "valid", (0, 1), **SUM),
    case("conv_transpose", N(1, 2, 3, 3), N(3, 3, 2, 2), padding="same", dilation_rate=2, **FIRST, **SUM),
    case("max_pool", S(1, 5, 6, 2), 2),
    case("max_pool", S(1, 5, 6, 2), (2, 3), 2, "same"),
    case("max_pool", S(1, 2, 5, 4), 2, 1, "same", **FIRST),
    case("max_pool", S(2, 5, 2), 3, 1),
    case("max_pool", S(1, 3, 4, 3, 1), 2),
    case("max_pool", I([[[1], [3], [2]]]), 2, 1, grad=False),
    case("average_pool", N(1, 5, 6, 2), 2, **SUM),
    case("average_pool", N(1, 5, 6, 2), (2, 3), 2, "same", **SUM),
    case("average_pool", N(1, 2, 5, 4), 2, 1, "same", **FIRST, **SUM),
    case("average_pool", N(2, 5, 2), 3, 1, **SUM),
    case("adaptive_average_pool", N(1, 5, 7, 2), 3, **SUM),
    case("adaptive_average_pool", N(1, 2, 5, 7), (2, 4), **FIRST, **SUM),
    case("adaptive_average_pool", N(2, 5, 2), 2, **SUM),
    case("adaptive_max_pool", S(1, 5, 7, 2), 3),
    case("adaptive_max_pool", S(1, 2, 5, 7), (2, 4), **FIRST),
    case("unfold", N(1, 2, 5, 6), 3, **SUM),
    case("unfold", N(1, 2, 5, 6), (2, 3), dilation=2, padding=1, stride=2, **SUM),
    case("fold", N(1, 18, 12), (5, 6), 3, **SUM),
    case("fold", N(1, 8, 12), (5, 6), 2, padding=1, stride=2, **SUM),
    case("depth_to_space", N(1, 2, 3, 8), 2),
    case("depth_to_space", N(1, 8, 2, 3), 2, "channels_first"),
    case("space_to_depth", N(1, 4, 6, 2), 2),
    case("space_to_depth", N(1, 2, 4, 6), 2, "channels_first"),
    case("max_pool", A([[[1.0], [1.0], [1.0]]]), 2, 1, note="ties"),
)
