"""`polykeras.backend` as Keras 2 code uses it (`K.sum`, `K.conv2d`, ...), against `tf.keras.backend`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from differential.opponent import keras
from polykeras import backend as K
from polykeras import ops
from polykeras.backend import Backend
from polykeras.common import nested

pytestmark = pytest.mark.keras
RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float32")


def shares(*shape: int) -> np.ndarray:
    x = RNG.uniform(0.05, 1, size=shape).astype("float32")
    return x / x.sum(-1, keepdims=True)


X, Y, SIGNED = floats(3, 4), floats(3, 4), np.array([[-2.5, -0.5, 0.5], [1.5, 2.5, 0.0]], "float32")
IMAGES, VOLUMES, SEQUENCES = floats(2, 6, 5, 3), floats(2, 4, 5, 4, 2), floats(2, 5, 3)
CLASSES = np.array([0, 2, 1])
ONE_HOT = np.eye(4, dtype="float32")[CLASSES]
MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], bool)


def running(x: Any, states: Any) -> Any:
    """Return a step of a running sum that its constant scales."""
    total = states[0] + x * states[-1]
    return total * 2.0, [total]


def rnn_case(**options: Any) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    return "rnn", (running, SEQUENCES, [floats(2, 3)]), {"constants": [np.float32(0.5)], **options}


CASES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *(
        (name, (X,), {})
        for name in [
            "abs",
            "argmax",
            "argmin",
            "batch_flatten",
            "cos",
            "cumprod",
            "cumsum",
            "elu",
            "exp",
            "expand_dims",
        ]
    ),
    *(
        (name, (X,), {})
        for name in ["flatten", "hard_sigmoid", "l2_normalize", "max", "mean", "min", "ones_like", "prod", "relu"]
    ),
    *(
        (name, (X,), {})
        for name in [
            "sigmoid",
            "sign",
            "sin",
            "softmax",
            "softplus",
            "softsign",
            "sqrt",
            "square",
            "std",
            "sum",
            "tanh",
        ]
    ),
    *(
        (name, (X,), {})
        for name in ["transpose", "var", "zeros_like", "ndim", "int_shape", "dtype", "count_params", "shape"]
    ),
    *((name, (X, 1, True), {}) for name in ["max", "mean", "min", "prod", "std", "sum", "var"]),
    *((name, (X > 0,), {}) for name in ["all", "any", "mean", "std", "var"]),
    *(
        (name, (X, Y), {})
        for name in ["equal", "greater", "greater_equal", "less", "less_equal", "maximum", "minimum", "not_equal"]
    ),
    ("all", (X > 0, 1), {"keepdims": True}),
    ("any", (X > 1, 0), {}),
    ("arange", (5,), {}),
    ("arange", (-3,), {}),
    ("arange", (1, 7, 2), {"dtype": "float32"}),
    ("batch_dot", (floats(2, 5), floats(2, 5)), {"axes": 1}),
    ("batch_dot", (floats(2, 3, 5), floats(2, 5, 4)), {}),
    ("batch_dot", (floats(2, 3, 5), floats(2, 5)), {}),
    ("batch_dot", (floats(2, 5), floats(2, 5, 4)), {"axes": (1, 1)}),
    ("batch_dot", (floats(2, 3, 4, 5), floats(2, 6, 5)), {"axes": (3, 2)}),
    ("batch_normalization", (X, X.mean(0), X.var(0), floats(4), floats(4)), {"epsilon": 0.01}),
    ("bias_add", (IMAGES, floats(3)), {"data_format": "channels_last"}),
    ("bias_add", (IMAGES, floats(6)), {"data_format": "channels_first"}),
    ("binary_crossentropy", (ONE_HOT, shares(3, 4)), {}),
    ("binary_crossentropy", (ONE_HOT, X), {"from_logits": True}),
    ("binary_focal_crossentropy", (ONE_HOT, shares(3, 4)), {"apply_class_balancing": True}),
    ("binary_focal_crossentropy", (ONE_HOT, X), {"from_logits": True}),
    ("categorical_crossentropy", (ONE_HOT, shares(3, 4)), {}),
    ("categorical_crossentropy", (ONE_HOT, X), {"from_logits": True}),
    ("categorical_focal_crossentropy", (ONE_HOT, shares(3, 4)), {}),
    ("categorical_focal_crossentropy", (ONE_HOT, X), {"from_logits": True, "gamma": 1.0}),
    ("sparse_categorical_crossentropy", (CLASSES, shares(3, 4)), {}),
    ("sparse_categorical_crossentropy", (CLASSES, X), {"from_logits": True}),
    ("sparse_categorical_crossentropy", (CLASSES, shares(3, 4)), {"ignore_class": 2}),
    ("cast", (X, "int32"), {}),
    ("cast_to_floatx", (np.arange(3),), {}),
    ("clip", (X, -0.5, 0.5), {}),
    ("clip", (X, 0.5, -0.5), {}),
    ("clip", (X, None, 0.1), {}),
    ("concatenate", ([X, Y],), {}),
    ("concatenate", ([X, Y],), {"axis": 0}),
    ("constant", (3, None, (2, 2)), {}),
    ("conv1d", (SEQUENCES, floats(3, 3, 4)), {"padding": "causal", "dilation_rate": 2}),
    ("conv1d", (SEQUENCES, floats(2, 3, 4)), {"strides": 2, "padding": "same"}),
    ("conv2d", (IMAGES, floats(3, 2, 3, 4)), {"strides": (2, 1), "padding": "same"}),
    ("conv2d", (IMAGES, floats(2, 2, 3, 4)), {"dilation_rate": (2, 2)}),
    ("conv2d_transpose", (IMAGES, floats(3, 3, 4, 3), (2, 13, 11, 4)), {"strides": (2, 2)}),
    ("conv2d_transpose", (IMAGES, floats(3, 3, 4, 3), (2, 12, 10, 4)), {"strides": (2, 2), "padding": "same"}),
    ("conv2d_transpose", (IMAGES, floats(3, 3, 4, 3), (2, 11, 9, 4)), {"strides": (2, 2), "padding": "same"}),
    ("conv2d_transpose", (IMAGES, floats(2, 2, 4, 3), (2, 13, 11, 4)), {"strides": (2, 2)}),
    ("conv3d", (VOLUMES, floats(2, 2, 2, 2, 3)), {"padding": "same"}),
    ("ctc_batch_cost", (np.array([[0, 1], [1, 1]]), shares(2, 6, 4), np.array([[6], [5]]), np.array([[2], [1]])), {}),
    ("depthwise_conv2d", (IMAGES, floats(3, 3, 3, 2)), {"strides": (2, 2), "padding": "same"}),
    ("dot", (X, floats(4, 2)), {}),
    ("dot", (floats(2, 3, 4), floats(5, 4, 2)), {}),
    ("elu", (X, 0.5), {}),
    ("eye", (3,), {}),
    ("foldl", (lambda a, b: a * 0.5 + b, X), {}),
    ("foldr", (lambda a, b: a * 0.5 + b, X), {}),
    ("foldr", (lambda a, b: a - b, X, np.zeros(4, "float32")), {}),
    ("gather", (X, np.array([2, 0])), {}),
    ("in_top_k", (X, CLASSES, 2), {}),
    ("l2_normalize", (X, 1), {}),
    ("log", (np.abs(X),), {}),
    ("map_fn", (lambda x: x * 2.0 + 1.0, X), {}),
    ("one_hot", (CLASSES, 4), {}),
    ("ones", ((2, 3),), {}),
    ("zeros", ((2, 3), "int32"), {}),
    ("permute_dimensions", (SEQUENCES, (2, 0, 1)), {}),
    ("pool2d", (IMAGES, (2, 2)), {}),
    ("pool2d", (IMAGES, (3, 2)), {"strides": (2, 2), "padding": "same", "pool_mode": "avg"}),
    ("pool3d", (VOLUMES, (2, 2, 2)), {"strides": (2, 1, 2)}),
    ("pow", (X, 2), {}),
    ("relu", (SIGNED, 0.1), {}),
    ("relu", (SIGNED, 0.1), {"max_value": 2.0, "threshold": 1.0}),
    ("repeat", (X, 3), {}),
    ("repeat_elements", (IMAGES, 2, 2), {}),
    ("reshape", (X, (2, 6)), {}),
    ("resize_images", (IMAGES, 2, 3), {"data_format": "channels_last"}),
    ("resize_images", (IMAGES, 2, 2), {"data_format": "channels_last", "interpolation": "bilinear"}),
    ("resize_volumes", (VOLUMES, 2, 1, 3), {"data_format": "channels_last"}),
    ("reverse", (X, 1), {}),
    ("reverse", (SEQUENCES, (0, 2)), {}),
    rnn_case(),
    rnn_case(go_backwards=True),
    rnn_case(mask=MASK),
    rnn_case(mask=MASK, zero_output_for_mask=True),
    rnn_case(mask=MASK, go_backwards=True),
    ("round", (SIGNED,), {}),
    ("separable_conv2d", (IMAGES, floats(3, 3, 3, 2), floats(1, 1, 6, 4)), {"padding": "same"}),
    ("spatial_2d_padding", (IMAGES,), {"padding": ((1, 0), (2, 3)), "data_format": "channels_last"}),
    ("spatial_2d_padding", (IMAGES,), {"data_format": "channels_first"}),
    ("spatial_3d_padding", (VOLUMES,), {"data_format": "channels_last"}),
    ("temporal_padding", (SEQUENCES, (2, 1)), {}),
    ("squeeze", (floats(3, 1, 2), 1), {}),
    ("stack", ([X, Y], 1), {}),
    ("switch", (MASK, SEQUENCES, -SEQUENCES), {}),
    ("switch", (X > 0, X, Y), {}),
    ("switch", (np.array(True), lambda: X, lambda: Y), {}),
    ("tile", (X, (2, 1)), {}),
]


def plain(value: Any) -> Any:
    """Return a result as NumPy arrays and plain values."""
    if isinstance(value, (int, str)):
        return value
    if isinstance(value, tuple) and all(isinstance(part, int) for part in value):
        return np.asarray(value)  # a shape
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return np.asarray(value.numpy() if hasattr(value, "numpy") else K.get_value(value))


def tensors(value: Any, convert: Any) -> Any:
    return nested.map_structure(
        lambda leaf: convert(leaf) if isinstance(leaf, (np.ndarray, np.float32)) else leaf, value
    )


def true_backend() -> tuple[Any, Any]:
    """Return TensorFlow and Keras's own `K`, which is written for it."""
    keras()
    import tensorflow as tf
    from keras.src.legacy import backend as theirs

    return tf, theirs


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_values_are_those_of_keras(backend: Backend, case: tuple[str, tuple[Any, ...], dict[str, Any]]) -> None:
    tf, theirs = true_backend()
    name, args, kwargs = case
    expected = plain(getattr(theirs, name)(*tensors(args, tf.constant), **tensors(kwargs, tf.constant)))
    found = plain(getattr(K, name)(*tensors(args, ops.convert_to_tensor), **tensors(kwargs, ops.convert_to_tensor)))
    if isinstance(expected, (int, str)):
        assert found == expected
        return
    flat = zip(nested.flatten(expected), nested.flatten(found), strict=True)
    for theirs_array, ours in flat:
        assert np.shape(ours) == np.shape(theirs_array)
        np.testing.assert_allclose(ours, theirs_array, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("options", [{}, {"greedy": False, "beam_width": 20, "top_paths": 3}], ids=str)
def test_ctc_decoding_is_that_of_keras(backend: Backend, options: dict[str, Any]) -> None:
    tf, theirs = true_backend()
    y_pred, lengths = shares(2, 8, 4), np.array([8, 5])
    expected, scores = theirs.ctc_decode(tf.constant(y_pred), tf.constant(lengths), **options)
    found, own = K.ctc_decode(y_pred, lengths, **options)
    for path, wanted in zip(found, expected, strict=True):
        ours, wanted = K.get_value(path), wanted.numpy()
        np.testing.assert_array_equal(ours[:, : wanted.shape[1]], wanted)
        assert (ours[:, wanted.shape[1] :] == -1).all()
    np.testing.assert_allclose(K.get_value(own).ravel(), scores.numpy().ravel(), rtol=1e-4)
