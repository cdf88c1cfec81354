"""Programs in neutral code that try to make compiled code go wrong, for each framework that traces; see `harness`."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

import polykeras as keras
from adversarial.entries import caught, told
from adversarial.harness import Entry, Programs, plain
from polykeras import config, layers, ops
from polykeras.backend import registry

X = np.linspace(-1.0, 1.0, 12, dtype="float32").reshape(4, 3)
Y = np.linspace(0.5, 2.0, 12, dtype="float32").reshape(4, 3)

STATE, IN_MODELS, CHANCE, READS = "global state", "global state, in models", "chance and clocks", "Python values"
ARGUMENTS, MEMORY, EFFECTS, MODELS = "arguments", "memory", "effects", "models"


def add_common(programs: Programs) -> None:
    """Add all programs of this file."""
    for add in (_add_state, _add_chance, _add_reads, _add_arguments, _add_memory, _add_effects, _add_models):
        add(programs)


def tensor(x: Any) -> Any:
    """Return an array of the current backend, in memory of its own."""
    return ops.convert_to_tensor(np.array(x))


def orders_of(programs: Programs, array: Callable[[Any], Any]) -> Callable[..., None]:
    """Return a function that adds two programs to those of a framework, whose arrays `array` makes."""

    def both_orders(
        name: str,
        state: Callable[[], AbstractContextManager[Any]],
        fn: Callable[[Any], Any],
        x: Any = X,
        rtol: float | None = None,
        kind: str = STATE,
    ) -> None:
        """Add two programs: compiled within a state and called without, and the other way round.

        What a call raises is compared too.
        """
        orders = {
            "compiled within, called without": (state, nullcontext),
            "compiled without, called within": (nullcontext, state),
        }
        for place, (text, contexts) in enumerate(orders.items()):

            def run(compiled: Entry, contexts: Any = contexts) -> Iterator[Any]:
                call = compiled(fn)
                for context in (*contexts, contexts[0]):
                    with context():
                        yield caught(lambda: call(array(x)))

            run.__name__ = "".join(c if c.isalnum() else "_" for c in name) + ("_within", "_without")[place]
            programs.add(kind, f"{name}: {text}", "equal", rtol=rtol)(run)

    return both_orders


def add_training_in_a_foreign_trace(
    programs: Programs, name: str, compiles: Callable[[Any], Any], array: Callable[[Any], Any]
) -> None:
    """Add the program that trains a model in a function that a framework compiles by itself.

    Args:
        programs: those of the framework.
        name: of what compiles.
        compiles: it.
        array: makes an array of the framework.
    """

    @programs.add(
        MODELS,
        f"`train_on_batch`, `fit` and `evaluate` in a function that `{name}` compiles: an error, and weights are kept",
        "equal",
    )
    def training_in_foreign_trace(compiled: Entry) -> Iterator[Any]:
        model = _model(lambda fn: fn, layers.Dense(3))
        model.train_on_batch(X, Y)
        before = model.get_weights()
        for train in (model.train_on_batch, model.evaluate, model.fit):
            verbose = {} if train == model.train_on_batch else {"verbose": 0}
            foreign = compiles(lambda x, train=train, verbose=verbose: x + np.sum(train(X, Y, **verbose)))
            yield caught(lambda foreign=foreign: foreign(array(X))) in ("TypeError", "RuntimeError")
            yield [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]


class _Scale(layers.Layer):
    factor = 2.0

    def call(self, inputs: Any) -> Any:
        return inputs * self.factor


@contextmanager
def setting(read: Any, write: Any, value: Any) -> Iterator[None]:
    """Have a setting another value within the block."""
    before = read()
    write(value)
    try:
        yield
    finally:
        write(before)


def _add_state(programs: Programs) -> None:
    epsilon = (config.epsilon, config.set_epsilon, 0.5)
    floatx = (config.floatx, config.set_floatx, "float16")

    @programs.add(STATE, "`set_epsilon`, changed after the first call", "equal")
    def epsilon_after(compiled: Entry) -> Iterator[Any]:
        scale = keras.function(lambda x: ops.normalize(x)) if compiled is not plain else ops.normalize
        yield scale(tensor(X / 100))
        with setting(*epsilon):
            yield scale(tensor(X / 100))
        yield scale(tensor(X / 100))

    @programs.add(STATE, "`set_floatx`, changed after the first call", "equal")
    def floatx_after(compiled: Entry) -> Iterator[Any]:
        fn = lambda x: ops.add(ops.ones((3,)), x)  # noqa: E731
        ones = keras.function(fn) if compiled is not plain else fn
        x = tensor([1, 2, 3])
        yield ones(x)
        with setting(*floatx):
            yield ones(x)
        yield ones(x)

    @programs.add(IN_MODELS, "`set_epsilon`, changed between steps of a model", "equal", rtol=1e-5)
    def epsilon_in_steps(compiled: Entry) -> Iterator[Any]:
        model = _model(compiled, layers.Dense(3, "sigmoid"), loss="kl_divergence")
        yield model.train_on_batch(X, Y)
        with setting(*epsilon):
            yield model.train_on_batch(X, Y)
        yield model.train_on_batch(X, Y)

    @programs.add(IN_MODELS, "`set_floatx`, changed between predictions", "equal", rtol=1e-5)
    def floatx_in_predictions(compiled: Entry) -> Iterator[Any]:
        class Ones(layers.Layer):
            def call(self, inputs: Any) -> Any:
                return ops.add(ops.cast(ops.ones((3,)), config.floatx()) / 3, ops.zeros_like(inputs[:, :1]))

        model = _model(compiled, Ones(dtype="float32"))
        yield model.predict_on_batch(X)
        with setting(*floatx):
            yield model.predict_on_batch(X)
        yield model.predict_on_batch(X)

    @programs.add(STATE, "`use_backend` of another backend between two calls", "equal", rtol=1e-6)
    def another_backend(compiled: Entry) -> Iterator[Any]:
        double = compiled(lambda x: ops.tanh(x) * 2)
        yield double(tensor(X))
        with keras.use_backend("numpy"):
            other = keras.function(lambda x: ops.tanh(x) * 2)
            yield np.array(other(X))
        yield double(tensor(Y))


def _add_chance(programs: Programs) -> None:
    @programs.add(
        CHANCE, "`np.random` in a compiled function, with the warning that its numbers are fixed", "read once"
    )
    def numpy_random(compiled: Entry) -> Iterator[Any]:
        noisy = compiled(lambda x: x + float(np.random.normal()))
        with told(compiled, "random numbers"):
            yield noisy(tensor(X))
        yield noisy(tensor(X))

    @programs.add(CHANCE, "`random` in a compiled function, with the warning that its numbers are fixed", "read once")
    def python_random(compiled: Entry) -> Iterator[Any]:
        noisy = compiled(lambda x: x + random.random())
        with told(compiled, "random numbers"):
            yield noisy(tensor(X))
        yield noisy(tensor(X))

    @programs.add(CHANCE, "a generator of NumPy's of one's own (`np.random.default_rng`)", "read once")
    def own_generator(compiled: Entry) -> Iterator[Any]:
        generator = np.random.default_rng(0)
        noisy = compiled(lambda x: x + float(generator.normal()))
        yield noisy(tensor(X))
        yield noisy(tensor(X))

    @programs.add(CHANCE, "a clock or counter of Python's", "read once")
    def clock(compiled: Entry) -> Iterator[Any]:
        ticks = itertools.count(1)  # as `time.time`, but for that it gives the same in both runs
        timed = compiled(lambda x: x + float(next(ticks)))
        yield timed(tensor(X))
        yield timed(tensor(X))

    @programs.add(CHANCE, "a `SeedGenerator`, drawn from in each call", "equal", rtol=1e-6)
    def seed_generator(compiled: Entry) -> Iterator[Any]:
        seeds = keras.random.SeedGenerator(3)
        fn = lambda x: x + keras.random.normal((4, 3), seed=seeds)  # noqa: E731
        noisy = keras.function(fn) if compiled is not plain else fn
        for _ in range(3):
            yield noisy(tensor(X))

    @programs.add(CHANCE, "a fixed seed", "equal", rtol=1e-6)
    def fixed_seed(compiled: Entry) -> Iterator[Any]:
        noisy = compiled(lambda x: x + keras.random.uniform((4, 3), seed=5))
        for _ in range(2):
            yield noisy(tensor(X))

    @programs.add(CHANCE, "`set_random_seed` between two calls of a function with a fixed seed", "equal", rtol=1e-6)
    def seed_set_between(compiled: Entry) -> Iterator[Any]:
        noisy = compiled(lambda x: x + keras.random.uniform((4, 3), seed=5))
        yield noisy(tensor(X))
        keras.utils.set_random_seed(1)
        yield noisy(tensor(X))

    @programs.add(CHANCE, "NumPy's generator goes on outside as if nothing was compiled", "equal")
    def generators_outside(compiled: Entry) -> Iterator[Any]:
        double = compiled(lambda x: x * 2)
        for _ in range(2):
            yield double(tensor(X)), np.random.normal(), random.random()


def _add_reads(programs: Programs) -> None:
    @programs.add(READS, "a number that a function closes over, changed after the first call", "read once")
    def closed_number(compiled: Entry) -> Iterator[Any]:
        factor = 2.0
        scale = compiled(lambda x: x * factor)
        yield scale(tensor(X))
        factor = 3.0
        yield scale(tensor(X))

    @programs.add(READS, "an attribute of an object of Python's, changed after the first call", "read once")
    def attribute(compiled: Entry) -> Iterator[Any]:
        class Options:
            factor = 2.0

        options = Options()
        scale = compiled(lambda x: x * options.factor)
        yield scale(tensor(X))
        options.factor = 3.0
        yield scale(tensor(X))

    @programs.add(READS, "an array of NumPy's that a function closes over, changed in place", "read once")
    def closed_numpy(compiled: Entry) -> Iterator[Any]:
        factors = np.full((3,), 2.0, "float32")
        scale = compiled(lambda x: x * ops.convert_to_tensor(factors))
        yield scale(tensor(X))
        factors[:] = 3.0
        yield scale(tensor(X))

    @programs.add(READS, "an array of the framework that a function closes over, replaced by another", "read once")
    def closed_array(compiled: Entry) -> Iterator[Any]:
        held = {"array": tensor(Y)}
        add = compiled(lambda x: x + held["array"])
        yield add(tensor(X))
        held["array"] = tensor(2 * Y)
        yield add(tensor(X))

    @programs.add(READS, "a list that a function closes over, appended to", "read once")
    def closed_list(compiled: Entry) -> Iterator[Any]:
        factors = [2.0]
        scale = compiled(lambda x: x * sum(factors))
        yield scale(tensor(X))
        factors.append(3.0)
        yield scale(tensor(X))

    @programs.add(READS, "an environment variable", "read once")
    def environment(compiled: Entry) -> Iterator[Any]:
        os.environ["POLYKERAS_TEST_FACTOR"] = "2"
        scale = compiled(lambda x: x * float(os.environ["POLYKERAS_TEST_FACTOR"]))
        yield scale(tensor(X))
        os.environ["POLYKERAS_TEST_FACTOR"] = "3"
        yield scale(tensor(X))
        del os.environ["POLYKERAS_TEST_FACTOR"]

    @programs.add(READS, "a `Variable` that a function closes over, assigned between calls", "equal")
    def closed_variable(compiled: Entry) -> Iterator[Any]:
        factor = keras.Variable(2.0)
        fn = lambda x: x * factor  # noqa: E731
        scale = keras.function(fn) if compiled is not plain else fn
        yield scale(tensor(X))
        factor.assign(3.0)
        yield scale(tensor(X))

    @programs.add(
        READS, "an array read as a number (`if x.sum() > 0`)", "refused", reason="(?i)trac|symbolic|bool|graph"
    )
    def truth(compiled: Entry) -> Iterator[Any]:
        yield compiled(lambda x: x if ops.sum(x) > 1 else -x)(tensor(Y))

    @programs.add(READS, "an array read as a number (`float(x)`)", "refused", reason="(?i)trac|symbolic|concrete|graph")
    def as_float(compiled: Entry) -> Iterator[Any]:
        yield compiled(lambda x: x * float(ops.sum(x)))(tensor(Y))

    @programs.add(
        READS, "an array read by `convert_to_numpy`", "refused", reason="stands for a value inside a compiled"
    )
    def to_numpy(compiled: Entry) -> Iterator[Any]:
        yield compiled(lambda x: x * ops.convert_to_numpy(x).sum())(tensor(Y))

    @programs.add(READS, "an array that says how often a loop of Python's runs", "refused", reason="(?i)int|index")
    def loop_count(compiled: Entry) -> Iterator[Any]:
        def repeat(x: Any) -> Any:
            for _ in range(int(ops.cast(ops.sum(x) * 0 + 2, "int32"))):
                x = x * 2
            return x

        yield compiled(repeat)(tensor(Y))

    @programs.add(READS, "`ops.cond` on a value, with either answer", "equal")
    def cond(compiled: Entry) -> Iterator[Any]:
        choose = compiled(lambda x: ops.cond(ops.sum(x) > 1, lambda: x * 2, lambda: x - 1))
        for sign in (1, -1, 1):
            yield choose(tensor(sign * Y))

    @programs.add(READS, "`ops.while_loop` that ends by a value", "equal")
    def while_loop(compiled: Entry) -> Iterator[Any]:
        double = compiled(lambda x: ops.while_loop(lambda y: ops.sum(y) < 50, lambda y: (y * 2,), (x,))[0])
        for factor in (1, 8):
            yield double(tensor(factor * Y))


def _add_arguments(programs: Programs) -> None:
    @programs.add(ARGUMENTS, "numbers of Python's as arguments, another one in each call", "equal")
    def python_numbers(compiled: Entry) -> Iterator[Any]:
        scale = compiled(ops.multiply)
        for factor in (2.0, 3.0, 4):
            yield scale(tensor(X), factor)

    @programs.add(ARGUMENTS, "strings, None and bools as arguments", "equal")
    def statics(compiled: Entry) -> Iterator[Any]:
        def fn(x: Any, mode: Any = None, flag: bool = False) -> Any:
            return x * (2 if mode == "double" else 1) + (1 if flag else 0)

        act = compiled(fn)
        for mode, flag in (("double", False), (None, True), ("double", True), ("single", False)):
            yield act(tensor(X), mode, flag=flag)

    @programs.add(ARGUMENTS, "another shape, dtype or structure in each call", "equal")
    def structures(compiled: Entry) -> Iterator[Any]:
        total = compiled(lambda tree: ops.sum(tree["a"] if isinstance(tree, dict) else tree[0]))
        for tree in ({"a": X}, [X], (Y[:2],), {"a": np.arange(4, dtype="int32")}, {"a": X, "b": Y}):
            yield total(tree)

    @programs.add(ARGUMENTS, "a list and a dict that are changed in place between calls", "equal")
    def changed_containers(compiled: Entry) -> Iterator[Any]:
        total = compiled(lambda parts: sum(ops.sum(v) for v in (parts.values() if isinstance(parts, dict) else parts)))
        several, named = [tensor(X)], {"a": tensor(X)}
        yield total(several), total(named)
        several.append(tensor(Y))
        named["b"] = tensor(Y)
        yield total(several), total(named)

    @programs.add(ARGUMENTS, "a dict given, from which the function takes an entry out", "equal")
    def popped(compiled: Entry) -> Iterator[Any]:
        def fn(parts: dict[str, Any]) -> Any:
            parts = dict(parts)
            return parts.pop("a") + len(parts)

        take = compiled(fn)
        parts = {"a": tensor(X), "b": tensor(Y)}
        yield take(parts), len(parts)
        yield take(parts), len(parts)

    @programs.add(ARGUMENTS, "the same array given twice", "equal")
    def twice(compiled: Entry) -> Iterator[Any]:
        x = tensor(X)
        add = compiled(lambda a, b: a * 2 + b)
        yield add(x, x)
        yield add(x, tensor(Y))

    @programs.add(ARGUMENTS, "arguments in another order of keywords", "equal")
    def keywords(compiled: Entry) -> Iterator[Any]:
        subtract = compiled(lambda a, b: ops.subtract(a, b))
        yield subtract(a=tensor(X), b=tensor(Y))
        yield subtract(b=tensor(Y), a=tensor(X))
        yield subtract(tensor(Y), b=tensor(X))


def _add_memory(programs: Programs) -> None:
    @programs.add(MEMORY, "an array of NumPy's, changed in place after the call", "equal")
    def argument_changed_after(compiled: Entry) -> Iterator[Any]:
        double = compiled(lambda x: ops.convert_to_tensor(x) * 2)
        x = np.array(X)
        before = double(x)
        x[:] = 7.0
        yield before
        yield double(x)

    @programs.add(MEMORY, "a large array of NumPy's that a function returns as it is, changed after the call", "equal")
    def identity_of_numpy(compiled: Entry) -> Iterator[Any]:
        same = compiled(lambda x: ops.convert_to_tensor(x))
        x = np.ones((4, 2**16), "float32")
        y = same(x)
        yield ops.sum(y)
        if compiled is not plain:  # what `convert_to_tensor` itself shares is another question
            x[:] = 7.0
        yield ops.sum(y)

    @programs.add(MEMORY, "views as arguments: steps, from back to front, transposed, broadcast, read-only", "equal")
    def views(compiled: Entry) -> Iterator[Any]:
        double = compiled(lambda x: ops.convert_to_tensor(x) * 2)
        base = np.arange(48, dtype="float32").reshape(4, 12)
        frozen = np.array(X)
        frozen.flags.writeable = False
        for view in (base[:, ::4], base[::-1, :3], base.T[:4, :3], np.broadcast_to(X[:1], (4, 3)), frozen):
            yield double(view)

    @programs.add(MEMORY, "arrays of another byte order, of float64 and of float16", "equal")
    def kinds(compiled: Entry) -> Iterator[Any]:
        double = compiled(lambda x: ops.cast(ops.convert_to_tensor(x), "float32") * 2)
        for dtype in (">f4", "float64", "float16", "int64", "bool"):
            yield double(X.astype(dtype))

    @programs.add(MEMORY, "a result that is an argument", "equal")
    def result_is_argument(compiled: Entry) -> Iterator[Any]:
        both = compiled(lambda x: (x, x * 2))
        x = tensor(X)
        same, double = both(x)
        yield same, double, x
        yield both(same), both(double)

    @programs.add(MEMORY, "results of earlier calls, held while later calls run", "equal")
    def results_held(compiled: Entry) -> Iterator[Any]:
        double = compiled(lambda x: x * 2)
        results = [double(tensor(i * X)) for i in range(4)]
        yield results

    @programs.add(MEMORY, "a result on the host that is changed in place", "equal")
    def result_changed(compiled: Entry) -> Iterator[Any]:
        double = compiled(lambda x: x * 2)
        for _ in range(2):
            host = np.array(ops.convert_to_numpy(double(tensor(X))))
            yield host
            host[:] = 0.0

    @programs.add(MEMORY, "an array changed within the function by `ops.slice_update`", "equal")
    def slice_update(compiled: Entry) -> Iterator[Any]:
        change = compiled(lambda x: (ops.slice_update(x, (0, 0), ops.zeros((4, 1))), x * 2))
        x = tensor(X)
        yield change(x), x
        yield change(x), x

    @programs.add(MEMORY, "a variable's value, held while it is assigned anew", "equal")
    def value_held(compiled: Entry) -> Iterator[Any]:
        total = keras.Variable(X)

        def fn(x: Any) -> Any:
            total.assign_add(x)
            return total.value * 2

        add = keras.function(fn) if compiled is not plain else fn
        held = [total.value]
        for _ in range(3):
            yield add(tensor(Y))
            held.append(total.value)
        yield held


def _add_effects(programs: Programs) -> None:
    @programs.add(
        EFFECTS,
        "a list outside that collects arrays of the trace, read after the call",
        "refused",
        "(?i)trac|graph|symbolic|compiled",
    )
    def leaked(compiled: Entry) -> Iterator[Any]:
        seen: list[Any] = []

        def fn(x: Any) -> Any:
            seen.append(x * 2)
            return x

        compiled(fn)(tensor(X))
        yield np.asarray(ops.convert_to_numpy(seen[0] + 1))

    @programs.add(EFFECTS, "a list outside that collects numbers: once a trace, not once a call", "read once")
    def collected(compiled: Entry) -> Iterator[Any]:
        seen: list[int] = []

        def fn(x: Any) -> Any:
            seen.append(1)
            return x + len(seen)

        count = compiled(fn)
        yield count(tensor(X))
        yield count(tensor(X))

    @programs.add(EFFECTS, "an error in the middle of the first call", "equal")
    def error_at_first(compiled: Entry) -> Iterator[Any]:
        total, fails = keras.Variable(0.0), [True]

        def fn(x: Any) -> Any:
            total.assign_add(ops.sum(x))
            if fails.pop() if fails else False:
                raise ValueError("by intent")
            return x * total

        add = keras.function(fn)
        if compiled is plain:
            add = fn
            yield caught(lambda: keras.function(fn)(tensor(Y))), total.value
        else:
            yield caught(lambda: add(tensor(Y))), total.value
        yield add(tensor(Y)), total.value
        yield add(tensor(Y)), total.value

    @programs.add(EFFECTS, "an error while another shape is traced: the first goes on", "equal")
    def error_at_second_shape(compiled: Entry) -> Iterator[Any]:
        def fn(x: Any) -> Any:
            if x.shape[0] == 2:
                raise ValueError("by intent")
            return x * 2

        double = compiled(fn)
        yield double(tensor(X))
        yield caught(lambda: double(tensor(X[:2])))
        yield double(tensor(Y))

    @programs.add(EFFECTS, "variables made in each call", "refused", reason="makes new variables each time")
    def new_variables(compiled: Entry) -> Iterator[Any]:
        add = keras.function(lambda x: x + keras.Variable(X)) if compiled is not plain else lambda x: x + X
        yield add(tensor(X))

    @programs.add(EFFECTS, "a compiled function within a compiled function", "equal")
    def nested(compiled: Entry) -> Iterator[Any]:
        inner = compiled(lambda x: ops.tanh(x) * 2)
        outer = compiled(lambda x: inner(x) + inner(x * 2))
        yield inner(tensor(X)), outer(tensor(X))
        yield outer(tensor(Y)), inner(tensor(Y))

    @programs.add(EFFECTS, "the gradient of a compiled function, and of its gradient", "equal", rtol=1e-5)
    def gradients(compiled: Entry) -> Iterator[Any]:
        cube = compiled(lambda x: ops.sum(x * x * x))
        slope = keras.grad(cube)
        yield slope(tensor(X)), keras.grad(lambda x: ops.sum(slope(x)))(tensor(X))
        yield compiled(slope)(tensor(Y))

    @programs.add(EFFECTS, "a compiled function called from two threads at once", "equal")
    def threads(compiled: Entry) -> Iterator[Any]:
        from concurrent.futures import ThreadPoolExecutor
        from contextvars import copy_context

        double = compiled(lambda x: ops.tanh(x) * 2)
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(copy_context().run, double, tensor(i * X)) for i in range(6)]
            yield [job.result() for job in jobs]


def _model(compiled: Entry, *parts: Any, loss: Any = "mse", **kwargs: Any) -> Any:
    """Return a model that is compiled, or runs eagerly; both with the same weights."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), *parts])
    model.compile(kwargs.pop("optimizer", "sgd"), loss, run_eagerly=compiled is plain, **kwargs)
    return model


def _add_models(programs: Programs) -> None:
    add = lambda text, outcome="equal", **kwargs: programs.add(MODELS, text, outcome, **{"rtol": 1e-5, **kwargs})  # noqa: E731

    @add("`layer.trainable` changed between steps")
    def frozen(compiled: Entry) -> Iterator[Any]:
        model = _model(compiled, layers.Dense(3), layers.Dense(3))
        yield model.train_on_batch(X, Y), model.get_weights()
        model.layers[0].trainable = False
        yield model.train_on_batch(X, Y), model.get_weights()
        model.layers[0].trainable = True
        yield model.train_on_batch(X, Y), model.get_weights()

    @add("a layer's number changed after the first prediction")
    def attribute_of_layer(compiled: Entry) -> Iterator[Any]:
        layer = _Scale()
        model = _model(compiled, layer)
        yield model.predict_on_batch(X)
        layer.factor = 3.0
        yield model.predict_on_batch(X)

    @add("a layer's number changed, and the model compiled again")
    def compiled_again(compiled: Entry) -> Iterator[Any]:
        layer = _Scale()
        model = _model(compiled, layer)
        yield model.predict_on_batch(X)
        layer.factor = 3.0
        model.compile("sgd", "mse", run_eagerly=compiled is plain)
        yield model.predict_on_batch(X)

    @add("a layer's number changed between calls of the model")
    def attribute_in_calls(compiled: Entry) -> Iterator[Any]:
        layer = layers.LeakyReLU(0.2)
        model = _model(compiled, layer)
        for slope in (0.2, 0.5):
            layer.negative_slope = slope
            for _ in range(5):
                yield model(tensor(X))

    @add("the learning rate, assigned, set and given as a schedule")
    def learning_rate(compiled: Entry) -> Iterator[Any]:
        model = _model(compiled, layers.Dense(3))
        for rate in (0.1, 0.01, keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)):
            model.optimizer.learning_rate = rate
            yield model.train_on_batch(X, Y)
            yield model.train_on_batch(X, Y)

    @add("weights set, assigned and loaded between predictions")
    def weights(compiled: Entry) -> Iterator[Any]:
        model = _model(compiled, layers.Dense(3))
        yield model.predict(X, verbose=0)
        model.set_weights([2 * w for w in model.get_weights()])
        yield model.predict(X, verbose=0)
        model.layers[0].kernel.assign(np.eye(3, dtype="float32"))
        yield model.predict(X, verbose=0)

    @add("values of weights, held while steps run")
    def weights_held(compiled: Entry) -> Iterator[Any]:
        model = _model(compiled, layers.Dense(3), optimizer="adam")
        kernel = model.layers[0].kernel
        held = [kernel.value, kernel.numpy(), np.asarray(ops.convert_to_numpy(kernel.value))]
        for _ in range(3):
            model.train_on_batch(X, Y)
        yield held
        model.fit(X, Y, epochs=2, batch_size=2, shuffle=False, verbose=0)
        yield held, model.get_weights()

    @add("data changed in place between two runs of `fit`, and between predictions")
    def data_changed(compiled: Entry) -> Iterator[Any]:
        model, x, y = _model(compiled, layers.Dense(3)), np.array(X), np.array(Y)
        for _ in range(2):
            yield model.fit(x, y, epochs=2, batch_size=2, shuffle=False, verbose=0).history["loss"]
            yield model.predict(x, verbose=0), model.evaluate(x, y, verbose=0)
            x *= 2
            y -= 1

    @add("predictions held while the inputs are written over")
    def predictions_held(compiled: Entry) -> Iterator[Any]:
        model, x = _model(compiled, layers.Activation("linear")), np.array(X)
        held = [model.predict(x, verbose=0), model.predict_on_batch(x), model(x)]
        held.append(model.predict(x, batch_size=1, verbose=0))  # several batches in one go, where a backend has that
        x[:] = 0.0
        yield held

    @add("arrays of the framework as data, used again after `fit`")
    def data_of_the_framework(compiled: Entry) -> Iterator[Any]:
        model, x, y = _model(compiled, layers.Dense(3)), tensor(X), tensor(Y)
        for _ in range(2):
            yield model.fit(x, y, epochs=2, batch_size=2, shuffle=False, verbose=0).history["loss"]
        yield x, y

    @add("a generator that gives the same buffer again and again")
    def buffer_used_again(compiled: Entry) -> Iterator[Any]:
        def batches() -> Iterator[Any]:
            x, y = np.empty((4, 3), "float32"), np.empty((4, 3), "float32")
            for i in range(6):
                x[:], y[:] = (i + 1) * X / 6, (i + 1) * Y / 6
                yield x, y

        model = _model(compiled, layers.Dense(3))
        yield model.fit(batches(), steps_per_epoch=6, epochs=1, verbose=0).history["loss"], model.get_weights()

    @add("two models that share a layer, trained in turn")
    def shared_layer(compiled: Entry) -> Iterator[Any]:
        shared = layers.Dense(3)
        one, other = _model(compiled, shared), _model(compiled, shared, layers.Dense(3))
        for _ in range(2):
            yield one.train_on_batch(X, Y), other.train_on_batch(X, Y), one.predict_on_batch(X)

    @add("equal models with other numbers in a Lambda's closure")
    def lambdas(compiled: Entry) -> Iterator[Any]:
        for factor in (2.0, np.float32(2.0000002)):
            yield _trained(compiled, layers.Lambda(lambda x, factor=factor: x * factor))

    @add("equal models with other arrays in a Lambda's closure, different in the last bit")
    def lambdas_with_arrays(compiled: Entry) -> Iterator[Any]:
        ones = np.ones((3,), "float32")
        for array in (ones, np.nextafter(ones, 2), ones):
            yield _trained(
                compiled, layers.Lambda(lambda x, array=array: x + (ops.convert_to_tensor(array) - 1.0) * 1e7)
            )

    @add("equal models with other numbers in their own steps")
    def own_steps(compiled: Entry) -> Iterator[Any]:
        for factor in (1.0, 1.0000002):

            class Own(keras.Sequential):
                def train_step(self, data: Any, factor: float = factor) -> Any:
                    logs = super().train_step(data)
                    return {**logs, "scaled": (ops.convert_to_tensor(factor) - 1.0) * 1e6}

            keras.utils.set_random_seed(0)
            model = Own([keras.Input((3,)), layers.Dense(3)])
            model.compile("sgd", "mse", run_eagerly=compiled is plain)
            yield model.train_on_batch(X, Y, return_dict=True)

    @add("a counter of Python's in a `train_step`, with the warning that it counts once", outcome="read once")
    def counter(compiled: Entry) -> Iterator[Any]:
        class Counting(keras.Sequential):
            steps = 0

            def train_step(self, data: Any) -> Any:
                self.steps += registry.current().holds_values  # not on shapes alone
                return {"steps": ops.convert_to_tensor(float(self.steps))}

        model = Counting([keras.Input((3,)), layers.Dense(3)])
        model.compile("sgd", "mse", run_eagerly=compiled is plain)
        with told(compiled, "is changed by a step"):
            yield model.train_on_batch(X, Y)
        yield model.train_on_batch(X, Y)

    @add("a counter in a `Variable` in a `train_step`")
    def counter_variable(compiled: Entry) -> Iterator[Any]:
        class Counting(keras.Sequential):
            def train_step(self, data: Any) -> Any:
                self.steps.assign_add(1.0)
                return {"steps": self.steps.value}

        model = Counting([keras.Input((3,)), layers.Dense(3)])
        model.steps = keras.Variable(0.0, trainable=False)
        model.compile("sgd", "mse", run_eagerly=compiled is plain)
        for _ in range(3):
            yield model.train_on_batch(X, Y)

    @add("a layer with a state that it changes in each call")
    def stateful_layer(compiled: Entry) -> Iterator[Any]:
        class Total(layers.Layer):
            def build(self, shape: Any) -> None:
                self.total = self.add_weight(shape=(), initializer="zeros", trainable=False)

            def call(self, inputs: Any) -> Any:
                self.total.assign_add(ops.sum(inputs))
                return inputs + self.total

        model = _model(compiled, Total(), layers.Dense(3))
        for _ in range(2):
            yield model.predict_on_batch(X)
        yield model.train_on_batch(X, Y), model.get_weights()

    @add("`np.random` in a layer, with the warning that its numbers are fixed", outcome="read once")
    def random_in_layer(compiled: Entry) -> Iterator[Any]:
        class Noise(layers.Layer):
            def call(self, inputs: Any) -> Any:
                return inputs + float(np.random.normal()) * (ops.shape(inputs)[0] == 2)

        model = _model(compiled, Noise())
        model.predict_on_batch(X)
        np.random.seed(7)
        with told(compiled, "random numbers"):
            yield model.predict_on_batch(X[:2])
        yield model.predict_on_batch(X[:2])

    @add("dropout and noise, whose seeds count on")
    def dropout(compiled: Entry) -> Iterator[Any]:
        model = _model(compiled, layers.Dropout(0.5, seed=1), layers.GaussianNoise(0.1, seed=2), layers.Dense(3))
        for _ in range(3):
            yield model.train_on_batch(X, Y)

    @add("an error in a callback in the middle of `fit`, and on from there")
    def error_in_callback(compiled: Entry) -> Iterator[Any]:
        class Fails(keras.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                if batch == 1:
                    raise ValueError("by intent")

        model = _model(compiled, layers.Dense(3), optimizer="adam")
        fit = lambda **kwargs: model.fit(X, Y, batch_size=1, shuffle=False, verbose=0, **kwargs)  # noqa: E731
        yield caught(lambda: fit(callbacks=[Fails()])), model.get_weights()
        yield fit().history["loss"], model.get_weights()

    @add("another layer put in the place of one")
    def layer_replaced(compiled: Entry) -> Iterator[Any]:
        class Net(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.head = layers.Dense(3, kernel_initializer="ones")

            def call(self, inputs: Any) -> Any:
                return self.head(inputs)

        model = Net()
        model.compile("sgd", "mse", run_eagerly=compiled is plain)
        yield model.predict_on_batch(X)
        model.head = layers.Dense(3, "tanh", kernel_initializer="ones")
        yield model.predict_on_batch(X)
        model.head = layers.Activation("relu")
        yield model.predict_on_batch(X)

    @add("weights of samples and classes that change between runs")
    def sample_weights(compiled: Entry) -> Iterator[Any]:
        model = _model(compiled, layers.Dense(3, "softmax"), loss="sparse_categorical_crossentropy")
        labels, weights = np.array([0, 1, 2, 0]), np.ones(4, "float32")
        classes = {0: 1.0, 1: 2.0, 2: 3.0}
        for _ in range(2):
            yield model.fit(X, labels, sample_weight=weights, shuffle=False, verbose=0).history["loss"]
            yield model.fit(X, labels, class_weight=classes, shuffle=False, verbose=0).history["loss"]
            weights[0], classes[0] = 5.0, 5.0

    @add("a model called in a compiled function, its weights assigned between calls")
    def model_in_function(compiled: Entry) -> Iterator[Any]:
        model = _model(compiled, layers.Dense(3), layers.BatchNormalization())
        call = (
            keras.function(lambda x: model(x, training=True))
            if compiled is not plain
            else (lambda x: model(x, training=True))
        )
        for factor in (1.0, 2.0, 3.0):
            model.layers[0].kernel.assign(factor * np.eye(3, dtype="float32"))
            yield call(tensor(X)), model.get_weights()


def _trained(compiled: Entry, *parts: Any) -> Any:
    """Return what a fresh model of some layers learns."""
    model = _model(compiled, *parts, layers.Dense(3))
    return model.fit(X, Y, batch_size=2, shuffle=False, verbose=0).history["loss"], model.get_weights()
