"""The eleven models in JAX: `MODELS[name](params, statistics, x, mode)` returns `(logits, statistics)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@dataclass(frozen=True)
class Mode:
    """How a model is called: training or not, the key and the rate of dropout, whether XLA convolves in training."""

    training: bool
    key: Any = None
    rate: float = 0.0
    own_convolutions: bool = False


def _stack(params: Any, x: Any, activation: Callable[[Any], Any]) -> Any:
    for kernel, bias in zip(params[:-2:2], params[1:-2:2], strict=True):
        x = activation(x @ kernel + bias)
    return x @ params[-2] + params[-1]


def _dropout(x: Any, key: Any, mode: Mode) -> Any:
    if not mode.training or not mode.rate:
        return x
    return jnp.where(jax.random.bernoulli(key, 1 - mode.rate, x.shape), x / (1 - mode.rate), 0.0)


def _wide(params: Any, x: Any, mode: Mode) -> Any:
    keys = jax.random.split(mode.key) if mode.training else (None, None)
    for i in (0, 1):
        x = _dropout(jax.nn.relu(x @ params[2 * i] + params[2 * i + 1]), keys[i], mode)
    return x @ params[4] + params[5]


def _conv2d(x: Any, kernel: Any, mode: Mode) -> Any:
    """Return a convolution: in training as a product with the pixels under each place of the kernel side by side.

    XLA's own is many times slower in a `lax.scan` on the CPU (jax issue 12868), and its gradients are slower outside,
    but where a program is told not to leave convolutions to the library YNNPACK.
    """
    if not mode.training or mode.own_convolutions:
        return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    height, width, channels, filters = kernel.shape
    rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
    places = [x[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)]
    return jnp.concatenate(places, axis=-1) @ kernel.reshape(height * width * channels, filters)


def _conv1d(x: Any, kernel: Any, mode: Mode) -> Any:
    return _conv2d(x[:, None], kernel[None], mode)[:, 0]


def _pool(x: Any) -> Any:
    n, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2]
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def _conv(params: Any, x: Any, mode: Mode) -> Any:
    for i in (0, 2):
        x = _pool(jax.nn.relu(_conv2d(x, params[i], mode) + params[i + 1]))
    return x.reshape(len(x), -1) @ params[4] + params[5]


def _lstm(params: Any, x: Any, mode: Mode) -> Any:
    kernel, recurrent, bias, head, head_bias = params
    zeros = jnp.zeros((len(x), 64))

    def step(carry: Any, row: Any) -> Any:
        h, c = carry
        # The input's product for all times at once, outside of the loop, takes 5 to 10 % longer.
        i, f, g, o = jnp.split(row @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    (h, _), _ = lax.scan(step, (zeros, zeros), jnp.swapaxes(x, 0, 1))
    return h @ head + head_bias


def _gru(params: Any, x: Any, mode: Mode) -> Any:
    kernel, recurrent, bias, head, head_bias = params

    def step(h: Any, projected: Any) -> Any:
        x_z, x_r, x_h = jnp.split(projected, 3, axis=-1)
        h_z, h_r, h_h = jnp.split(h @ recurrent + bias[1], 3, axis=-1)
        z = jax.nn.sigmoid(x_z + h_z)
        new = jnp.tanh(x_h + jax.nn.sigmoid(x_r + h_r) * h_h)
        return z * h + (1 - z) * new, None

    h, _ = lax.scan(step, jnp.zeros((len(x), 64)), jnp.swapaxes(x @ kernel + bias[0], 0, 1))
    return h @ head + head_bias


def _two_inputs(params: Any, x: Any, mode: Mode) -> Any:
    words = params[0][x["words"]].reshape(len(x["words"]), -1)
    return _stack(params[1:], jnp.concatenate([words, x["numbers"]], axis=1), jax.nn.relu)


def _text_cnn(params: Any, x: Any, mode: Mode) -> Any:
    y = _conv1d(params[0][x], params[1], mode)
    return jax.nn.relu(y + params[2]).max(1) @ params[3] + params[4]


def _normalized(x: Any, gamma: Any, beta: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-3) * gamma + beta


def _transformer(params: Any, x: Any, mode: Mode) -> Any:
    joined, joined_bias, out, out_bias, g1, b1, k1, c1, k2, c2, g2, b2, head, head_bias = params
    n, length, width = x.shape
    kernels, biases = joined.reshape(width, 3, width), joined_bias.reshape(3, width)
    q, k, v = ((x @ kernels[:, i] + biases[i]).reshape(n, length, 4, 16) for i in range(3))
    weights = jax.nn.softmax(jnp.einsum("nqhd,nkhd->nhqk", q, k) / 4.0)
    attended = jnp.einsum("nhqk,nkhd->nqhd", weights, v).reshape(n, length, width)
    x = _normalized(x + attended @ out + out_bias, g1, b1)
    x = _normalized(x + jax.nn.relu(x @ k1 + c1) @ k2 + c2, g2, b2)
    return x.mean(1) @ head + head_bias


def _batch_norm(params: Any, statistics: Any, x: Any, mode: Mode) -> Any:
    moved = []
    for i in (0, 1):
        kernel, gamma, beta = params[3 * i : 3 * i + 3]
        x = _conv2d(x, kernel, mode)
        mean, variance = statistics[2 * i : 2 * i + 2]
        if mode.training:
            old_mean, old_variance = mean, variance
            mean = x.mean((0, 1, 2))
            variance = jnp.square(x).mean((0, 1, 2)) - jnp.square(mean)
            moved += [0.99 * old_mean + 0.01 * mean, 0.99 * old_variance + 0.01 * variance]
        scale = gamma * lax.rsqrt(variance + 1e-3)
        x = _pool(jax.nn.relu(x * scale + (beta - mean * scale)))
    return x.mean((1, 2)) @ params[6] + params[7], moved


def _stateless(model: Callable[[Any, Any, Mode], Any]) -> Callable[[Any, Any, Any, Mode], Any]:
    return lambda params, statistics, x, mode: (model(params, x, mode), statistics)


MODELS: dict[str, Callable[[Any, Any, Any, Mode], Any]] = {
    "mlp": _stateless(lambda params, x, mode: _stack(params, x, jax.nn.sigmoid)),
    "wide": _stateless(_wide),
    "conv": _stateless(_conv),
    "lstm": _stateless(_lstm),
    "deep": _stateless(lambda params, x, mode: _stack(params, x, jax.nn.relu)),
    "autoencoder": _stateless(lambda params, x, mode: _stack(params, x, jax.nn.relu)),
    "two_inputs": _stateless(_two_inputs),
    "text_cnn": _stateless(_text_cnn),
    "gru": _stateless(_gru),
    "transformer": _stateless(_transformer),
    "batch_norm": _batch_norm,
}
