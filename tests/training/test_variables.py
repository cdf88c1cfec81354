"""Variables: where their values live, how they move, and what leaves them alone."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Variable, layers, ops
from polykeras.backend import Backend, registry, use_backend
from polykeras.variables import Scope, functionalize, own_state


class Mistake(Exception):
    """An exception that no framework knows."""


def host(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


# ---- what a variable is ------------------------------------------------------------------------------------------


def test_is_on_the_host_until_it_is_read(backend: Backend) -> None:
    variable = Variable([1.0, 2.0], name="w")
    assert variable.home == "host"
    assert variable.numpy().tolist() == [1.0, 2.0]
    assert variable.home == "host"
    assert backend.is_tensor(variable.value)
    assert variable.home == backend.name
    assert (variable.shape, variable.ndim, variable.dtype, len(variable)) == ((2,), 1, "float32", 2)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(1, "int32"), (1.5, "float32"), (True, "bool"), ([1, 2], "int32"), (np.float16(2), "float16"), ([], "float32")],
)
def test_dtype_follows_the_value(backend: Backend, value: Any, dtype: str) -> None:
    assert Variable(value).dtype == dtype


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "float16", "bfloat16", "float32"])
def test_a_value_reads_in_the_dtype_of_its_variable(backend: Backend, dtype: str) -> None:
    if dtype in backend.unsupported_dtypes:
        pytest.skip(f"{backend.name} has no {dtype}")
    variable = Variable(np.array([0, 1, 1]), dtype=dtype)
    assert backend.dtype(variable.value) == variable.dtype == dtype
    variable.assign(np.array([1.0, 0.0, 1.0]))
    assert backend.dtype(variable.value) == dtype
    assert variable.numpy().astype("float32").tolist() == [1.0, 0.0, 1.0]


def test_wide_data_take_the_dtype_in_which_the_backend_holds_them(backend: Backend) -> None:
    variable = Variable(np.arange(3.0))
    assert variable.dtype == backend.dtype(variable.value) == backend.dtype(backend.asarray(np.arange(3.0)))


@pytest.mark.needs("jax", "numpy")
def test_a_wide_variable_is_never_narrowed_by_a_move() -> None:
    with use_backend("numpy"):
        variable = Variable(np.array([1 / 3]), dtype="float64", name="precise")
    with use_backend("jax"), pytest.raises(TypeError, match=r"'precise' is float64.*JAX_ENABLE_X64=1"):
        _ = variable.value
    assert variable.numpy()[0] == 1 / 3


def test_initializer_function_runs_once_on_numpy(backend: Backend) -> None:
    seen: list[Any] = []

    def first(shape: tuple[int, ...], dtype: str) -> Any:
        seen.append((shape, dtype, registry.current().name))
        return np.full(shape, 3, dtype)

    variable = Variable(first, shape=(2, 3), dtype="float32")
    assert host(variable).tolist() == [[3.0] * 3] * 2
    assert seen == [((2, 3), "float32", "numpy")]


def test_a_variable_or_a_tensor_may_be_the_first_value(backend: Backend) -> None:
    tensor = backend.asarray(np.array([1.0, 2.0], "float32"))
    first = Variable(tensor)
    second = Variable(first)
    second.assign_add(1.0)
    assert (first.numpy().tolist(), second.numpy().tolist()) == ([1.0, 2.0], [2.0, 3.0])


def test_bad_arguments(backend: Backend) -> None:
    with pytest.raises(ValueError, match="'w': an initializer that is a function needs `shape`"):
        Variable(lambda shape, dtype: np.zeros(shape), name="w")
    with pytest.raises(ValueError, match=r"'w' needs a shape without unknown dimensions; received \(None, 2\)"):
        Variable(lambda shape, dtype: np.zeros(shape), shape=(None, 2), name="w")
    with pytest.raises(ValueError, match=r"'w': expected a value of shape \(3,\); received \(2,\)"):
        Variable([1.0, 2.0], shape=(3,), name="w")
    with pytest.raises(TypeError, match="scalar and has no length"):
        len(Variable(1.0))


def test_copies_and_pickles_hold_the_value_on_the_host(backend: Backend) -> None:
    variable = Variable([1.0, 2.0], trainable=False, name="w")
    variable.assign_add(1.0)
    for twin in (copy.deepcopy(variable), pickle.loads(pickle.dumps(variable))):
        assert twin.home == "host"
        assert (twin.name, twin.trainable, twin.numpy().tolist()) == ("w", False, [2.0, 3.0])
        twin.assign([0.0, 0.0])
    assert variable.numpy().tolist() == [2.0, 3.0]


# ---- operators ---------------------------------------------------------------------------------------------------

BINARY: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / b,
    lambda a, b: a // b,
    lambda a, b: a % b,
    lambda a, b: a**b,
    lambda a, b: a @ b,
    lambda a, b: a < b,
    lambda a, b: a <= b,
    lambda a, b: a > b,
    lambda a, b: a >= b,
    lambda a, b: a == b,
    lambda a, b: a != b,
]


@pytest.mark.parametrize("function", BINARY)
@pytest.mark.parametrize("partner", ["tensor", "numpy", "variable"])
def test_binary_operators_from_both_sides(backend: Backend, function: Callable[..., Any], partner: str) -> None:
    a = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
    b = np.array([[2.0, 2.0], [3.0, 1.0]], "float32")
    variable = Variable(a)
    other = {"tensor": backend.asarray(b), "numpy": b, "variable": Variable(b)}[partner]
    for left, right, expected in ((variable, other, function(a, b)), (other, variable, function(b, a))):
        result = function(left, right)
        assert backend.is_tensor(result)
        np.testing.assert_allclose(host(result), expected, rtol=1e-6)


def test_operators_with_numbers_indices_and_signs(backend: Backend) -> None:
    v = Variable([[1.0, -2.0], [3.0, 4.0]])
    n = v.numpy()
    pairs = [
        (1 + v, 1 + n), (1 - v, 1 - n), (2 / v, 2 / n), (v * 2, n * 2), (2**v, 2**n),
        (-v, -n), (+v, n), (abs(v), abs(n)),
        (v[0], n[0]), (v[:, 1], n[:, 1]), (v[..., None], n[..., None]), (v[-1, 0], n[-1, 0]),
    ]  # fmt: skip
    for result, expected in pairs:
        np.testing.assert_allclose(host(result), expected, rtol=1e-6)
    assert [host(row).tolist() for row in v] == n.tolist()
    assert (float(Variable(1.5)), int(Variable(2)), bool(Variable(0.0))) == (1.5, 2, False)
    assert host(~Variable([True, False])).tolist() == [False, True]
    assert (v == None, v != None) == (False, True)  # noqa: E711


def test_augmented_assignment_gives_an_array_and_leaves_the_variable(backend: Backend) -> None:
    variable = v = Variable(1.0)
    v += 1.0
    assert not isinstance(v, Variable)
    assert float(variable) == 1.0


# ---- assignment --------------------------------------------------------------------------------------------------


def test_assignments_return_the_new_value(backend: Backend) -> None:
    v = Variable([1.0, 2.0])
    assert host(v.assign([3.0, 4.0])).tolist() == [3.0, 4.0]
    assert host(v.assign_add([1.0, 1.0])).tolist() == [4.0, 5.0]
    assert host(v.assign_sub(Variable([1.0, 2.0]))).tolist() == [3.0, 3.0]
    assert v.numpy().tolist() == [3.0, 3.0]


def test_assign_refuses_another_shape_and_what_is_no_number(backend: Backend) -> None:
    v = Variable([1.0, 2.0], name="w")
    with pytest.raises(ValueError, match=r"'w' has shape \(2,\); received a value of shape \(3,\)"):
        v.assign([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"received a value of shape \(\)"):
        v.assign(1.0)
    with pytest.raises(TypeError):
        v.assign("text")
    assert v.numpy().tolist() == [1.0, 2.0]


def test_numpy_gives_memory_of_its_own(backend: Backend) -> None:
    v = Variable([1.0, 2.0])
    for _ in range(2):
        v.numpy()[:] = 7.0
        assert v.numpy().tolist() == [1.0, 2.0]
        _ = v.value  # now it lives on the backend


def test_the_array_that_was_assigned_stays_the_callers(backend: Backend) -> None:
    v = Variable(np.zeros(3, "float32"))
    array = np.ones(3, "float32")
    for value in (array, backend.asarray(np.ones(3, "float32"))):
        v.assign(value)
        array[:] = 7.0
        assert v.numpy().tolist() == [1.0] * 3
        array[:] = 1.0
    first = np.ones(3, "float32")
    v = Variable(first)
    first[:] = 7.0
    assert v.numpy().tolist() == [1.0] * 3


def test_a_value_that_somebody_holds_is_not_donated(backend: Backend) -> None:
    model = polykeras.Sequential([layers.Dense(2, input_dim=3)])
    kernel = model.layers[0].kernel
    model.compile(optimizer="adam", loss="mse")
    x, y = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")
    for _ in range(2):
        held, before = kernel.value, kernel.numpy()
        given = backend.asarray(before)
        kernel.assign(given)
        model.fit(x, y, batch_size=2, verbose=0)
        np.testing.assert_array_equal(backend.to_numpy(held), before)
        np.testing.assert_array_equal(backend.to_numpy(given), before)
        assert not np.array_equal(kernel.numpy(), before)


def test_weights_taken_from_a_model_are_a_snapshot(backend: Backend) -> None:
    model = polykeras.Sequential([layers.Dense(2, input_dim=3)])
    model.compile(optimizer="sgd", loss="mse")
    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    first = model.get_weights()
    copies = [w.copy() for w in first]
    model.set_weights(first)
    model.fit(x, y, epochs=2, verbose=0)
    for w, c in zip(first, copies, strict=True):
        np.testing.assert_array_equal(w, c)


def test_owned_state_is_read_without_a_copy_where_nobody_holds_it(backend: Backend) -> None:
    v = Variable([1.0, 2.0])
    (first,) = own_state([v], backend)
    (second,) = own_state([v], backend)
    assert first is second
    held = v.value
    (third,) = own_state([v], backend)
    assert (third is held) == (backend.place(held) is held)  # as where tensors cannot be written to
    np.testing.assert_array_equal(backend.to_numpy(third), [1.0, 2.0])


# ---- moves between backends --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32", "uint8", "bool"])
def test_moves_through_all_backends_are_exact(all_backends: list[Backend], dtype: str) -> None:
    bits = np.random.default_rng(0).integers(0, 2**16, 64).astype("uint16")
    data = bits.astype("float32") / 7 if "float" in dtype else bits % 2
    variable = Variable(data, dtype=dtype, trainable=False)
    before = variable.numpy()
    for backend in [*all_backends, *reversed(all_backends)]:
        if dtype in backend.unsupported_dtypes:
            continue
        with use_backend(backend):
            value = variable.value
            assert (backend.dtype(value), variable.home) == (dtype, backend.name)
            np.testing.assert_array_equal(backend.to_numpy(value).astype("float64"), before.astype("float64"))
    np.testing.assert_array_equal(variable.numpy().astype("float64"), before.astype("float64"))


def test_numpy_does_not_move_a_variable(all_backends: list[Backend]) -> None:
    for backend in all_backends:
        with use_backend(backend):
            variable = Variable([1.0])
            variable.assign([2.0])
        for other in all_backends:
            with use_backend(other):
                assert variable.numpy().tolist() == [2.0]
        assert variable.home == backend.name


def test_two_threads_train_two_models_on_two_backends(all_backends: list[Backend]) -> None:
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x.sum(axis=1, keepdims=True)

    def make() -> Any:
        model = polykeras.Sequential([layers.Dense(8, "tanh", input_dim=4), layers.Dropout(0.2), layers.Dense(1)])
        model.compile(optimizer=polykeras.optimizers.SGD(0.05), loss="mse")
        return model

    def train(backend: Backend, model: Any, results: dict[str, Any]) -> None:
        with use_backend(backend):
            results[backend.name] = model.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history["loss"]

    polykeras.random.set_random_seed(1)
    models = {b.name: make() for b in all_backends}
    weights = models[all_backends[0].name].get_weights()
    for model in models.values():
        model.set_weights(weights)
    alone: dict[str, Any] = {}
    twin = {b.name: polykeras.models.clone_model(models[b.name]) for b in all_backends}
    for b in all_backends:
        twin[b.name].set_weights(weights)
        twin[b.name].compile(optimizer=polykeras.optimizers.SGD(0.05), loss="mse")
        for layer, other in zip(twin[b.name].layers, models[b.name].layers, strict=True):
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign(other.seed_generator.state.numpy())
        train(b, twin[b.name], alone)
    together: dict[str, Any] = {}
    threads = [threading.Thread(target=train, args=(b, models[b.name], together)) for b in all_backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together.keys() == alone.keys()
    for name, losses in alone.items():
        np.testing.assert_allclose(together[name], losses, rtol=1e-6)


def test_threads_may_predict_with_one_model(backend: Backend) -> None:
    model = polykeras.Sequential([layers.Dense(8, "tanh", input_dim=4), layers.Dense(1)])
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    expected = model.predict(x, verbose=0)
    problems: list[BaseException] = []

    def work() -> None:
        try:
            with use_backend(backend):
                for _ in range(10):
                    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


# ---- scopes ------------------------------------------------------------------------------------------------------


def test_a_scope_keeps_what_is_written_in_it(backend: Backend) -> None:
    a, b = Variable(1.0), Variable(2.0)
    with Scope([a], [backend.asarray(5.0)]) as scope:
        assert (float(host(a.value)), float(host(b.value))) == (5.0, 2.0)
        b.assign_add(1.0)
        with Scope() as inner:
            assert float(host(b.value)) == 3.0
            b.assign(9.0)
        assert inner.updates()[0] == [b] or inner.updates()[0][0] is b
        assert float(host(b.value)) == 3.0
        assert b.numpy() == 3.0
    assert (float(a), float(b)) == (1.0, 2.0)
    assert [float(host(v)) for v in scope.updates()[1]] == [3.0]


def test_an_exception_in_a_scope_leaves_variables_alone(backend: Backend) -> None:
    a = Variable(1.0)

    def fail() -> None:
        with Scope():
            a.assign(5.0)
            raise Mistake

    with pytest.raises(Mistake):
        fail()
    assert float(a) == 1.0
    a.assign(2.0)  # and no scope is left behind
    assert float(a) == 2.0


def test_functionalize_is_pure(backend: Backend) -> None:
    a, b = Variable(1.0), Variable(2.0)

    def fn(x: Any) -> Any:
        a.assign_add(x)
        return a * b

    pure = functionalize(fn, [a, b])
    state, result = pure([backend.asarray(10.0), backend.asarray(3.0)], backend.asarray(1.0))
    assert [float(host(s)) for s in state] == [11.0, 3.0]
    assert float(host(result)) == 33.0
    assert (float(a), float(b)) == (1.0, 2.0)


@pytest.mark.parametrize("where", ["function", "value_and_grad"])
def test_an_exception_in_a_function_leaves_variables_alone(backend: Backend, where: str) -> None:
    a = Variable(1.0)

    def fn() -> Any:
        a.assign(a * 2.0)
        raise Mistake("on purpose")

    run = polykeras.function(fn) if where == "function" else polykeras.value_and_grad(fn, a)
    for _ in range(2):
        with pytest.raises(Mistake, match="on purpose"):
            run()
        assert float(a) == 1.0


@pytest.mark.parametrize("eagerly", [False, True])
def test_an_exception_in_fit_leaves_variables_alone(backend: Backend, eagerly: bool) -> None:
    class Bad(polykeras.Sequential):
        fails = False

        def train_step(self, data: Any) -> Any:
            logs = super().train_step(data)
            if self.fails:
                raise Mistake("late in the step")
            return logs

    model = Bad([layers.Dense(2, input_dim=3), layers.Dropout(0.5)])
    model.compile(optimizer=polykeras.optimizers.SGD(0.1, momentum=0.9), loss="mse", run_eagerly=eagerly)
    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    model.fit(x, y, verbose=0)
    state = model.variables + model.optimizer.variables
    before = [v.numpy() for v in state]
    model.fails = True
    model.compile(optimizer=model.optimizer, loss="mse", run_eagerly=eagerly)
    with pytest.raises(Mistake, match="late in the step"):
        model.fit(x, y, verbose=0)
    for v, expected in zip(state, before, strict=True):
        np.testing.assert_array_equal(v.numpy(), expected, err_msg=v.path)
    model.fails = False
    model.compile(optimizer=model.optimizer, loss="mse", run_eagerly=eagerly)
    model.fit(x, y, verbose=0)


# ---- kinds of variables in training ------------------------------------------------------------------------------


class Kinds(layers.Layer):
    """A layer with a weight under two names, a frozen one, one that is not trainable, and a counter."""

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], 1), initializer="ones", name="kernel")
        self.alias = self.kernel
        self.holder = {"again": [self.kernel]}
        self.offset = self.add_weight(shape=(1,), initializer="ones", trainable=False, name="offset")
        self.count = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="count")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.count.assign_add(1)
        return inputs @ self.kernel + inputs @ self.alias + self.offset


def test_aliased_integer_and_untrained_variables(backend: Backend) -> None:
    layer = Kinds()
    model = polykeras.Sequential([layers.Input((2,)), layer])
    assert [v.name for v in model.weights] == ["kernel", "offset", "count"]
    assert [v.name for v in model.trainable_weights] == ["kernel"]
    model.compile(optimizer=polykeras.optimizers.SGD(0.1), loss="mse")
    x = np.array([[1.0, 2.0]] * 4, "float32")
    model.fit(x, np.zeros((4, 1)), batch_size=2, epochs=1, shuffle=False, verbose=0)
    kernel = np.ones((2, 1))
    for _ in range(2):
        error = 2 * x[:2] @ kernel + 1.0
        kernel -= 0.1 * (2 * 2 * x[:2].T @ error / 2)
    np.testing.assert_allclose(layer.kernel.numpy(), kernel, rtol=1e-5)
    assert layer.offset.numpy().tolist() == [1.0]
    assert layer.count.numpy() == 2
    assert layer.count.numpy().dtype == np.int32


def test_a_layer_may_be_frozen_or_a_variable_alone(backend: Backend) -> None:
    model = polykeras.Sequential([layers.Dense(2, input_dim=2), layers.Dense(2), layers.Dense(1)])
    model.layers[0].trainable = False
    model.layers[1].bias.trainable = False
    assert [v.path.split("/")[-2:] for v in model.trainable_weights] == [
        [model.layers[1].name, "kernel"],
        [model.layers[2].name, "kernel"],
        [model.layers[2].name, "bias"],
    ]
    model.compile(optimizer="sgd", loss="mse")
    before = model.get_weights()
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, False, True, True]


def test_variables_made_during_a_call_are_trained(backend: Backend) -> None:
    class Lazy(polykeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.steps: list[Any] = []

        def call(self, inputs: Any) -> Any:
            if not self.steps:
                self.steps = [layers.Dense(3), layers.Dense(1)]
            for step in self.steps:
                inputs = step(inputs)
            return inputs

    model = Lazy()
    model.compile(optimizer=polykeras.optimizers.SGD(0.05), loss="mse")
    history = model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=3, verbose=0)
    assert len(model.trainable_weights) == 4
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_an_initializer_with_a_seed_generator_draws_for_good(backend: Backend) -> None:
    generator = polykeras.random.SeedGenerator(3)
    initializer = polykeras.initializers.RandomNormal(seed=generator)
    model = polykeras.Sequential([layers.Dense(2, kernel_initializer=initializer) for _ in range(2)])
    model.compile(optimizer="sgd", loss="mse")
    model.fit(np.ones((4, 2)), np.ones((4, 2)), verbose=0, epochs=1)
    first, second = (layer.kernel.numpy() for layer in model.layers)
    assert not np.array_equal(first, second)
    assert generator.state.numpy()[2] == 2
