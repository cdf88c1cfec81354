"""The eleven models in TensorFlow: `MODELS[name](weights, x, training, dropout)` returns logits.

Weights are variables in the order of the layers; the moving statistics of batch normalization are among them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Weights = list[Any]


def _stack(w: Weights, x: Any, activation: Callable[[Any], Any], dropout: float = 0.0) -> Any:
    for i in range(0, len(w) - 2, 2):
        x = activation(x @ w[i] + w[i + 1])
        x = tf.nn.dropout(x, dropout) if dropout else x
    return x @ w[-2] + w[-1]


def _pool(x: Any) -> Any:
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


def _conv(w: Weights, x: Any) -> Any:
    for i in (0, 2):
        x = _pool(tf.nn.relu(tf.nn.conv2d(x, w[i], 1, "VALID") + w[i + 1]))
    return tf.reshape(x, (x.shape[0], 1600)) @ w[4] + w[5]


def _batch_norm(w: Weights, x: Any, training: bool) -> Any:
    for kernel, gamma, beta, mean, variance in (w[:5], w[5:10]):
        x = tf.nn.conv2d(x, kernel, 1, "VALID")
        if training:
            x, new_mean, new_variance = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=1e-3)
            mean.assign_sub(0.01 * (mean - new_mean))
            variance.assign_sub(0.01 * (variance - new_variance))
        else:
            x = tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)
        x = _pool(tf.nn.relu(x))
    return tf.reduce_mean(x, (1, 2)) @ w[10] + w[11]


def _over_time(x: Any, kernel: Any, bias: Any, step: Callable[..., tuple[Any, ...]], states: int) -> Any:
    """Run `step(projected, *states)` over the time axis of `x`; return the first state at the end."""
    batch, times = x.shape[0], x.shape[1]
    projected = tf.transpose(tf.tensordot(x, kernel, 1) + bias, (1, 0, 2))
    array = tf.TensorArray(tf.float32, size=times).unstack(projected)

    def body(t: Any, *state: Any) -> tuple[Any, ...]:
        return t + 1, *step(array.read(t), *state)

    zeros = [tf.zeros((batch, 64))] * states
    return tf.while_loop(lambda t, *_: t < times, body, (0, *zeros), maximum_iterations=times)[1]


def _lstm(w: Weights, x: Any) -> Any:
    def step(projected: Any, h: Any, c: Any) -> tuple[Any, ...]:
        i, f, g, o = tf.split(projected + h @ w[1], 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    return _over_time(x, w[0], w[2], step, 2) @ w[3] + w[4]


def _gru(w: Weights, x: Any) -> Any:
    def step(projected: Any, h: Any) -> tuple[Any, ...]:
        x_z, x_r, x_h = tf.split(projected, 3, axis=-1)
        h_z, h_r, h_h = tf.split(h @ w[1] + w[2][1], 3, axis=-1)
        z = tf.sigmoid(x_z + h_z)
        return (z * h + (1.0 - z) * tf.tanh(x_h + tf.sigmoid(x_r + h_r) * h_h),)

    return _over_time(x, w[0], w[2][0], step, 1) @ w[3] + w[4]


def _two_inputs(w: Weights, x: Any) -> Any:
    words = tf.reshape(tf.gather(w[0], x["words"]), (x["words"].shape[0], 64))
    return _stack(w[1:], tf.concat([words, x["numbers"]], 1), tf.nn.relu)


def _text_cnn(w: Weights, x: Any) -> Any:
    y = tf.nn.relu(tf.nn.conv1d(tf.gather(w[0], x), w[1], 1, "VALID") + w[2])
    return tf.reduce_max(y, 1) @ w[3] + w[4]


def _normalized(x: Any, gamma: Any, beta: Any) -> Any:
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)


def _transformer(w: Weights, x: Any) -> Any:
    n, length, width = x.shape
    # One matrix product over all positions; the positions come apart again for attention.
    x = tf.reshape(x, (-1, width))
    joined = tf.transpose(tf.reshape(x @ w[0] + w[1], (n, length, 3, 4, 16)), (2, 0, 3, 1, 4))
    q, k, v = tf.unstack(joined)
    attended = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / 4.0) @ v
    attended = tf.reshape(tf.transpose(attended, (0, 2, 1, 3)), (-1, width))
    x = _normalized(x + attended @ w[2] + w[3], w[4], w[5])
    x = _normalized(x + tf.nn.relu(x @ w[6] + w[7]) @ w[8] + w[9], w[10], w[11])
    return tf.reduce_mean(tf.reshape(x, (n, length, width)), 1) @ w[12] + w[13]


MODELS: dict[str, Callable[[Weights, Any, bool, float], Any]] = {
    "mlp": lambda w, x, training, dropout: _stack(w, x, tf.sigmoid),
    "wide": lambda w, x, training, dropout: _stack(w, x, tf.nn.relu, dropout if training else 0.0),
    "conv": lambda w, x, training, dropout: _conv(w, x),
    "lstm": lambda w, x, training, dropout: _lstm(w, x),
    "deep": lambda w, x, training, dropout: _stack(w, x, tf.nn.relu),
    "autoencoder": lambda w, x, training, dropout: _stack(w, x, tf.nn.relu),
    "two_inputs": lambda w, x, training, dropout: _two_inputs(w, x),
    "text_cnn": lambda w, x, training, dropout: _text_cnn(w, x),
    "gru": lambda w, x, training, dropout: _gru(w, x),
    "transformer": lambda w, x, training, dropout: _transformer(w, x),
    "batch_norm": lambda w, x, training, dropout: _batch_norm(w, x, training),
}
