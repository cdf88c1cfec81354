"""The jax backend: convolutions by XLA's own kernels, and their gradients, in programs that we compile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as pk
from polykeras import fast
from polykeras.backend import use_backend
from polykeras.backend.registry import load

jax = pytest.importorskip("jax")
jnp = jax.numpy
compiling = pytest.importorskip("polykeras_jax.compiling")
convolution = pytest.importorskip("polykeras_jax.convolution")
pytestmark = [
    pytest.mark.needs("jax"),
    pytest.mark.skipif(not fast.enabled(), reason="the kernels are a fast path"),
]

CONVOLUTIONS = [
    # inputs, kernel, strides, padding, dilation
    ((3, 12, 16), (5, 16, 8), (1,), ((0, 0),), (1,)),
    ((3, 12, 16), (4, 16, 8), (2,), ((1, 2),), (2,)),
    ((2, 8, 9, 8), (3, 3, 8, 5), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    ((2, 8, 9, 8), (3, 4, 8, 16), (3, 2), ((2, 0), (0, 3)), (1, 2)),
    ((2, 9, 9, 8), (3, 3, 8, 5), (1, 1), ((-1, -2), (0, -1)), (1, 1)),
    ((4, 2, 2, 16), (3, 3, 16, 16), (1, 1), ((1, 1), (1, 1)), (1, 1)),  # a window larger than the input
    ((2, 8, 8, 8), (3, 3, 8, 5), (1, 1), ((4, 4), (3, 5)), (1, 1)),  # padded by more than the window
    ((2, 8, 9, 3), (3, 3, 3, 5), (2, 1), ((1, 1), (0, 0)), (1, 1)),  # few numbers under the window: products
]


def random(*shape: int, seed: int = 0) -> Any:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape).astype("float32"))


def native(x: Any, kernel: Any, strides: Any, padding: Any, dilation: Any) -> Any:
    numbers = convolution.dimension_numbers(len(strides))
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, rhs_dilation=dilation, dimension_numbers=numbers)


def close(found: Any, expected: Any) -> None:
    """The order in which the products of a window, or of a batch, are added is another one."""
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4), found, expected)


@pytest.mark.parametrize(("shape", "window", "strides", "padding", "dilation"), CONVOLUTIONS)
def test_value_and_derivatives_are_those_of_jax(
    shape: Any, window: Any, strides: Any, padding: Any, dilation: Any
) -> None:
    x, kernel = random(*shape), random(*window, seed=1)
    directions = random(*shape, seed=2), random(*window, seed=3)
    geometry = strides, padding, dilation
    assert convolution.conv(x, kernel, *geometry).shape == native(x, kernel, *geometry).shape

    def both(conv: Any) -> Any:
        def loss(x: Any, kernel: Any) -> Any:
            return jnp.tanh(conv(x, kernel, *geometry) / 9).sum()

        def slope(x: Any, kernel: Any) -> Any:
            return sum((part * part).sum() for part in jax.grad(loss, (0, 1))(x, kernel))

        value, tangent = jax.jvp(lambda *a: conv(*a, *geometry), (x, kernel), directions)
        return value, tangent, jax.grad(loss, (0, 1))(x, kernel), jax.grad(slope, (0, 1))(x, kernel)

    close(jax.jit(lambda: both(convolution.conv))(), jax.jit(lambda: both(native))())


@pytest.mark.parametrize("axes", [(0, None), (1, None), (None, 0), (0, 1)])
def test_over_a_further_axis(axes: Any) -> None:
    geometry = (1, 2), ((1, 0), (0, 2)), (1, 1)
    x, kernel = random(2, 6, 7, 8), random(3, 3, 8, 4, seed=1)
    more = [a if axis is None else jnp.stack([a, 2 * a, -a], axis) for a, axis in zip((x, kernel), axes, strict=True)]

    def loss(conv: Any) -> Any:
        return lambda x, kernel: jax.vmap(lambda *a: conv(*a, *geometry), axes)(x, kernel)

    def gradients(conv: Any) -> Any:
        return jax.grad(lambda x, kernel: jnp.tanh(loss(conv)(x, kernel) / 9).sum(), (0, 1))(*more)

    close(loss(convolution.conv)(*more), loss(native)(*more))
    close(gradients(convolution.conv), gradients(native))


def lines(program: Any, *args: Any) -> list[str]:
    """Return what XLA makes of the convolutions of a program."""
    text = jax.jit(program, compiler_options=compiling._kernel_options()).lower(*args).compile().as_text()
    return [line for line in text.splitlines() if " convolution(" in line or "ynn_fusion" in line]


def test_the_gradients_are_of_the_form_that_kernels_take_in_a_loop() -> None:
    """`b01f_01io->b01f`: a form with which XLA's kernel is called, and which nothing outside of loops brings about."""
    geometry = (1, 1), ((1, 1), (1, 1)), (1, 1)
    x, kernel = random(4, 8, 8, 8), random(3, 3, 8, 8, seed=1)

    def step(conv: Any, x: Any, kernel: Any) -> Any:
        grads = jax.grad(lambda x, kernel: jnp.tanh(conv(x, kernel, *geometry)).sum(), (0, 1))
        return jax.lax.fori_loop(
            0, 3, lambda _, c: tuple(a - b for a, b in zip(c, grads(*c), strict=True)), (x, kernel)
        )

    ours = [line for line in lines(lambda *a: step(convolution.conv, *a), x, kernel) if " convolution(" in line]
    assert len(ours) == 3
    assert all("b01f_01io->b01f" in line for line in ours)
    theirs = [line for line in lines(lambda *a: step(native, *a), x, kernel) if " convolution(" in line]
    assert any("b01f_01io->b01f" not in line for line in theirs), "XLA does it by itself now: drop the gradients here"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Say for each convolution that is traced whether it is left to XLA's kernels."""
    found: list[bool] = []
    asked = convolution.has_kernel

    def has_kernel(*args: Any) -> bool:
        found.append(asked(*args))
        return found[-1]

    monkeypatch.setattr("polykeras_jax.nn.has_kernel", has_kernel)
    return found


def trained() -> Any:
    """Return the losses and predictions of a small model of convolutions."""
    pk.utils.set_random_seed(3)
    model = pk.Sequential(
        [
            pk.Input((10, 10, 8)),
            pk.layers.Conv2D(8, 3, activation="relu"),
            pk.layers.MaxPooling2D(2),
            pk.layers.Conv2D(4, 2),
            pk.layers.GlobalAveragePooling2D(),
        ]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(24, 10, 10, 8)).astype("float32")
    history = model.fit(x, x[:, 0, 0, :4], batch_size=8, epochs=3, shuffle=False, verbose=0)
    return np.array(history.history["loss"]), model.predict(x, verbose=0)


def test_a_model_trains_and_predicts_with_the_kernels(seen: list[bool]) -> None:
    with use_backend("jax"):
        trained()
    assert seen
    assert all(seen)


@pytest.mark.parametrize("why", ["unknown", "named by the environment"])
def test_without_the_option_convolutions_are_products_to_the_same_end(
    seen: list[bool], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    with use_backend("jax"):
        losses, predictions = trained()
        seen.clear()
        if why == "unknown":
            monkeypatch.setattr(compiling, "_knows", lambda *option: False)
        else:
            monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_experimental_ynn_fusion_type=")
        plain = trained()
    assert seen
    assert not any(seen)
    np.testing.assert_allclose(losses, plain[0], rtol=1e-5)
    np.testing.assert_allclose(predictions, plain[1], rtol=1e-4, atol=1e-5)


def test_an_option_that_xla_lacks_is_found_out() -> None:
    assert not compiling._knows("xla_no_such_option", "1")


def test_as_part_of_another_program_there_are_no_options(seen: list[bool]) -> None:
    backend = load("jax")
    x, kernel = random(2, 6, 6, 8), random(3, 3, 8, 4, seed=1)
    geometry = (1, 1), ((0, 0), (0, 0)), (1, 1)
    program = backend.compile(lambda x: backend.conv_nd(x, kernel, *geometry))
    alone = program(x)
    assert seen == [True]
    seen.clear()
    close(jax.jit(lambda: program(x))(), alone)  # nothing traced among the arguments
    close(jax.vmap(program)(x[None])[0], alone)
    assert not seen[-1]


def test_an_error_of_the_function_itself_is_not_taken_for_that_of_the_options() -> None:
    def fails(x: Any) -> Any:
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        load("jax").compile(fails)(1.0)
