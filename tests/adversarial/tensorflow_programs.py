"""Programs that try to make what is compiled on TensorFlow go wrong; see `harness`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from polykeras_tensorflow.backend import tf
from tensorflow.python.framework import ops as conversion
from tensorflow.python.util import _pywrap_determinism as determinism  # public: to switch it on only

import polykeras as keras
from adversarial.common_programs import (
    CHANCE,
    EFFECTS,
    IN_MODELS,
    MEMORY,
    MODELS,
    READS,
    STATE,
    X,
    Y,
    _model,
    _trained,
    add_common,
    add_training_in_a_foreign_trace,
    orders_of,
    setting,
)
from adversarial.entries import DEVICES, ONE_WAY, caught
from adversarial.harness import Entry, Programs, plain
from polykeras import layers, ops

TRANSFORMED, WITHIN, SIZES = "transformations", "within a function of TensorFlow's", "sizes that depend on values"

PROGRAMS = Programs("TensorFlow", refusal="runs as plain Python", rtol=1e-6)
add_common(PROGRAMS)


@contextmanager
def checking_numerics() -> Iterator[None]:
    """Have TensorFlow look for numbers that are not finite within the block."""
    tf.debugging.enable_check_numerics()
    try:
        yield
    finally:
        tf.debugging.disable_check_numerics()


def optimizer_options(**options: Any) -> Callable[[], AbstractContextManager[None]]:
    """Return a context with options of the graph optimizer."""

    @contextmanager
    def context() -> Iterator[None]:
        before = tf.config.optimizer.get_experimental_options()
        tf.config.optimizer.set_experimental_options(options)
        try:
            yield
        finally:
            tf.config.optimizer.set_experimental_options(
                {
                    name: before.get(
                        name,
                        name != "disable_meta_optimizer"
                        and name not in ("auto_mixed_precision", "auto_mixed_precision_onednn_bfloat16"),
                    )
                    for name in options
                }
            )

    return context


both_orders = orders_of(PROGRAMS, tf.constant)


# ---- global state ----------------------------------------------------------------------------------------------------

both_orders("`tf.device`", lambda: tf.device("CPU:0"), lambda x: x @ tf.transpose(x))
both_orders(
    "`tf.config.run_functions_eagerly`",
    lambda: setting(tf.config.functions_run_eagerly, tf.config.run_functions_eagerly, True),
    lambda x: x * (2.0 if tf.executing_eagerly() and bool(tf.reduce_sum(x) > 100) else 3.0),
)
both_orders(
    "`tf.config.optimizer.set_jit`",
    lambda: setting(lambda: tf.config.optimizer.get_jit() == "autoclustering", tf.config.optimizer.set_jit, True),
    lambda x: tf.tanh(x) * 2,
)
both_orders(
    "`set_experimental_options(constant_folding)`", optimizer_options(constant_folding=False), lambda x: tf.tanh(x) * 2
)
both_orders(
    "`set_experimental_options(disable_meta_optimizer)`",
    optimizer_options(disable_meta_optimizer=True),
    lambda x: x + x,
)
both_orders(
    "`tf.config.set_soft_device_placement`",
    lambda: setting(tf.config.get_soft_device_placement, tf.config.set_soft_device_placement, False),
    lambda x: tf.tanh(x) * 2,
)
both_orders(
    "`enable_tensor_float_32_execution`",
    lambda: setting(
        tf.config.experimental.tensor_float_32_execution_enabled,
        tf.config.experimental.enable_tensor_float_32_execution,
        False,
    ),
    lambda x: x @ tf.transpose(x),
)
both_orders("`tf.debugging.enable_check_numerics`", checking_numerics, lambda x: tf.math.log(x - 5))
both_orders("`tf.name_scope`", lambda: tf.name_scope("scope"), lambda x: tf.tanh(x) * 2)
both_orders("`tf.control_dependencies`", lambda: tf.control_dependencies([]), lambda x: tf.tanh(x) * 2)
both_orders("`tf.init_scope`", tf.init_scope, lambda x: tf.tanh(x) * 2)
both_orders(
    "a distribution strategy's scope", lambda: tf.distribute.OneDeviceStrategy("CPU:0").scope(), lambda x: x * 2
)
both_orders("a `MirroredStrategy`'s scope", lambda: tf.distribute.MirroredStrategy(["CPU:0"]).scope(), lambda x: x * 2)
both_orders("a `GradientTape` that watches", tf.GradientTape, lambda x: tf.tanh(x) * 2)


@PROGRAMS.add(
    DEVICES, "`tf.device`: where results are, compiled within and called without, and the other way round", "equal"
)
def devices(compiled: Entry) -> Iterator[Any]:
    for contexts in ((partial(tf.device, "CPU:1"), nullcontext), (nullcontext, partial(tf.device, "CPU:1"))):
        call = compiled(lambda x: tf.tanh(x) * 2)
        for context in contexts:
            with context():
                y = call(tf.constant(X))
            yield y, y.device


@PROGRAMS.add(STATE, "`tf.random.set_seed` between calls of native random numbers with a seed of their own", "equal")
def stateless(compiled: Entry) -> Iterator[Any]:
    noisy = compiled(lambda x: x + tf.random.stateless_normal((4, 3), seed=(1, 2)))
    yield noisy(tf.constant(X))
    tf.random.set_seed(5)
    yield noisy(tf.constant(X))


def _in_models(compiled: Entry, state: Callable[[], AbstractContextManager[Any]]) -> Iterator[Any]:
    """Predict, call, train by batches and by `fit` in a state, without it, and in it again."""
    model = _model(compiled, layers.Dense(3, "tanh"))
    for context in (state, nullcontext, state):
        with context():
            yield caught(lambda: model.predict_on_batch(X)), [caught(lambda: model(X)) for _ in range(3)]
            yield caught(lambda: model.train_on_batch(X, Y))
            yield caught(lambda: model.fit(X, Y, batch_size=2, shuffle=False, verbose=0).history["loss"])
        yield model.get_weights()


IN_STATES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "run_functions_eagerly": lambda: setting(tf.config.functions_run_eagerly, tf.config.run_functions_eagerly, True),
    "set_jit": lambda: setting(
        lambda: tf.config.optimizer.get_jit() == "autoclustering", tf.config.optimizer.set_jit, True
    ),
    "device": lambda: tf.device("CPU:0"),
    "name_scope": lambda: tf.name_scope("scope"),
    "MirroredStrategy.scope": lambda: tf.distribute.MirroredStrategy(["CPU:0"]).scope(),
    "GradientTape": tf.GradientTape,
}
for _name, _state in IN_STATES.items():

    def _run(compiled: Entry, state: Any = _state) -> Iterator[Any]:
        yield from _in_models(compiled, state)

    _run.__name__ = f"models_{_name.replace('.', '_')}"
    PROGRAMS.add(IN_MODELS, f"a model under `{_name}`, and without it", "equal", rtol=1e-4)(_run)


@PROGRAMS.add(IN_MODELS, "`enable_check_numerics` finds nan in a step that was compiled before", "equal", rtol=1e-5)
def numerics_in_models(compiled: Entry) -> Iterator[Any]:
    model = _model(compiled, layers.Dense(3), layers.Lambda(lambda x: ops.log(x)))
    x = np.ones((4, 3), "float32")
    model.layers[0].set_weights([np.eye(3), np.zeros(3)])
    yield model.train_on_batch(x, x), model.predict_on_batch(x)
    with checking_numerics():
        yield caught(lambda: model.predict_on_batch(-x)), caught(lambda: model.train_on_batch(-x, x))
        yield caught(lambda: model.fit(-x, x, verbose=0))
    yield model.predict_on_batch(-x), model.get_weights()


@PROGRAMS.add(
    IN_MODELS,
    "a step made within `tf.init_scope`, where nothing is recorded for gradients: an error",
    "equal",
    rtol=1e-5,
)
def training_in_init_scope(compiled: Entry) -> Iterator[Any]:
    model = _model(compiled, layers.Dense(3))
    with tf.init_scope():
        yield model.predict_on_batch(X), caught(lambda: model.train_on_batch(X, Y)), model.get_weights()
    yield model.train_on_batch(X, Y), model.get_weights()


# ---- switches that cannot be put back --------------------------------------------------------------------------------


def _numpy_behavior(mode: str, **kwargs: Any) -> AbstractContextManager[None]:
    before = conversion.get_dtype_conversion_mode().name.lower()
    on = lambda value: tf.experimental.numpy.experimental_enable_numpy_behavior(dtype_conversion_mode=value, **kwargs)  # noqa: E731
    return setting(lambda: before, on, mode)


def _mixed(x: Any) -> Any:
    try:
        return x + tf.constant([1, 2, 3])
    except (TypeError, tf.errors.InvalidArgumentError):
        return x - 1


for _mode in ("legacy", "all"):
    both_orders(f"numpy behaviour, `{_mode}`", partial(_numpy_behavior, _mode), _mixed, kind=ONE_WAY)

    def _run(compiled: Entry, mode: str = _mode) -> Iterator[Any]:
        yield from _in_models(compiled, partial(_numpy_behavior, mode))

    _run.__name__ = f"models_numpy_{_mode}"
    PROGRAMS.add(ONE_WAY, f"a model under numpy behaviour, `{_mode}`, and without it", "equal", rtol=1e-4)(_run)


def _drawn(x: Any) -> Any:
    try:
        return x * 0 + tf.random.uniform((), 1, 2) * 0  # which needs a seed then
    except RuntimeError:
        return x * 0 + 2


_deterministic = partial(setting, determinism.is_enabled, determinism.enable, True)
both_orders(
    "`enable_op_determinism`",
    _deterministic,
    _drawn,
    kind=ONE_WAY,
)


@PROGRAMS.add(ONE_WAY, "a model under `enable_op_determinism`, and without it", "equal", rtol=1e-4)
def deterministic_models(compiled: Entry) -> Iterator[Any]:
    yield from _in_models(compiled, _deterministic)


# ---- chance ----------------------------------------------------------------------------------------------------------


@PROGRAMS.add(CHANCE, "`tf.random.normal`: new numbers in each call, if others than outside of a graph", "equal")
def native_draws(compiled: Entry) -> Iterator[Any]:
    noisy = compiled(lambda x: x + tf.random.normal((4, 3)))
    results = [np.asarray(noisy(tf.constant(X))) for _ in range(3)]
    yield [bool((a == b).any()) for a, b in pairwise(results)]


@PROGRAMS.add(CHANCE, "a `tf.random.Generator`", "equal", rtol=1e-5)
def native_generator(compiled: Entry) -> Iterator[Any]:
    generator = tf.random.Generator.from_seed(3, alg="philox")
    noisy = compiled(lambda x: x + generator.normal((4, 3)))
    for _ in range(3):
        yield noisy(tf.constant(X))


# ---- values of Python and of arrays ----------------------------------------------------------------------------------


@PROGRAMS.add(SIZES, "selecting rows by a mask (`x[x > 0]`), as many as there are", "equal")
def mask_index(compiled: Entry) -> Iterator[Any]:
    call = compiled(lambda x: (x[x > 0], tf.reduce_sum(x[x > 0])))
    for factor in (1, -1):
        yield call(tf.constant(factor * X + 0.5))


@PROGRAMS.add(SIZES, "an op of polykeras on rows selected by a mask", "equal")
def op_on_mask(compiled: Entry) -> Iterator[Any]:
    yield compiled(lambda x: ops.reshape(ops.ones(ops.shape(x[x > 0])), (-1,)))(tf.constant(X))


@PROGRAMS.add(READS, "a function of NumPy's on an array", "refused", reason="(?i)symbolic|numpy")
def numpy_function(compiled: Entry) -> Iterator[Any]:
    yield compiled(lambda x: np.sort(x))(tf.constant(X))


@PROGRAMS.add(READS, "`x.numpy()`", "refused", reason="(?i)numpy")
def eager_numpy(compiled: Entry) -> Iterator[Any]:
    yield compiled(lambda x: x * x.numpy().sum())(tf.constant(X))


@PROGRAMS.add(
    READS, "`if` and `while` on arrays, which autograph would rewrite", "refused", reason="(?i)bool|autograph"
)
def autograph(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        while tf.reduce_sum(x) < 50:
            x = x * 2
        return x

    yield compiled(fn)(tf.constant(Y))


@PROGRAMS.add(READS, "`tf.cond`, `tf.switch_case` and `tf.while_loop` on values", "equal")
def native_control(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x - 1)
        y = tf.switch_case(tf.cast(y[0, 0] > 1, tf.int32), [lambda: y * 1, lambda: -y])
        return tf.while_loop(lambda z: tf.reduce_sum(tf.abs(z)) < 50, lambda z: (z * 2,), (y,))[0]

    act = compiled(fn)
    for factor in (1, -1, 3):
        yield act(tf.constant(factor * Y))


@PROGRAMS.add(READS, "a `tf.Variable` that a function closes over, assigned between calls", "equal")
def native_variable(compiled: Entry) -> Iterator[Any]:
    factor = tf.Variable(2.0)
    scale = compiled(lambda x: x * factor)
    yield scale(tf.constant(X))
    factor.assign(3.0)
    yield scale(tf.constant(X))


@PROGRAMS.add(READS, "a `tf.Variable` that a function assigns", "equal")
def native_variable_assigned(compiled: Entry) -> Iterator[Any]:
    total = tf.Variable(0.0)

    def fn(x: Any) -> Any:
        total.assign_add(tf.reduce_sum(x))
        return x + total

    add = compiled(fn)
    for _ in range(3):
        yield add(tf.constant(Y)), total.numpy()


@PROGRAMS.add(READS, "a `tf.Variable` made in a function", "refused", reason="(?i)variable")
def native_variable_made(compiled: Entry) -> Iterator[Any]:
    yield compiled(lambda x: x + tf.Variable(X))(tf.constant(X))


@PROGRAMS.add(READS, "a lookup table that a function closes over", "equal")
def lookup(compiled: Entry) -> Iterator[Any]:
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, default_value=-1.0)
    find = compiled(lambda x: tf.reshape(table.lookup(tf.cast(x, tf.int64)), (4, 3)))
    for value in (5.0, 7.0):
        table.insert(tf.constant([1], tf.int64), tf.constant([value]))
        yield find(tf.constant(np.ones((4, 3), "float32")))


# ---- memory ----------------------------------------------------------------------------------------------------------


@PROGRAMS.add(MEMORY, "a share by NumPy of a weight's memory (`x.numpy()`), held while steps run", "equal", rtol=1e-5)
def numpy_view_of_weight(compiled: Entry) -> Iterator[Any]:
    model = _model(compiled, layers.Dense(3), optimizer="adam")
    view = model.layers[0].kernel.value.numpy()
    model.train_on_batch(X, Y)
    views = [view, model.layers[0].kernel.value.numpy()]
    model.fit(X, Y, batch_size=2, epochs=2, shuffle=False, verbose=0)
    yield views, model.get_weights()


@PROGRAMS.add(MEMORY, "`tf.tensor_scatter_nd_update` on an argument", "equal")
def scatter(compiled: Entry) -> Iterator[Any]:
    change = compiled(lambda x: tf.tensor_scatter_nd_update(x, [[0, 0]], [9.0]))
    x = tf.constant(X)
    yield change(x), x
    yield change(x), x


# ---- effects ---------------------------------------------------------------------------------------------------------


@PROGRAMS.add(EFFECTS, "`tf.py_function` into code of Python's with a state: once a call", "equal")
def py_function(compiled: Entry) -> Iterator[Any]:
    seen: list[float] = []

    def host(x: Any) -> Any:
        seen.append(float(tf.reduce_sum(x)))
        return x * len(seen)

    def fn(x: Any) -> Any:
        y = tf.py_function(host, [x], tf.float32)
        y.set_shape(x.shape)
        return y

    scale = compiled(fn)
    for i in range(3):
        yield scale(tf.constant(i * X)), list(seen)


@PROGRAMS.add(EFFECTS, "`tf.numpy_function` that draws from `np.random`", "equal")
def numpy_function_with_state(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        y = tf.numpy_function(lambda: np.random.normal(size=(3,)).astype("float32"), [], tf.float32)
        y.set_shape((3,))
        return x + y

    noisy = compiled(fn)
    for _ in range(3):
        yield noisy(tf.constant(X))


@PROGRAMS.add(EFFECTS, "equal functions with other code behind `tf.numpy_function`", "equal")
def other_host_code(compiled: Entry) -> Iterator[Any]:
    for factor in (2.0, 3.0):

        def fn(x: Any, factor: float = factor) -> Any:
            y = tf.numpy_function(lambda x: x * np.float32(factor), [x], tf.float32)
            y.set_shape(x.shape)
            return y

        yield compiled(fn)(tf.constant(X))


@PROGRAMS.add(EFFECTS, "an error in `tf.py_function` while the program runs", "equal")
def error_in_host_code(compiled: Entry) -> Iterator[Any]:
    fails = [True]

    def host(x: Any) -> Any:
        if fails.pop() if fails else False:
            raise ValueError("by intent")
        return x

    def fn(x: Any) -> Any:
        y = tf.numpy_function(host, [x], tf.float32)
        y.set_shape(x.shape)
        return y * 2

    call = compiled(fn)
    yield caught(lambda: call(tf.constant(X))) is not None
    yield call(tf.constant(X))


@PROGRAMS.add(EFFECTS, "`tf.print` and `tf.debugging.assert_*`", "equal")
def prints(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        tf.print("sum", tf.reduce_sum(x))
        tf.debugging.assert_less(x, 100.0)
        return x * 2

    double = compiled(fn)
    yield double(tf.constant(X))
    yield caught(lambda: double(tf.constant(1000 * Y)))
    yield double(tf.constant(Y))


@PROGRAMS.add(EFFECTS, "a `tf.Variable` in a layer, changed in each call", "equal", rtol=1e-5)
def native_variable_in_layer(compiled: Entry) -> Iterator[Any]:
    total = tf.Variable(0.0)

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3, kernel_initializer="ones")

        def call(self, inputs: Any) -> Any:
            y = self.dense(inputs)
            if isinstance(y, tf.Tensor):
                total.assign_add(1.0)
            return y + 0.0 * y

    model = Net()
    model.compile("sgd", "mse", run_eagerly=compiled is plain)
    model.predict_on_batch(X)
    total.assign(0.0)
    for _ in range(3):
        yield model.predict_on_batch(X), total.numpy()


# ---- transformations -------------------------------------------------------------------------------------------------


@PROGRAMS.add(TRANSFORMED, "a `GradientTape` over a compiled function, persistent, and nested", "equal", rtol=1e-5)
def tapes(compiled: Entry) -> Iterator[Any]:
    cube = compiled(lambda x: tf.reduce_sum(x * x * x))
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = cube(x)
        slope = inner.gradient(y, x)
    yield y, slope, outer.gradient(slope, x), cube(2 * x)


@PROGRAMS.add(TRANSFORMED, "a `GradientTape` by a `tf.Variable` over a compiled function", "equal", rtol=1e-5)
def tape_by_variable(compiled: Entry) -> Iterator[Any]:
    w = tf.Variable(2.0)
    scale = compiled(lambda x: tf.reduce_sum(x * w * w))
    for _ in range(2):
        with tf.GradientTape() as tape:
            y = scale(tf.constant(X + 2))
        yield y, tape.gradient(y, w)
        w.assign(3.0)


@PROGRAMS.add(TRANSFORMED, "`tf.custom_gradient`s of equal code that close over other numbers", "equal", rtol=1e-5)
def custom_gradients(compiled: Entry) -> Iterator[Any]:
    for factor in (2.0, 3.0):

        @tf.custom_gradient
        def same(x: Any, factor: float = factor) -> Any:
            return tf.identity(x), lambda upstream: upstream * factor

        total = compiled(lambda x, same=same: tf.reduce_sum(same(x * 2)))
        x = tf.constant(X)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = total(x)
        yield y, tape.gradient(y, x)


@PROGRAMS.add(TRANSFORMED, "`tf.vectorized_map` and `tf.map_fn` of a compiled function", "equal", rtol=1e-5)
def mapped(compiled: Entry) -> Iterator[Any]:
    norm = compiled(lambda row: row / tf.sqrt(tf.reduce_sum(row * row)))
    x = tf.constant(Y)
    yield tf.vectorized_map(norm, x), tf.map_fn(norm, x), norm(x[0])


@PROGRAMS.add(WITHIN, "a compiled function in `tf.function`s, before and after a call outside", "equal", rtol=1e-5)
def within_function(compiled: Entry) -> Iterator[Any]:
    act = compiled(lambda x: tf.tanh(x) * 2)
    x = tf.constant(X)
    for _ in range(2):
        yield tf.function(lambda x: act(x) + act(2 * x))(x), tf.function(act)(x)
        yield act(x)


@PROGRAMS.add(WITHIN, "a compiled function that closes over a symbol of a `tf.function`", "equal", rtol=1e-5)
def closed_symbol(compiled: Entry) -> Iterator[Any]:
    @tf.function
    def outer(x: Any) -> Any:
        y = x * 2
        inner = compiled(lambda z: z + y)
        return inner(x) + inner(2 * x)

    yield outer(tf.constant(X))
    yield outer(tf.constant(Y))


@PROGRAMS.add(
    WITHIN,
    "one compiled function that reads a symbol of each `tf.function` it is called in",
    "refused",
    reason="(?i)scope|graph|symbolic",
)
def symbols_of_several(compiled: Entry) -> Iterator[Any]:
    held: dict[str, Any] = {}
    act = compiled(lambda z: z + held["y"])

    def outer(x: Any) -> Any:
        held["y"] = x * 2
        return act(x)

    yield tf.function(outer)(tf.constant(X))
    yield tf.function(outer)(tf.constant(Y))


@PROGRAMS.add(
    WITHIN, "a compiled function in a `tf.data` pipeline, in a `FuncGraph` and in `init_scope`", "equal", rtol=1e-5
)
def within_pipeline(compiled: Entry) -> Iterator[Any]:
    act = compiled(lambda x: tf.tanh(x) * 2)
    data = tf.data.Dataset.from_tensors(tf.constant(X)).map(act)
    yield next(iter(data))

    @tf.function
    def outer(x: Any) -> Any:
        with tf.init_scope():
            y = act(tf.constant(Y))
        return act(x) + y

    yield outer(tf.constant(X)), act(tf.constant(X))


@PROGRAMS.add(WITHIN, "a compiled function under `tf.xla` (`jit_compile=True`)", "equal", rtol=1e-5)
def within_xla(compiled: Entry) -> Iterator[Any]:
    act = compiled(lambda x: tf.tanh(x) * 2)
    yield tf.function(act, jit_compile=True)(tf.constant(X)), act(tf.constant(X))


# ---- models: graphs that are shared ----------------------------------------------------------------------------------


@PROGRAMS.add(MODELS, "equal models with native code that closes over other arrays", "equal", rtol=1e-5)
def native_closures(compiled: Entry) -> Iterator[Any]:
    for factor in (2.0, np.float32(2.0000002)):
        for table in (tf.fill((3,), factor), tf.Variable(tf.fill((3,), factor))):
            yield _native(compiled, lambda x, table=table: tf.tanh(x * table))


@PROGRAMS.add(MODELS, "equal models with constants that print alike", "equal")
def constants(compiled: Entry) -> Iterator[Any]:
    for value in (1.0, 1.0 + float(np.finfo("float32").eps), -0.0, 0.0):
        held = tf.constant(np.float32(value))  # of a number of Python's TensorFlow would take a zero of the other sign
        model = _model(compiled, layers.Dense(3))
        model.add(layers.Lambda(lambda x, held=held: 1 / (x * 0 + held) if isinstance(x, tf.Tensor) else x))
        yield model.fit(X, 0 * Y, batch_size=2, shuffle=False, verbose=0).history["loss"]


@PROGRAMS.add(
    MODELS, "equal models with custom gradients of equal code that close over other numbers", "equal", rtol=1e-5
)
def gradients_in_models(compiled: Entry) -> Iterator[Any]:
    for factor in (2.0, 3.0):

        @tf.custom_gradient
        def same(x: Any, factor: float = factor) -> Any:
            return tf.identity(x), lambda upstream: upstream * factor

        yield _native(compiled, same)


@PROGRAMS.add(MODELS, "equal models with other code behind `tf.numpy_function`", "equal", rtol=1e-5)
def host_code_in_models(compiled: Entry) -> Iterator[Any]:
    for factor in (2.0, 3.0):

        @tf.custom_gradient
        def scale(x: Any, factor: float = factor) -> Any:
            y = tf.numpy_function(lambda x: x * np.float32(factor), [x], tf.float32)
            y.set_shape(x.shape)
            return y, lambda upstream: upstream

        yield _native(compiled, scale)


@PROGRAMS.add(MODELS, "equal models, the second made under `enable_check_numerics`", "equal", rtol=1e-5)
def shared_under_numerics(compiled: Entry) -> Iterator[Any]:
    yield _native(compiled, tf.tanh)
    with checking_numerics():
        yield _native(compiled, tf.tanh)
        yield caught(lambda: _native(compiled, lambda x: tf.tanh(x) / 0.0))


@PROGRAMS.add(DEVICES, "equal models, the second made under `tf.device`", "equal", rtol=1e-5)
def shared_under_device(compiled: Entry) -> Iterator[Any]:
    yield _trained(compiled, layers.Dense(4))
    with tf.device("CPU:1"):
        yield _trained(compiled, layers.Dense(4))
    yield _trained(compiled, layers.Dense(4))


def _native(compiled: Entry, fn: Callable[[Any], Any]) -> Any:
    """Return what a fresh model with a native function learns."""

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3, kernel_initializer="ones")

        def call(self, inputs: Any) -> Any:
            return fn(self.dense(inputs))

    model = Net()
    model.compile("sgd", "mse", run_eagerly=compiled is plain)
    return model.fit(X, Y, batch_size=2, shuffle=False, verbose=0).history["loss"], model.get_weights()


add_training_in_a_foreign_trace(PROGRAMS, "tf.function", tf.function, tf.constant)
