"""Variables: dtypes, operators, assignment, copies."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import host
from polykeras import Variable, initializers, layers
from polykeras.backend import Backend, registry, use_backend
from polykeras.backend.symbolic import SYMBOLIC
from polykeras.variables import Run

# ---- what a variable is ----------------------------------------------------------------------------------------------


def test_is_on_the_host_until_it_is_read(backend: Backend) -> None:
    variable = Variable([1.0, 2.0], name="w")
    assert variable.location == "host"
    assert variable.numpy().tolist() == [1.0, 2.0]
    assert variable.location == "host"
    assert backend.is_tensor(variable.value)
    assert variable.location == backend.name
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


def test_the_first_value_by_the_name_of_an_initializer(backend: Backend) -> None:
    assert Variable("ones", (2,)).numpy().tolist() == [1.0, 1.0]
    drawn = Variable(shape=(3, 4), initializer="uniform", name="w").numpy()
    assert (drawn.shape, drawn.dtype) == ((3, 4), "float32")
    assert 0 < np.abs(drawn).max() <= 0.05
    with pytest.raises(ValueError, match="none_such"):
        Variable("none_such", (2,))


@pytest.mark.filterwarnings("ignore:On torch a function that should be compiled runs as plain Python")
def test_repr_within_a_compiled_function(backend: Backend) -> None:
    seen = []
    variable = Variable([1.0], name="w")

    def step(x: Any) -> Any:
        variable.assign_add(x)
        seen.append(repr(variable))
        return variable * 1.0

    polykeras.function(step)(np.ones(1, "float32"))
    assert all(text.startswith("<Variable path=w, shape=(1,), dtype=float32, value=") for text in seen)
    assert seen
    assert "value=[2.]" in repr(variable)


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
        assert twin.location == "host"
        assert (twin.name, twin.trainable, twin.numpy().tolist()) == ("w", False, [2.0, 3.0])
        twin.assign([0.0, 0.0])
    assert variable.numpy().tolist() == [2.0, 3.0]


# ---- operators -------------------------------------------------------------------------------------------------------


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


# ---- assignment ------------------------------------------------------------------------------------------------------


def test_assignments_return_the_new_value(backend: Backend) -> None:
    v = Variable([1.0, 2.0])
    assert host(v.assign([3.0, 4.0])).tolist() == [3.0, 4.0]
    assert host(v.assign_add([1.0, 1.0])).tolist() == [4.0, 5.0]
    assert host(v.assign_sub(Variable([1.0, 2.0]))).tolist() == [3.0, 3.0]
    assert v.numpy().tolist() == [3.0, 3.0]


@pytest.mark.parametrize("initializer", [initializers.get("zeros"), lambda shape, dtype: np.zeros(shape, dtype)])
def test_a_restart_takes_what_an_initializer_gives_and_leaves_it_on_the_host(
    backend: Backend, initializer: Callable[..., Any]
) -> None:
    variable = Variable(np.full((2, 3), 5.0, "float32"))
    lent = variable.value
    variable.reinitialize(initializer)
    assert variable.location == "host"
    variable.assign_add(np.ones((2, 3)))
    assert host(variable).tolist() == [[1.0] * 3] * 2
    assert variable.location == backend.name
    assert host(lent).tolist() == [[5.0] * 3] * 2


def test_a_restart_refuses_another_shape(backend: Backend) -> None:
    variable = Variable(np.full((2, 3), 5.0, "float32"), name="w")
    with pytest.raises(ValueError, match=r"'w': expected a value of shape \(2, 3\); received \(3,\)"):
        variable.reinitialize(lambda shape, dtype: np.zeros(3, dtype))
    assert host(variable).tolist() == [[5.0] * 3] * 2


def test_a_restart_on_shapes_alone_is_refused() -> None:
    variable = Variable(7.0)
    with use_backend(SYMBOLIC), pytest.raises(TypeError, match="assigned inside a function"):
        variable.reinitialize(initializers.get("zeros"))
    assert variable.numpy() == 7.0


def test_a_restart_within_a_function_is_one_of_its_changes(backend: Backend) -> None:
    variable = Variable(7.0, trainable=False)

    @polykeras.function
    def restarted() -> Any:
        variable.reinitialize(lambda shape, dtype: np.full(shape, 3.0, dtype))
        return variable + 1.0

    for _ in range(2):
        variable.assign(7.0)
        assert float(restarted()) == 4.0
        assert float(variable) == 3.0


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

    def owned() -> Any:
        with Run([v], backend, donate=True) as run:
            return run.values[0]

    first = owned()
    assert first is owned()
    held = v.value
    third = owned()
    assert (third is held) == (backend.place(held) is held)  # as where tensors cannot be written to
    np.testing.assert_array_equal(backend.to_numpy(third), [1.0, 2.0])
