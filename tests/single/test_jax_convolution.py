"""The jax backend: convolutions by XLA's own kernels, and their gradients, in programs that we compile."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import polykeras as pk
from polykeras.backend import use_backend
from polykeras.backend.registry import load
from polykeras.training.steps import CompiledStep

jax = pytest.importorskip("jax")
jnp = jax.numpy
compiling = pytest.importorskip("polykeras_jax.compiling")
conv_kernels = pytest.importorskip("polykeras_jax.conv_kernels")
convolution = pytest.importorskip("polykeras_jax.convolution")
in_loop = pytest.importorskip("polykeras_jax.traces").in_loop
pytestmark = [
    pytest.mark.needs("jax"),
    pytest.mark.cpu_only("what XLA is asked for on the CPU"),
    pytest.mark.skipif(
        not compiling._kernel_options(), reason="this XLA, or a switch, leaves convolutions as they are"
    ),
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
    ((2, 8, 9, 70), (1, 1, 70, 5), (2, 1), ((1, 1), (0, 0)), (1, 1)),  # a window of one place: a product
    ((0, 8, 9, 3), (3, 3, 3, 5), (1, 1), ((1, 1), (0, 0)), (1, 1)),  # no rows
    ((0, 8, 9, 8), (3, 3, 8, 5), (1, 1), ((1, 1), (0, 0)), (1, 1)),
    ((2, 2, 9, 8), (3, 3, 8, 5), (1, 1), ((0, 0), (0, 0)), (1, 1)),  # no place for the window
    ((2, 2, 9, 8), (3, 3, 8, 5), (2, 3), ((0, 0), (0, 0)), (1, 1)),
    ((2, 1, 9, 3), (3, 3, 3, 5), (1, 1), ((0, 0), (0, 0)), (1, 1)),
]


def random(*shape: int, seed: int = 0) -> Any:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape).astype("float32"))


def native(x: Any, kernel: Any, strides: Any, padding: Any, dilation: Any) -> Any:
    numbers = conv_kernels.dimension_numbers(len(strides))
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
    assert conv_kernels.conv(x, kernel, *geometry).shape == native(x, kernel, *geometry).shape

    def both(conv: Any) -> Any:
        def loss(x: Any, kernel: Any) -> Any:
            return jnp.tanh(conv(x, kernel, *geometry) / 9).sum()

        def slope(x: Any, kernel: Any) -> Any:
            return sum((part * part).sum() for part in jax.grad(loss, (0, 1))(x, kernel))

        value, tangent = jax.jvp(lambda *a: conv(*a, *geometry), (x, kernel), directions)
        return value, tangent, jax.grad(loss, (0, 1))(x, kernel), jax.grad(slope, (0, 1))(x, kernel)

    close(jax.jit(lambda: both(conv_kernels.conv))(), jax.jit(lambda: both(native))())


@pytest.mark.parametrize("axes", [(0, None), (1, None), (None, 0), (0, 1)])
def test_over_a_further_axis(axes: Any) -> None:
    geometry = (1, 2), ((1, 0), (0, 2)), (1, 1)
    x, kernel = random(2, 6, 7, 8), random(3, 3, 8, 4, seed=1)
    more = [a if axis is None else jnp.stack([a, 2 * a, -a], axis) for a, axis in zip((x, kernel), axes, strict=True)]

    def loss(conv: Any) -> Any:
        return lambda x, kernel: jax.vmap(lambda *a: conv(*a, *geometry), axes)(x, kernel)

    def gradients(conv: Any) -> Any:
        return jax.grad(lambda x, kernel: jnp.tanh(loss(conv)(x, kernel) / 9).sum(), (0, 1))(*more)

    close(loss(conv_kernels.conv)(*more), loss(native)(*more))
    close(gradients(conv_kernels.conv), gradients(native))


def made_of(options: Any, program: Any, *args: Any) -> str:
    """Return what XLA makes of a program."""
    return jax.jit(program, compiler_options=options).lower(*args).compile().as_text()


@pytest.mark.parametrize(
    ("shape", "window", "geometry", "form"),
    [
        ((4, 8, 8, 8), (3, 3, 8, 8), ((1, 1), ((1, 1), (1, 1)), (1, 1)), "b01f_01io->b01f"),
        ((4, 9, 9, 16), (3, 2, 16, 16), ((2, 1), ((1, 1), (0, 2)), (1, 2)), "b01f_01io->b01f"),
        ((16, 12, 16), (5, 16, 16), ((1,), ((0, 0),), (1,)), "b0f_0io->b0f"),
    ],
)
def test_the_gradients_are_of_the_form_that_kernels_take_in_a_loop(
    shape: Any, window: Any, geometry: Any, form: str
) -> None:
    """The form with which XLA's kernels are called, and which in a loop nothing brings about."""
    x, kernel = random(*shape), random(*window, seed=1)

    def convolutions(conv: Any) -> list[str]:
        grads = jax.grad(lambda x, kernel: jnp.tanh(conv(x, kernel, *geometry)).sum(), (0, 1))

        def step(_: Any, carry: Any) -> Any:
            return tuple(a - b for a, b in zip(carry, grads(*carry), strict=True))

        options = compiling._kernel_options()
        text = made_of(options, lambda x, kernel: jax.lax.fori_loop(0, 3, step, (x, kernel)), x, kernel)
        return [line for line in text.splitlines() if " convolution(" in line]

    ours = convolutions(conv_kernels.conv)
    assert len(ours) == 3
    assert all(form in line for line in ours)
    theirs = convolutions(native)
    assert any(form not in line for line in theirs), "XLA does it by itself now: drop the gradients here"


@pytest.mark.skipif(
    tuple(map(int, jax.__version__.split(".")[:2])) < (0, 10), reason="the library computes nothing by itself"
)
def test_options_take_convolutions_from_the_library_and_nothing_else() -> None:
    x, kernel = random(8, 32, 32, 32), random(3, 3, 32, 32, seed=1)
    square = random(256, 256)

    def by_library(options: Any, program: Any, *args: Any) -> bool:
        return "ynn_fusion" in made_of(options, program, *args)

    ours = compiling._kernel_options()
    convolved = partial(native, strides=(1, 1), padding="VALID", dilation=(1, 1))
    assert not by_library(ours, convolved, x, kernel)
    assert by_library(None, convolved, x, kernel), "not needed any more: drop the option"
    for program in (
        lambda a: a @ a,
        lambda a: jnp.tanh(a).sum(1),
        lambda a: jnp.einsum("abc,acd->abd", a[None], a[None]),
    ):
        assert by_library(ours, program, square) == by_library(None, program, square)


@pytest.mark.parametrize(
    ("shape", "window", "dtype", "groups"),
    [
        ((2, 6, 6, 8), (3, 3, 8, 4), "float16", 1),
        ((2, 6, 6, 8), (3, 3, 8, 4), "bfloat16", 1),
        ((2, 6, 6, 8), (3, 3, 4, 4), "float32", 2),
        ((2, 4, 4, 4, 8), (3, 3, 3, 8, 4), "float32", 1),
    ],
)
def test_what_xla_has_no_kernel_for_is_a_product_in_loops(
    seen: list[bool], monkeypatch: pytest.MonkeyPatch, shape: Any, window: Any, dtype: str, groups: int
) -> None:
    products: list[Any] = []
    conv_products = convolution.conv_products
    monkeypatch.setattr(convolution, "conv_products", lambda *args: (products.append(args), conv_products(*args))[1])
    backend = load("jax")
    x, kernel = random(*shape).astype(dtype), random(*window, seed=1).astype(dtype)
    ones, numbers = (1,) * (len(shape) - 2), conv_kernels.dimension_numbers(len(shape) - 2)

    @in_loop
    def conv(x: Any, kernel: Any) -> Any:
        return backend.conv_nd(x, kernel, ones, [(0, 0)] * len(ones), ones, groups)

    found = backend.compile(conv)(x, kernel)
    assert seen == [False]
    assert len(products) == 1
    assert found.dtype == dtype
    exact = [part.astype("float32") for part in (x, kernel)]
    expected = jax.lax.conv_general_dilated(
        *exact, ones, "VALID", dimension_numbers=numbers, feature_group_count=groups
    )
    # About a hundred products of numbers near 1 are added up: ten units of the last place of a dtype's sum.
    place = {"float32": 1e-6, "float16": 1e-3, "bfloat16": 1e-2}[dtype]
    np.testing.assert_allclose(found.astype("float32"), expected, rtol=10 * place, atol=100 * place)


@pytest.mark.parametrize(("window", "ours"), [((3, 3, 1, 32), False), ((3, 3, 1, 16), True), ((5, 1, 32), True)])
def test_a_first_layer_of_a_prediction_is_left_to_the_library_that_fuses_it(
    seen: list[bool], window: Any, ours: bool
) -> None:
    backend = load("jax")
    kernel = random(*window, seed=1)
    x, ones = random(2, *(8,) * (kernel.ndim - 2), 1), (1,) * (kernel.ndim - 2)

    def conv(x: Any) -> Any:
        return backend.conv_nd(x, kernel, ones, [(0, 0)] * len(ones), ones)

    close(backend.compile(conv)(x), native(x, kernel, ones, "VALID", ones))
    close(backend.compile(in_loop(conv))(x), native(x, kernel, ones, "VALID", ones))
    assert seen == [ours, True]


def test_arrays_that_are_spread_over_devices_are_left_to_jax(seen: list[bool]) -> None:
    backend = load("jax")
    mesh = jax.make_mesh((1,), ("d",), axis_types=(jax.sharding.AxisType.Explicit,))
    spread = jax.sharding.PartitionSpec("d")
    whole = jax.sharding.PartitionSpec()
    x, kernel = random(2, 6, 6, 8), random(3, 3, 8, 4, seed=1)

    def gradient(x: Any, kernel: Any) -> Any:
        return jax.grad(lambda k: backend.conv_nd(x, k, (1, 1), ((0, 0), (0, 0)), (1, 1)).sum())(kernel)

    mapped = jax.shard_map(gradient, mesh=mesh, in_specs=(spread, whole), out_specs=whole)
    expected = gradient(x, kernel)
    with jax.set_mesh(mesh):
        close(backend.compile(mapped)(jax.device_put(x, jax.NamedSharding(mesh, spread)), kernel), expected)
    assert not any(seen)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Say for each convolution that is traced whether it is left to XLA's kernels."""
    found: list[bool] = []
    asked = conv_kernels.has_kernel

    def has_kernel(*args: Any) -> bool:
        found.append(asked(*args))
        return found[-1]

    monkeypatch.setattr("polykeras_jax.convolution.has_kernel", has_kernel)
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


def test_small_batches_of_convolutions_are_predicted_in_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    run_batches = CompiledStep.run_batches

    def noted(self: CompiledStep, batches: Any, count: int) -> Any:
        result = run_batches(self, batches, count)  # raises where there is none
        counts.append(count)
        return result

    monkeypatch.setattr(CompiledStep, "run_batches", noted)
    with use_backend("jax"):
        layers = (pk.layers.Conv2D(2, 3), pk.layers.Conv2D(2, 1), pk.layers.Conv2D(4, 3, padding="same"))
        model = pk.Sequential([pk.Input((6, 6, 3)), *layers])
        x = np.random.default_rng(1).normal(size=(20, 6, 6, 3)).astype("float32")
        predicted = model.predict(x, batch_size=4, verbose=0)
        np.testing.assert_allclose(predicted, model.predict_on_batch(x), rtol=1e-5, atol=1e-5)
    assert counts == [5]


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
    np.testing.assert_allclose(predictions, plain[1], rtol=1e-4, atol=5e-5)  # steps add rounding up: 2e-5 with JAX 0.12


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


def test_a_step_that_donates_is_part_of_another_program() -> None:
    backend = load("jax")
    step = backend.compile(lambda state, x: [part + x for part in state], donate_first=True)
    state = jnp.ones(3)
    assert jax.jit(lambda a: step([a, a], 2.0))(state)[1].tolist() == [3, 3, 3]
    assert jax.vmap(lambda a: step([a, a], a)[0])(state).tolist() == [2, 2, 2]
    assert [part.tolist() for part in step([state, state], 1.0)] == [[2, 2, 2], [2, 2, 2]]


def test_an_error_of_the_function_itself_is_not_taken_for_that_of_the_options() -> None:
    def fails(x: Any) -> Any:
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        load("jax").compile(fails)(1.0)
