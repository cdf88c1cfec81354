"""The public namespaces have every function of Keras 3.15's core, linalg, math, nn and random families.

What Keras 3.16 adds is there too. Parameters, order and defaults are frozen here as Keras has them; what is
deliberately otherwise stands in the lists.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from polykeras import ops, random
from polykeras.ops import core, fourier, linalg, nn, special

KERAS_OPS = """
adaptive_average_pool(inputs, output_size, data_format=None)
adaptive_max_pool(inputs, output_size, data_format=None)
associative_scan(f, elems, reverse=False, axis=0)
average_pool(inputs, pool_size, strides=None, padding='valid', data_format=None)
batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=0.001)
binary_crossentropy(target, output, from_logits=False)
cast(x, dtype)
categorical_crossentropy(target, output, from_logits=False, axis=-1)
cdist(x, y)
celu(x, alpha=1.0)
cholesky(x, upper=False)
cholesky_inverse(x, upper=False)
cond(pred, true_fn, false_fn)
conv(inputs, kernel, strides=1, padding='valid', data_format=None, dilation_rate=1)
conv_transpose(inputs, kernel, strides=1, padding='valid', output_padding=None, data_format=None, dilation_rate=1)
convert_to_numpy(x)
convert_to_tensor(x, dtype=None, sparse=None, ragged=None)
ctc_decode(inputs, sequence_lengths, strategy='greedy', beam_width=100, top_paths=1, merge_repeated=True, mask_index=0)
ctc_loss(target, output, target_length, output_length, mask_index=0)
custom_gradient(f)
depth_to_space(x, block_size, data_format='channels_last')
depthwise_conv(inputs, kernel, strides=1, padding='valid', data_format=None, dilation_rate=1)
det(x)
dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None, attn_logits_soft_cap=None)
dtype(x)
eig(x)
eigh(x)
elu(x, alpha=1.0)
erf(x)
erfc(x)
erfinv(x)
extract_sequences(x, sequence_length, sequence_stride)
fft(x)
fft2(x)
fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1)
fori_loop(lower, upper, body_fun, init_val)
gelu(x, approximate=True)
glu(x, axis=-1)
hard_shrink(x, threshold=0.5)
hard_sigmoid(x)
hard_silu(x)
hard_swish(x)
hard_tanh(x)
ifft2(x)
in_top_k(targets, predictions, k)
inv(x)
irfft(x, fft_length=None)
is_tensor(x)
istft(x, sequence_length, sequence_stride, fft_length, length=None, window='hann', center=True)
jvp(fun, primals, tangents, has_aux=False)
layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs)
leaky_relu(x, negative_slope=0.2)
log_sigmoid(x)
log_softmax(x, axis=-1)
logdet(x)
logsumexp(x, axis=None, keepdims=False)
lstsq(a, b, rcond=None)
lu_factor(x)
map(f, xs)
matrix_rank(x, tol=None)
max_pool(inputs, pool_size, strides=None, padding='valid', data_format=None)
moments(x, axes, keepdims=False, synchronized=False)
multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs)
norm(x, ord=None, axis=None, keepdims=False)
normalize(x, axis=-1, order=2, epsilon=None)
one_hot(x, num_classes, axis=-1, dtype=None, sparse=False)
pinv(x, rcond=None)
polar(abs_, angle)
psnr(x1, x2, max_val)
qr(x, mode='reduced')
rearrange(tensor, pattern, **axes_lengths)
relu(x)
relu6(x)
rfft(x, fft_length=None)
rms_normalization(x, scale=None, axis=-1, epsilon=None)
rsqrt(x)
saturate_cast(x, dtype)
scan(f, init, xs=None, length=None, reverse=False, unroll=1)
scatter(indices, values, shape)
scatter_update(inputs, indices, updates, reduction=None)
segment_max(data, segment_ids, num_segments=None, sorted=False)
segment_min(data, segment_ids, num_segments=None, sorted=False)
segment_prod(data, segment_ids, num_segments=None, sorted=False)
segment_sum(data, segment_ids, num_segments=None, sorted=False)
selu(x)
separable_conv(inputs, depthwise_kernel, pointwise_kernel, strides=1, padding='valid', data_format=None, dilation_rate=1)
shape(x)
sigmoid(x)
silu(x)
slice(inputs, start_indices, shape)
slice_update(inputs, start_indices, updates)
soft_shrink(x, threshold=0.5)
softmax(x, axis=-1)
softplus(x)
softsign(x)
solve(a, b)
solve_triangular(a, b, lower=False)
space_to_depth(x, block_size, data_format='channels_last')
sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1)
sparse_plus(x)
sparse_sigmoid(x)
sparsemax(x, axis=-1)
squareplus(x, b=4)
stft(x, sequence_length, sequence_stride, fft_length, window='hann', center=True)
stop_gradient(variable)
svd(x, full_matrices=True, compute_uv=True)
swish(x)
switch(index, branches, *operands)
tanh_shrink(x)
threshold(x, threshold, default_value)
top_k(x, k, sorted=True)
unfold(x, kernel_size, dilation=1, padding=0, stride=1)
unstack(x, num=None, axis=0)
vectorize(pyfunc, *, excluded=None, signature=None)
vectorized_map(function, elements)
view_as_complex(x)
view_as_real(x)
while_loop(cond, body, loop_vars, maximum_iterations=None)
"""
"""`inspect.signature` of the functions of `keras.ops.core`, `linalg`, `math` and `nn`."""

KERAS_NEXT = """
gammainc(x1, x2)
grad(f, argnums=0)
lgamma(x)
matrix_power(x, n)
top_k(x, k, sorted=True, is_stable=True)
"""
"""What Keras 3.16 adds or changes: `inspect.signature` in its nightly of 2026-10-27 (3.16.0.dev2026102704)."""

KERAS_RANDOM = """
SeedGenerator(seed=None, name=None, **kwargs)
beta(shape, alpha, beta, dtype=None, seed=None)
binomial(shape, counts, probabilities, dtype=None, seed=None)
categorical(logits, num_samples, dtype='int32', seed=None)
dropout(inputs, rate, noise_shape=None, seed=None)
gamma(shape, alpha, dtype=None, seed=None)
normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None)
randint(shape, minval, maxval, dtype='int32', seed=None)
shuffle(x, axis=0, seed=None)
truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None)
uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None)
"""
"""The same of `keras.random`."""

OURS = {
    "layer_normalization": (
        "(x, gamma=None, beta=None, axis=-1, epsilon=None)",
        "without **kwargs: the only one was rms_scaling, deprecated and wrong",
    ),
    "SeedGenerator": ("(seed=None, name=None)", "without **kwargs: the only one was the module of a backend"),
}
"""Signatures that are deliberately not Keras's, each with the reason."""

MORE = {
    "device": "(device_name)",
    "draw_seed": "()",
    "gru": "(x, h, kernel, recurrent_kernel, bias=None)",
    "host_generator": "(seed=None)",
    "ifft": "(x)",
    "lstm": "(x, h, c, kernel, recurrent_kernel, bias=None)",
    "normalize_batch": "(x, axis=-1, offset=None, scale=None, epsilon=0.001)",
    "remat": "(f)",
    "set_random_seed": "(seed)",
}
"""What these modules have beyond Keras's modules of that name."""

NUMPY_FAMILY = ["angle", "conj", "conjugate", "cross", "dot", "einsum", "inner", "kron", "matmul", "outer", "slogdet"]
NUMPY_FAMILY += ["tensordot", "trace", "vdot", "vectorize"]
"""What these modules have of Keras's NumPy family, frozen in `test_ops_namespace.py`."""


def _parsed(text: str) -> dict[str, str]:
    return {name: f"({rest}" for name, rest in (line.split("(", 1) for line in text.strip().splitlines())}


EXPECTED = {**_parsed(KERAS_OPS), **_parsed(KERAS_NEXT), **_parsed(KERAS_RANDOM)}


def _public(name: str) -> Callable[..., Any]:
    module = random if name in _parsed(KERAS_RANDOM) or name in random.__all__ else ops
    return getattr(module, name)


def _signature(function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_same_parameters_and_defaults(name: str) -> None:
    found = _signature(_public(name))
    if name in OURS:
        assert found == OURS[name][0]
        assert found != EXPECTED[name], f"OURS names {name}, whose signature is Keras's"
    else:
        assert found == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(MORE))
def test_signatures_of_what_we_have_more(name: str) -> None:
    assert name not in EXPECTED
    assert _signature(_public(name)) == MORE[name]


def test_nothing_is_public_that_is_not_frozen() -> None:
    exported = {name for module in (core, fourier, linalg, nn, special, random) for name in module.__all__}
    assert sorted(exported - set(EXPECTED) - set(MORE) - set(NUMPY_FAMILY)) == []


def test_every_function_says_what_it_does() -> None:
    undocumented = [
        name for module in (core, fourier, linalg, nn, special, random) for name in module.__all__
        if not (inspect.getdoc(getattr(module, name)) or "").strip()
    ]  # fmt: skip
    assert undocumented == []
