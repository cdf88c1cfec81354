"""The tensorflow backend: convolution and pooling against `tf.nn`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from helpers.parity import assert_parity
from polykeras import fast
from polykeras.backend import use_backend
from single.on_tensorflow import gradients, random, second, tf

pooling = pytest.importorskip("polykeras_tensorflow.pooling")

pytestmark = [pytest.mark.needs("tensorflow"), pytest.mark.cpu_only("what XLA is asked for on the CPU")]


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("tensorflow") as backend:
        yield backend


PADDINGS = {"VALID": [(0, 0), (0, 0)], "EXPLICIT": [(1, 2), (0, 1)]}


def check_against(tb: Any, ours: Callable[..., Any], theirs: Callable[..., Any], *arrays: Any) -> None:
    """Compare values and gradients of two functions."""
    assert_parity(ours(*arrays).numpy(), theirs(*arrays).numpy(), 1e-5, 1e-5)
    weight = np.cos(np.arange(ours(*arrays).numpy().size)).reshape(ours(*arrays).shape).astype("float32")
    pairs = zip(
        gradients(tb, lambda *xs: ours(*xs) * weight, *arrays),
        gradients(tb, lambda *xs: theirs(*xs) * weight, *arrays),
        strict=True,
    )
    for actual, expected in pairs:
        assert_parity(actual, expected, 1e-4, 1e-4)


@pytest.mark.parametrize(("padding", "strides"), list(product(PADDINGS, [(1, 1), (2, 1), (2, 3)])))
def test_convolution_is_that_of_tensorflow(tb: Any, padding: str, strides: tuple[int, int]) -> None:
    explicit = [[0, 0], *PADDINGS[padding], [0, 0]] if padding == "EXPLICIT" else padding
    check_against(
        tb,
        lambda x, w: tb.conv_nd(x, w, strides, PADDINGS[padding], (1, 1)),
        lambda x, w: tf.nn.conv2d(x, w, strides, explicit),
        random(2, 7, 8, 3),
        random(3, 2, 3, 4, seed=1),
    )


@pytest.mark.parametrize(("rank", "dilation"), list(product((1, 2, 3), (2, 3))))
def test_dilated_convolution_equals_one_with_a_spread_kernel(tb: Any, rank: int, dilation: int) -> None:
    def spread(x: Any, w: Any) -> Any:
        for axis in range(rank):
            shape = w.shape.as_list()
            w = tf.stack([w] + [tf.zeros_like(w)] * (dilation - 1), axis + 1)
            w = tf.reshape(w, [*shape[:axis], shape[axis] * dilation, *shape[axis + 1 :]])
            w = w[(slice(None),) * axis + (slice(None, 1 - dilation),)]
        return tb.conv_nd(x, w, (1,) * rank, [(1, 2)] * rank, (1,) * rank)

    check_against(
        tb,
        lambda x, w: tb.conv_nd(x, w, (1,) * rank, [(1, 2)] * rank, (dilation,) * rank),
        spread,
        random(2, *(7, 6, 5)[:rank], 2),
        random(*(2, 3, 2)[:rank], 2, 3, seed=1),
    )


@pytest.mark.parametrize(("groups", "filters"), [(2, 6), (4, 4), (4, 8)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_grouped_convolution_is_one_for_each_group(tb: Any, groups: int, filters: int, rank: int) -> None:
    strides, padding = (2, 1, 1)[:rank], [(1, 0)] * rank

    def parts(x: Any, w: Any) -> Any:
        pairs = zip(tf.split(x, groups, -1), tf.split(w, groups, -1), strict=True)
        return tf.concat([tb.conv_nd(a, b, strides, padding, (1,) * rank) for a, b in pairs], -1)

    check_against(
        tb,
        lambda x, w: tb.conv_nd(x, w, strides, padding, (1,) * rank, groups),
        parts,
        random(2, *(7, 6, 5)[:rank], 4),
        random(*(2, 3, 2)[:rank], 4 // groups, filters, seed=1),
    )


def test_depthwise_convolution_is_that_of_tensorflow(tb: Any) -> None:
    check_against(
        tb,
        lambda x, w: tb.conv_nd(x, tf.reshape(w, (3, 2, 1, 6)), (2, 2), PADDINGS["VALID"], (1, 1), 3),
        lambda x, w: tf.nn.depthwise_conv2d(x, w, (1, 2, 2, 1), "VALID"),
        random(2, 7, 8, 3),
        random(3, 2, 3, 2, seed=1),
    )


@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 2)])
def test_transposed_convolution_is_that_of_tensorflow(tb: Any, strides: tuple[int, int]) -> None:
    shape = [2, 3 * strides[0] + 3, 4 * strides[1] + 2, 4]
    check_against(
        tb,
        lambda x, w: tb.conv_transpose_nd(x, w, strides, PADDINGS["VALID"], (1, 1)),
        lambda x, w: tf.nn.conv2d_transpose(x, w, shape, strides, "VALID"),
        random(2, 4, 5, 3),
        random(3, 2, 4, 3, seed=1),
    )


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_dilated_transposed_convolution_is_the_gradient_of_the_convolution(tb: Any, strides: tuple[int, int]) -> None:
    kernel, x = random(3, 2, 4, 3, seed=1), random(2, 9, 9, 4)
    padding, dilation = [(1, 2), (0, 1)], (2, 3)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tb.conv_nd(x, kernel, strides, padding, dilation)
    upstream = random(*y.shape, seed=2)
    expected = tape.gradient(y, x, upstream).numpy()
    actual = tb.conv_transpose_nd(upstream, kernel, strides, padding, dilation).numpy()
    assert_parity(actual, expected[:, : actual.shape[1], : actual.shape[2]], 1e-4, 1e-5)


@pytest.mark.parametrize(("dilation", "groups"), list(product((1, 2), (1, 2, 4))))
def test_convolutions_have_second_derivatives_in_every_form(tb: Any, dilation: int, groups: int) -> None:
    kernel = random(2, 2, 4 // groups, 4, seed=1, dtype="float64")

    def cubed(x: Any) -> Any:
        return tb.conv_nd(x, kernel, (1, 1), [(1, 1)] * 2, (dilation,) * 2, groups) ** 3

    x, step = random(1, 6, 6, 4, dtype="float64"), 1e-5
    slopes = [gradients(tb, cubed, x + sign * step)[0] for sign in (1, -1)]
    expected = (slopes[0] - slopes[1]) / (2 * step)  # the product of the second derivatives with a vector of ones
    np.testing.assert_allclose(second(tb, cubed, x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("strides", "kind"), list(product([(1, 1), (2, 2), (2, 3)], ["max", "average"])))
def test_pooling_is_that_of_tensorflow(tb: Any, strides: tuple[int, int], kind: str) -> None:
    theirs = tf.nn.max_pool2d if kind == "max" else tf.nn.avg_pool2d
    padding = []
    for size, pool, stride in zip((7, 8), (3, 2), strides, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + pool - size)
        padding.append((total // 2, total - total // 2))
    check_against(
        tb,
        lambda x: getattr(tb, f"{kind}_pool_nd")(x, (3, 2), strides, padding),
        lambda x: theirs(x, (3, 2), strides, "SAME"),
        random(2, 7, 8, 3),
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_first_of_equal_maxima_gets_the_gradient(tb: Any, rank: int) -> None:
    x = tf.ones((1, *(4,) * rank, 1))
    expected = np.zeros((4,) * rank)
    expected[(slice(None, None, 2),) * rank] = 1
    (gradient,) = gradients(tb, lambda x: tb.max_pool_nd(x, (2,) * rank, (2,) * rank, [(0, 0)] * rank), x)
    np.testing.assert_array_equal(gradient[0, ..., 0], expected)


def test_padding_never_wins(tb: Any) -> None:
    x = -1.0 - tf.abs(random(1, 4, 4, 1))
    pooled = tb.max_pool_nd(x, (3, 3), (1, 1), [(1, 1), (1, 1)])
    assert_parity(pooled.numpy(), tf.nn.max_pool2d(x, 3, 1, "SAME").numpy())
    whole = tb.max_pool_nd(tb.cast(x * 10, "int8"), (3, 3), (1, 1), [(1, 1), (1, 1)])
    assert whole.numpy().max() < 0


@pytest.mark.parametrize("pool", [(2, 2), (1, 3), (3, 2)])
def test_the_gradient_of_tiles_in_graphs_is_that_of_the_kernel(
    tb: Any, pool: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit: with equal maxima, and with rows and columns that no window covers."""
    monkeypatch.setattr(pooling, "LARGE", 0)
    monkeypatch.setattr(pooling, "has_onednn", lambda: False)
    x = tf.constant(np.random.default_rng(0).integers(0, 3, (2, 7, 9, 3)).astype("float32"))
    window: dict[str, Any] = {"ksize": [1, *pool, 1], "strides": [1, *pool, 1], "padding": "VALID"}
    y = tf.raw_ops.MaxPool(input=x, **window)
    dy = tf.constant(random(*y.shape))

    @tf.function
    def compiled(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            pooled = tb.max_pool(x, pool)
        return pooled, tape.gradient(pooled, x, output_gradients=dy)

    value, gradient = compiled(x)
    np.testing.assert_array_equal(value, y)
    np.testing.assert_array_equal(gradient, tf.raw_ops.MaxPoolGrad(orig_input=x, orig_output=y, grad=dy, **window))

    def twice(x: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                cubes = tb.max_pool(x, pool) ** 3
            slopes = inner.gradient(cubes, x) ** 2
        return outer.gradient(slopes, x)

    assert_parity(tf.function(twice)(x).numpy(), twice(x).numpy(), 1e-5, 1e-5)


@pytest.mark.skipif(not fast.enabled(), reason="a fast path")
@pytest.mark.parametrize(
    ("onednn", "dtype", "kernel"), [(True, "float32", True), (True, "float64", False), (False, "float32", False)]
)
def test_onednn_keeps_the_gradient_of_tiles(
    tb: Any, onednn: bool, dtype: str, kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "LARGE", 0)
    monkeypatch.setattr(pooling, "has_onednn", lambda: onednn)

    @tf.function
    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            pooled = tb.max_pool(x, 2)
        return tape.gradient(pooled, x)

    graph = gradient.get_concrete_function(tf.TensorSpec((2, 4, 4, 1), dtype)).graph
    assert ("MaxPoolGrad" in {node.op for node in graph.as_graph_def().node}) == kernel


@pytest.mark.slow
def test_who_computes_is_asked_of_tensorflow() -> None:
    code = "from polykeras_tensorflow.private import has_onednn; print(has_onednn())"
    for wanted in ("0", "1"):
        environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": wanted}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.stdout.split() == [str(wanted == "1")], done.stderr


@pytest.mark.slow
def test_llvms_level_is_chosen_where_xla_compiles_but_a_part(tb: Any) -> None:
    """Else the first model with pooling would choose another one for all programs of the process."""
    code = """
import numpy as np, polykeras as k
from polykeras_tensorflow import compiler
layers = [k.layers.Conv2D(2, 1), k.layers.MaxPooling2D(2), k.layers.Flatten(), k.layers.Dense(1)]
model = k.Sequential([k.Input((256, 256, 1)), *layers])
model.compile("sgd", "mse")
x = np.ones((8, 256, 256, 1), "float32")
model.predict(x, verbose=0)
print(compiler._chosen)
model.fit(x, np.ones((8, 1)), verbose=0)
print(compiler._chosen)
"""
    environment = os.environ | {"POLYKERAS_BACKEND": "tensorflow", "POLYKERAS_FAST": "1", "TF_ENABLE_ONEDNN_OPTS": "0"}
    environment.pop("XLA_FLAGS", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True"]
