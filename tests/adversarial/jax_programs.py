"""Programs that try to make what is compiled on JAX go wrong; see `harness`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import polykeras as keras
from adversarial.common_programs import (
    EFFECTS,
    IN_MODELS,
    MEMORY,
    MODELS,
    READS,
    X,
    Y,
    _model,
    add_common,
    add_training_in_a_foreign_trace,
    orders_of,
)
from adversarial.entries import DEVICES, caught
from adversarial.harness import Entry, Programs, plain
from polykeras import layers, ops

TRANSFORMED = "transformations"

PROGRAMS = Programs("JAX", refusal="runs as plain Python", rtol=1e-6)
add_common(PROGRAMS)


@contextmanager
def option(name: str, value: Any) -> Iterator[None]:
    """Have an option of JAX another value, for all threads, within the block."""
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        yield
    finally:
        jax.config.update(name, before)


both_orders = orders_of(PROGRAMS, jnp.asarray)


# ---- global state ----------------------------------------------------------------------------------------------------

_mesh = partial(jax.make_mesh, (1,), ("rows",))


@contextmanager
def _old_mesh() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = _mesh()
        context.__enter__()
    try:
        yield
    finally:
        context.__exit__(None, None, None)


_spread = jnp.linspace(0.1, 7.7, 12).reshape(4, 3)

both_orders(
    "`default_matmul_precision`", lambda: jax.default_matmul_precision("BF16_BF16_F32"), lambda x: x @ x.T, _spread
)
both_orders(
    "`default_matmul_precision`, in `ops.matmul`",
    lambda: jax.default_matmul_precision("BF16_BF16_F32"),
    lambda x: ops.matmul(x, ops.transpose(x)),
    _spread,
)
both_orders(
    "`default_matmul_precision`, in `ops.conv`",
    lambda: jax.default_matmul_precision("float32"),
    lambda x: ops.conv(ops.reshape(x, (4, 3, 1)), jnp.ones((2, 1, 1))),
    _spread,
)
both_orders("`enable_x64`", lambda: jax.enable_x64(True), lambda x: x + jnp.arange(3.0) / 3)
both_orders("`jax_enable_x64` for all", lambda: option("jax_enable_x64", True), lambda x: x + jnp.arange(3.0) / 3)
both_orders(
    "`numpy_dtype_promotion('strict')`", lambda: jax.numpy_dtype_promotion("strict"), lambda x: x + jnp.arange(3)
)
both_orders("`numpy_rank_promotion('raise')`", lambda: jax.numpy_rank_promotion("raise"), lambda x: x + jnp.arange(3.0))
both_orders("`debug_nans`", lambda: jax.debug_nans(True), lambda x: jnp.log(x))
both_orders("`debug_infs`", lambda: jax.debug_infs(True), lambda x: 1 / (x * 0))
both_orders("`disable_jit`", jax.disable_jit, lambda x: jnp.tanh(x) * 2)
both_orders("`checking_leaks`", jax.checking_leaks, lambda x: jnp.tanh(x) * 2)
both_orders("`default_device`", lambda: jax.default_device(jax.devices("cpu")[0]), lambda x: x + jnp.ones(3))
both_orders(
    "`jax_default_device` for all", lambda: option("jax_default_device", jax.devices("cpu")[0]), lambda x: x * 2
)
both_orders("`set_mesh`", lambda: jax.set_mesh(_mesh()), lambda x: x @ x.T + jnp.ones(4))
both_orders("`with mesh`", _old_mesh, lambda x: x @ x.T + jnp.ones(4))
both_orders(
    "`jax_default_prng_impl`",
    lambda: option("jax_default_prng_impl", "rbg"),
    lambda x: x + jax.random.uniform(jax.random.key(1), (4, 3)),
)
both_orders(
    "`threefry_partitionable`",
    lambda: jax.threefry_partitionable(False),
    lambda x: x + jax.random.uniform(jax.random.key(1), (4, 3)),
)
both_orders(
    "`jax_high_dynamic_range_gumbel`",
    lambda: option("jax_high_dynamic_range_gumbel", True),
    lambda x: x + jax.random.gumbel(jax.random.key(1), (4, 3)),
)
both_orders(
    "`jax_random_seed_offset`",
    lambda: option("jax_random_seed_offset", 5),
    lambda x: x + jax.random.uniform(jax.random.key(1), (4, 3)),
)
both_orders(
    "`softmax_custom_jvp`",
    lambda: option("jax_softmax_custom_jvp", False),
    lambda x: jax.grad(lambda y: jax.nn.softmax(y)[0, 0])(x),
)
both_orders("`transfer_guard('disallow')`", lambda: jax.transfer_guard("disallow"), lambda x: x * 2)
both_orders("`named_scope`", lambda: jax.named_scope("scope"), lambda x: x * 2)
both_orders("`jax_optimization_level`", lambda: option("jax_optimization_level", "O0"), lambda x: jnp.tanh(x) * 2)
both_orders("`jax_check_static_indices`", lambda: option("jax_check_static_indices", True), lambda x: x[9])


@PROGRAMS.add(IN_MODELS, "a model under `default_matmul_precision`, and without it again", "equal", rtol=1e-5)
def precision_in_models(compiled: Entry) -> Iterator[Any]:
    yield from _in_models(compiled, lambda: jax.default_matmul_precision("BF16_BF16_F32"))


@PROGRAMS.add(IN_MODELS, "a model under `enable_x64`, and without it again", "equal", rtol=1e-5)
def x64_in_models(compiled: Entry) -> Iterator[Any]:
    yield from _in_models(compiled, lambda: jax.enable_x64(True))


@PROGRAMS.add(IN_MODELS, "a model under `debug_nans`, and without it again", "equal", rtol=1e-5)
def debug_nans_in_models(compiled: Entry) -> Iterator[Any]:
    yield from _in_models(compiled, lambda: jax.debug_nans(True))


@PROGRAMS.add(IN_MODELS, "a model under `disable_jit`, and without it again", "equal", rtol=1e-5)
def disable_jit_in_models(compiled: Entry) -> Iterator[Any]:
    yield from _in_models(compiled, jax.disable_jit)


@PROGRAMS.add(IN_MODELS, "a model under `set_mesh`, and without it again", "equal", rtol=1e-5)
def mesh_in_models(compiled: Entry) -> Iterator[Any]:
    yield from _in_models(compiled, lambda: jax.set_mesh(_mesh()))


@PROGRAMS.add(IN_MODELS, "a model under `checking_leaks`, and without it again", "equal", rtol=1e-5)
def leaks_in_models(compiled: Entry) -> Iterator[Any]:
    yield from _in_models(compiled, jax.checking_leaks)


@PROGRAMS.add(IN_MODELS, "a model under `numpy_dtype_promotion('strict')`, and without it again", "equal", rtol=1e-5)
def strict_in_models(compiled: Entry) -> Iterator[Any]:
    yield from _in_models(compiled, lambda: jax.numpy_dtype_promotion("strict"))


@PROGRAMS.add(IN_MODELS, "a model under `numpy_rank_promotion('raise')`, and without it again", "equal", rtol=1e-5)
def rank_in_models(compiled: Entry) -> Iterator[Any]:
    yield from _in_models(compiled, lambda: jax.numpy_rank_promotion("raise"))


@PROGRAMS.add(
    IN_MODELS, "a prediction under `transfer_guard('disallow')`", "refused", reason="Disallowed host-to-device transfer"
)
def guarded_models(compiled: Entry) -> Iterator[Any]:
    model = _model(compiled, layers.Dense(3, "tanh"))
    with jax.transfer_guard("disallow"):
        yield model.predict_on_batch(X)


@PROGRAMS.add(
    IN_MODELS, "`debug_nans` finds nan in a step that was compiled before, and weights are kept", "equal", rtol=1e-5
)
def nan_in_models(compiled: Entry) -> Iterator[Any]:
    model = _model(compiled, layers.Dense(3), layers.Lambda(lambda x: jnp.log(x) if isinstance(x, jax.Array) else x))
    model.layers[0].set_weights([np.eye(3), np.zeros(3)])
    x = np.ones((4, 3), "float32")
    yield model.train_on_batch(x, x), model.predict_on_batch(x)
    with jax.debug_nans(True):
        for call in (model.predict_on_batch, lambda x: model.train_on_batch(x, x)):
            yield caught(lambda call=call: call(-x)), model.get_weights()


def _in_models(compiled: Entry, state: Callable[[], AbstractContextManager[Any]]) -> Iterator[Any]:
    """Predict, call, train by batches and by `fit` in a state, without it, and in it again."""
    model, x, y = _model(compiled, layers.Dense(3, "tanh")), 4 * X + 0.3, Y
    for context in (state, nullcontext, state):
        with context():
            yield caught(lambda: model.predict_on_batch(x)), [caught(lambda: model(x)) for _ in range(3)]
            yield caught(lambda: model.train_on_batch(x, y))
            yield caught(lambda: model.fit(x, y, batch_size=2, shuffle=False, verbose=0).history["loss"])
        yield model.get_weights()


# ---- two devices -----------------------------------------------------------------------------------------------------


@PROGRAMS.add(
    DEVICES, "`default_device`: where results are, compiled within and called without, and the other way round", "equal"
)
def devices(compiled: Entry) -> Iterator[Any]:
    second = lambda: jax.default_device(jax.devices()[1])  # noqa: E731
    for contexts in ((second, nullcontext), (nullcontext, second)):
        call = compiled(lambda x: jnp.tanh(x) * 2)
        for context in contexts:
            with context():
                y = call(jnp.asarray(X))
            yield y, str(y.device)


@PROGRAMS.add(DEVICES, "arrays on another device than those of the first call", "equal")
def arrays_elsewhere(compiled: Entry) -> Iterator[Any]:
    call = compiled(lambda x: jnp.tanh(x) * 2)
    for device in (*jax.devices(), *jax.devices()):
        y = call(jax.device_put(X, device))
        yield y, str(y.device)


@PROGRAMS.add(DEVICES, "arrays that are spread over two devices, with and without `set_mesh`", "equal", rtol=1e-5)
def spread(compiled: Entry) -> Iterator[Any]:
    mesh = jax.make_mesh((2,), ("rows",))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows"))
    call = compiled(lambda x: jnp.tanh(x) @ jnp.ones((3, 2)))
    yield call(jnp.asarray(X))
    for context in (lambda: jax.set_mesh(mesh), nullcontext):
        with context():
            y = call(jax.device_put(X, rows))
            yield y, str(y.sharding.spec)


@PROGRAMS.add(DEVICES, "a model under `default_device` of the second device, and without it", "equal", rtol=1e-5)
def devices_in_models(compiled: Entry) -> Iterator[Any]:
    yield from _in_models(compiled, lambda: jax.default_device(jax.devices()[1]))


# ---- chance ----------------------------------------------------------------------------------------------------------


@PROGRAMS.add("chance and clocks", "a key of JAX's as an argument", "equal")
def key_given(compiled: Entry) -> Iterator[Any]:
    noisy = compiled(lambda x: x + jax.random.normal(jax.random.key(jnp.int32(x[0, 0])), (4, 3)))
    for i in range(3):
        yield noisy(jnp.asarray(X + i))


# ---- values of Python and of arrays ----------------------------------------------------------------------------------


@PROGRAMS.add(READS, "selecting rows by a mask (`x[x > 0]`)", "refused", reason="NonConcreteBooleanIndex")
def mask_index(compiled: Entry) -> Iterator[Any]:
    yield compiled(lambda x: x[x > 0])(jnp.asarray(X))


@PROGRAMS.add(READS, "`jnp.nonzero` without a size", "refused", reason="(?i)concrete")
def nonzero(compiled: Entry) -> Iterator[Any]:
    yield compiled(lambda x: jnp.nonzero(x)[0])(jnp.asarray(X))


@PROGRAMS.add(READS, "a function of NumPy's on an array", "refused", reason="(?i)tracer")
def numpy_function(compiled: Entry) -> Iterator[Any]:
    yield compiled(lambda x: np.sort(x))(jnp.asarray(X))


@PROGRAMS.add(READS, "`x.tolist()`", "refused", reason="(?i)tracer|concrete")
def to_list(compiled: Entry) -> Iterator[Any]:
    yield compiled(lambda x: sum(x[0].tolist()) + x)(jnp.asarray(X))


@PROGRAMS.add(READS, "`lax.cond`, `lax.switch` and `lax.while_loop` on values", "equal")
def lax_control(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        x = lax.cond(x.sum() > 0, lambda y: y * 2, lambda y: y - 1, x)
        x = lax.switch(jnp.int32(x[0, 0] > 1), [lambda y: y, lambda y: -y], x)
        return lax.while_loop(lambda y: jnp.abs(y).sum() < 50, lambda y: y * 2, x)

    act = compiled(fn)
    for factor in (1, -1, 3):
        yield act(jnp.asarray(factor * Y))


@PROGRAMS.add(READS, "`jax.ensure_compile_time_eval` on what is known", "equal")
def compile_time(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        with jax.ensure_compile_time_eval():
            count = int(jnp.arange(x.shape[0]).sum())
        return x * count

    yield compiled(fn)(jnp.asarray(X))


# ---- memory ----------------------------------------------------------------------------------------------------------


@PROGRAMS.add(MEMORY, "`x.at[...].set` on an argument", "equal")
def at_set(compiled: Entry) -> Iterator[Any]:
    x = jnp.asarray(X)
    change = compiled(lambda x: x.at[0].set(9.0).at[1].add(1.0))
    yield change(x), x
    yield change(x), x


@PROGRAMS.add(MEMORY, "a view by NumPy of a weight's memory (`np.asarray`), held while steps run", "equal", rtol=1e-5)
def numpy_view_of_weight(compiled: Entry) -> Iterator[Any]:
    model = _model(compiled, layers.Dense(3), optimizer="adam")
    view = np.asarray(model.layers[0].kernel.value)
    model.train_on_batch(X, Y)
    views = [view, np.asarray(model.layers[0].kernel.value)]
    model.fit(X, Y, batch_size=2, epochs=2, shuffle=False, verbose=0)
    yield views, model.get_weights()


@PROGRAMS.add(MEMORY, "a share by dlpack of a weight's memory, held while steps run", "equal", rtol=1e-5)
def dlpack_of_weight(compiled: Entry) -> Iterator[Any]:
    model = _model(compiled, layers.Dense(3), optimizer="adam")
    share = np.from_dlpack(model.layers[0].kernel.value)
    model.train_on_batch(X, Y)
    model.fit(X, Y, batch_size=2, epochs=2, shuffle=False, verbose=0)
    yield share, model.get_weights()


@PROGRAMS.add(MEMORY, "an array of JAX's that is deleted after the call", "equal")
def deleted(compiled: Entry) -> Iterator[Any]:
    x = jnp.asarray(np.array(X))
    y = compiled(lambda x: (x, x * 2))(x)
    if compiled is not keras.function:
        yield y[1]
    else:
        x.delete()
        yield y[1]


# ---- effects ---------------------------------------------------------------------------------------------------------


@PROGRAMS.add(EFFECTS, "`jax.debug.callback` and `jax.debug.print`: once a call", "equal")
def debug_callback(compiled: Entry) -> Iterator[Any]:
    seen: list[float] = []

    def fn(x: Any) -> Any:
        jax.debug.callback(lambda total: seen.append(float(total)), x.sum())
        jax.debug.print("sum {}", x.sum())
        return x * 2

    double = compiled(fn)
    for i in range(3):
        yield double(jnp.asarray(i * X))
    jax.effects_barrier()
    yield sorted(seen)


@PROGRAMS.add(EFFECTS, "`jax.pure_callback` into code of NumPy's with a state", "equal")
def pure_callback(compiled: Entry) -> Iterator[Any]:
    factor = [2.0]

    def host(x: Any) -> Any:
        return np.asarray(x) * np.float32(factor[0])

    scale = compiled(lambda x: jax.pure_callback(host, jax.ShapeDtypeStruct(x.shape, x.dtype), x) + 1)
    yield scale(jnp.asarray(X))
    factor[0] = 3.0
    yield scale(jnp.asarray(X))


@PROGRAMS.add(EFFECTS, "`io_callback`, ordered, that draws from `np.random`", "equal")
def io_callback(compiled: Entry) -> Iterator[Any]:
    from jax.experimental import io_callback

    def draw() -> Any:
        return np.random.normal(size=(3,)).astype("float32")

    noisy = compiled(lambda x: x + io_callback(draw, jax.ShapeDtypeStruct((3,), "float32"), ordered=True))
    for _ in range(3):
        yield noisy(jnp.asarray(X))


@PROGRAMS.add(EFFECTS, "an error in a callback while the program runs", "equal")
def error_in_callback_of_program(compiled: Entry) -> Iterator[Any]:
    fails = [True]

    def host(x: Any) -> Any:
        if fails.pop() if fails else False:
            raise ValueError("by intent")
        return np.asarray(x)

    total = keras.Variable(0.0)

    def fn(x: Any) -> Any:
        total.assign_add(1.0)
        return jax.pure_callback(host, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    call = keras.function(fn)
    if compiled is not keras.function:
        call = keras.function(fn)
    yield bool(caught(lambda: jax.block_until_ready(call(jnp.asarray(X)))) is not None), total.value
    yield call(jnp.asarray(X)), total.value


@PROGRAMS.add(EFFECTS, "`jax.clear_caches` between two calls", "equal")
def cleared(compiled: Entry) -> Iterator[Any]:
    double = compiled(lambda x: jnp.tanh(x) * 2)
    yield double(jnp.asarray(X))
    jax.clear_caches()
    yield double(jnp.asarray(X))


# ---- transformations -------------------------------------------------------------------------------------------------


@PROGRAMS.add(TRANSFORMED, "`jax.grad`, `jax.hessian` and `jax.jvp` of a compiled function", "equal", rtol=1e-5)
def derivatives(compiled: Entry) -> Iterator[Any]:
    cube = compiled(lambda x: (x * x * x).sum())
    x = jnp.asarray(X)
    yield cube(x), jax.grad(cube)(x), jax.hessian(cube)(x), jax.jvp(cube, (x,), (x,))
    yield jax.grad(cube)(2 * x), cube(2 * x)


@PROGRAMS.add(TRANSFORMED, "`jax.vjp` taken within a state, pulled back without it", "equal", rtol=1e-5)
def vjp_across_states(compiled: Entry) -> Iterator[Any]:
    product = compiled(lambda x: x @ x.T)
    with jax.default_matmul_precision("BF16_BF16_F32"):
        value, back = jax.vjp(product, _spread)
    yield value, back(value)
    yield product(_spread)


@PROGRAMS.add(TRANSFORMED, "`jax.vmap` of a compiled function, and one compiled", "equal", rtol=1e-5)
def mapped(compiled: Entry) -> Iterator[Any]:
    norm = compiled(lambda row: row / jnp.sqrt((row * row).sum()))
    x = jnp.asarray(Y)
    yield jax.vmap(norm)(x), compiled(jax.vmap(norm))(x), norm(x)


@PROGRAMS.add(TRANSFORMED, "`jax.jit`, `jax.checkpoint` and `lax.scan` around a compiled function", "equal", rtol=1e-5)
def wrapped(compiled: Entry) -> Iterator[Any]:
    act = compiled(lambda x: jnp.tanh(x) * 2)
    x = jnp.asarray(X)
    yield jax.jit(act)(x), jax.grad(lambda y: jax.checkpoint(act)(y).sum())(x)
    yield lax.scan(lambda carry, _: (act(carry), carry), x, None, 3), act(x)


@PROGRAMS.add(
    TRANSFORMED,
    "one compiled function that reads an array of each `jax.jit` it is called in",
    "refused",
    reason="UnexpectedTracerError",
)
def arrays_of_several(compiled: Entry) -> Iterator[Any]:
    held: dict[str, Any] = {}
    act = compiled(lambda z: z + held["y"])

    def outer(x: Any) -> Any:
        held["y"] = x * 2
        return act(x)

    yield jax.jit(outer)(X)
    yield jax.jit(lambda x: outer(2 * x))(X)


@PROGRAMS.add(TRANSFORMED, "`jax.custom_vjp` within a compiled function", "equal", rtol=1e-5)
def custom_vjp(compiled: Entry) -> Iterator[Any]:
    @jax.custom_vjp
    def same(x: Any) -> Any:
        return x

    same.defvjp(lambda x: (x, None), lambda _, upstream: (upstream * 7,))
    total = compiled(lambda x: same(x * 2).sum())
    yield total(jnp.asarray(X)), jax.grad(total)(jnp.asarray(X))


@PROGRAMS.add(TRANSFORMED, "`jax.jit` of one's own inside, with other static numbers", "equal")
def own_jit(compiled: Entry) -> Iterator[Any]:
    power = jax.jit(lambda x, n: x**n, static_argnums=1)
    act = compiled(lambda x: power(x, 2) + power(x, 3))
    yield act(jnp.asarray(X))
    yield act(jnp.asarray(Y))


# ---- models ----------------------------------------------------------------------------------------------------------


@PROGRAMS.add(MODELS, "equal models with native code that closes over other arrays", "equal", rtol=1e-5)
def native_closures(compiled: Entry) -> Iterator[Any]:
    for factor in (2.0, 3.0):
        table = jnp.full((3,), factor)

        class Net(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.dense = layers.Dense(3, kernel_initializer="ones")

            def call(self, inputs: Any, table: Any = table) -> Any:
                return jnp.tanh(self.dense(inputs) * table)

        model = Net()
        model.compile("sgd", "mse", run_eagerly=compiled is plain)
        yield model.train_on_batch(X, Y), model.predict_on_batch(X)


add_training_in_a_foreign_trace(PROGRAMS, "jax.jit", jax.jit, jnp.asarray)
