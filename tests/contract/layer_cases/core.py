"""Cases of layers: core."""

from __future__ import annotations

from contract.layer_cases.case import HOLES, layer, scaled
from contract.table import I, N
from helpers.layer_runner import LayerCase
from polykeras import layers as L

CASES: tuple[LayerCase, ...] = (
    layer(lambda: L.Dense(3), N(2, 4)),
    layer(lambda: L.Dense(3, activation="tanh", use_bias=False), N(2, 5, 4), "tanh"),
    layer(lambda: L.TernaryDense(3), N(2, 4)),
    layer(lambda: L.TernaryDense(3, 0.4, "tanh", use_bias=False), N(2, 5, 4), "threshold"),
    layer(lambda: L.Identity(), N(2, 4)),
    layer(lambda: L.Dense(3, lora_rank=2), N(2, 4), "lora"),
    layer(lambda: L.EinsumDense("ab,bc->ac", 3), N(2, 4)),
    layer(lambda: L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"), N(2, 4, 3), "heads"),
    layer(lambda: L.EinsumDense("...x,xy->...y", 3, "tanh", bias_axes="y"), N(2, 3, 2, 4), "left"),
    layer(lambda: L.EinsumDense("...x,xy->...y", 3, bias_axes="y"), N(2, 4), "left no axes"),
    layer(lambda: L.EinsumDense("ab...,bc->ac...", 3, bias_axes="c", lora_rank=1), N(2, 4, 2, 2), "right"),
    layer(lambda: L.EinsumDense("abc,bd->adc", (3, None)), N(2, 4, 2), "free size"),
    layer(lambda: L.Activation("relu"), N(2, 4)),
    layer(lambda: L.ReLU(max_value=1.0, negative_slope=0.1), N(2, 4)),
    layer(lambda: L.ReLU(threshold=0.5), N(2, 4), "threshold"),
    layer(lambda: L.LeakyReLU(0.2), N(2, 4)),
    layer(lambda: L.ELU(0.5), N(2, 4)),
    layer(lambda: L.PReLU(), N(2, 3, 4)),
    layer(lambda: L.PReLU(shared_axes=[1]), N(2, 3, 4), "shared"),
    layer(lambda: L.Softmax(), N(2, 4)),
    layer(lambda: L.Softmax((1, 2)), N(2, 3, 4), "axes"),
    layer(lambda: L.Softmax(), N(2, 2, 3), "mask", mask=HOLES),
    layer(lambda: L.Embedding(5, 3), I([[0, 4, 4], [1, 2, 0]])),
    layer(lambda: L.Embedding(5, 3, mask_zero=True), I([[0, 4, 4], [1, 2, 0]]), "mask"),
    layer(lambda: L.Embedding(5, 3, lora_rank=2, lora_alpha=1.5), I([[0, 4, 4], [1, 2, 0]]), "lora"),
    layer(lambda: L.ReversibleEmbedding(5, 3, mask_zero=True), I([[0, 4, 4], [1, 2, 0]])),
    layer(lambda: L.ReversibleEmbedding(5, 3, logit_soft_cap=2.0), N(2, 4, 3), "back", reverse=True),
    layer(lambda: L.ReversibleEmbedding(5, 3, tie_weights=False), N(2, 3), "own way back", reverse=True),
    layer(lambda: L.Masking(0.0), N(2, 3, 4)),
    layer(lambda: L.Masking(2.0), I([[[2, 2], [2, 1]]], dtype="float32"), "value", grad=False),
    layer(lambda: L.Lambda(scaled, arguments={"factor": 2.0}), N(2, 3)),
    layer(lambda: L.Normalization(), N(3, 4), "weights"),
    layer(lambda: L.Normalization(mean=0.5, variance=2.0), N(3, 4)),
    layer(lambda: L.Normalization((1, 2), [1.0, 2.0], [3.0, 0.5], invert=True), N(3, 4, 2), "invert"),
    layer(lambda: L.Rescaling(0.5, offset=1.0), N(3, 4)),
    layer(lambda: L.Rescaling([0.5, 2.0]), I([[3, 255]], dtype="uint8"), "bytes", grad=False),
)
