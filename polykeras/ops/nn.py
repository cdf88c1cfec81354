"""Activations, windows, normalization, attention and losses: Keras's `ops.nn`."""

from __future__ import annotations

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind
from polykeras.ops.fourier import polar

__all__ = [
    "adaptive_average_pool",
    "adaptive_max_pool",
    "average_pool",
    "batch_normalization",
    "binary_crossentropy",
    "categorical_crossentropy",
    "celu",
    "conv",
    "conv_transpose",
    "ctc_decode",
    "ctc_loss",
    "depth_to_space",
    "depthwise_conv",
    "dot_product_attention",
    "elu",
    "fold",
    "gelu",
    "glu",
    "gru",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "layer_normalization",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "lstm",
    "max_pool",
    "moments",
    "multi_hot",
    "normalize",
    "normalize_batch",
    "one_hot",
    "polar",
    "psnr",
    "relu",
    "relu6",
    "rms_normalization",
    "selu",
    "separable_conv",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "space_to_depth",
    "sparse_categorical_crossentropy",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh_shrink",
    "threshold",
    "unfold",
]

relu = bind(Backend.relu)
relu6 = bind(Backend.relu6)
leaky_relu = bind(Backend.leaky_relu)
elu = bind(Backend.elu)
selu = bind(Backend.selu)
celu = bind(Backend.celu)
gelu = bind(Backend.gelu)
silu = bind(Backend.silu)
swish = bind(Backend.swish)
sigmoid = bind(Backend.sigmoid)
log_sigmoid = bind(Backend.log_sigmoid)
hard_sigmoid = bind(Backend.hard_sigmoid)
hard_silu = bind(Backend.hard_silu)
hard_swish = bind(Backend.hard_swish)
hard_tanh = bind(Backend.hard_tanh)
hard_shrink = bind(Backend.hard_shrink)
soft_shrink = bind(Backend.soft_shrink)
tanh_shrink = bind(Backend.tanh_shrink)
softplus = bind(Backend.softplus)
softsign = bind(Backend.softsign)
sparse_plus = bind(Backend.sparse_plus)
sparse_sigmoid = bind(Backend.sparse_sigmoid)
squareplus = bind(Backend.squareplus)
threshold = bind(Backend.threshold)
glu = bind(Backend.glu)
softmax = bind(Backend.softmax)
log_softmax = bind(Backend.log_softmax)
sparsemax = bind(Backend.sparsemax)

conv = bind(Backend.conv)
depthwise_conv = bind(Backend.depthwise_conv)
separable_conv = bind(Backend.separable_conv)
conv_transpose = bind(Backend.conv_transpose)
max_pool = bind(Backend.max_pool)
average_pool = bind(Backend.average_pool)
adaptive_max_pool = bind(Backend.adaptive_max_pool)
adaptive_average_pool = bind(Backend.adaptive_average_pool)
unfold = bind(Backend.unfold)
fold = bind(Backend.fold)
depth_to_space = bind(Backend.depth_to_space)
space_to_depth = bind(Backend.space_to_depth)

one_hot = bind(Backend.one_hot)
multi_hot = bind(Backend.multi_hot)
moments = bind(Backend.moments)
normalize = bind(Backend.normalize)
normalize_batch = bind(Backend.normalize_batch)
batch_normalization = bind(Backend.batch_normalization)
gru = bind(Backend.gru)
lstm = bind(Backend.lstm)
layer_normalization = bind(Backend.layer_normalization)
rms_normalization = bind(Backend.rms_normalization)
dot_product_attention = bind(Backend.dot_product_attention)

binary_crossentropy = bind(Backend.binary_crossentropy)
categorical_crossentropy = bind(Backend.categorical_crossentropy)
sparse_categorical_crossentropy = bind(Backend.sparse_categorical_crossentropy)
ctc_loss = bind(Backend.ctc_loss)
ctc_decode = bind(Backend.ctc_decode)
psnr = bind(Backend.psnr)
