"""The jax backend: compiled functions and steps, donated memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import activations, fast, ops, use_backend, value_and_grad
from polykeras.backend import Backend
from polykeras.backend.registry import load

jax = pytest.importorskip("jax")
jnp = jax.numpy
execution = pytest.importorskip("polykeras_jax.execution")
steps = pytest.importorskip("polykeras_jax.steps")
pytestmark = [pytest.mark.needs("jax"), pytest.mark.cpu_only("what XLA is asked for on the CPU")]


@pytest.fixture
def jb() -> Backend:
    """The jax backend."""
    return load("jax")


# ---- compile ---------------------------------------------------------------------------------------------------------


def test_compile_traces_once_for_each_shape(jb: Backend) -> None:
    traces = []
    compiled = jb.compile(lambda x: (traces.append(x.shape), x + 1)[1])
    for n in (2, 2, 3, 2):
        compiled(jnp.ones(n))
    assert traces == [(2,), (3,)]


def test_an_exception_passes_unchanged_and_the_next_call_traces_again(jb: Backend) -> None:
    error = KeyError("of the caller")
    fail = [True, False]

    def fn(state: list[Any]) -> list[Any]:
        if fail.pop(0):
            raise error
        return [x + 1 for x in state]

    for donate in (False, True):
        fail[:] = [True, False]
        compiled = jb.compile(fn, donate_first=donate)
        with pytest.raises(KeyError) as caught:
            compiled([jnp.ones(2)])
        assert caught.value is error
        np.testing.assert_array_equal(compiled([jnp.ones(2)])[0], [2, 2])


def test_donated_memory_is_used_for_the_result(jb: Backend) -> None:
    step = jb.compile(lambda state: [state[0] + 1], donate_first=True)
    (x,) = step([jb.place(np.zeros(1000, "float32"))])  # memory of JAX's own: NumPy's, which was placed, is not donated
    address = x.unsafe_buffer_pointer()
    (result,) = step([x])
    assert x.is_deleted()
    assert result.unsafe_buffer_pointer() == address


def test_an_array_that_occurs_twice_may_be_donated(jb: Backend) -> None:
    compiled = jb.compile(lambda state, y: [x + y for x in state], donate_first=True)
    x = jb.place(np.ones(3, "float32"))
    first, second = compiled([x, x], jb.ones((3,)))
    np.testing.assert_array_equal([first, second], np.full((2, 3), 2))
    x = jb.place(np.ones(3, "float32"))
    (result,) = compiled([x], x)
    np.testing.assert_array_equal(result, [2, 2, 2])
    np.testing.assert_array_equal(x, [1, 1, 1])


def test_a_numpy_view_survives_donation(jb: Backend) -> None:
    x = jb.place(np.arange(64, dtype="float32"))
    view = jb.to_numpy(x)
    jb.synchronize(jb.compile(lambda state: [state[0] * 0 - 1], donate_first=True)([x]))
    np.testing.assert_array_equal(view, np.arange(64))


# ---- steps -----------------------------------------------------------------------------------------------------------


DATA = np.arange(20, dtype="float32").reshape(10, 2)
INDICES = np.random.default_rng(0).permutation(10).astype("int32").reshape(5, 2)


def test_steps_equal_a_python_loop_and_compile_once(jb: Backend) -> None:
    traces = []

    def step(state: list[Any], batch: Any) -> tuple[list[Any], dict[str, Any]]:
        traces.append(1)
        weights, count = state
        total = jb.sum(batch["x"], 0)
        return [weights * 0.5 + total, count + 1], {"total": jb.sum(total), "one": 1.0}

    run = jb.compile_steps(step)
    data = {"x": jb.asarray(DATA)}
    for start, stop in ((0, 1), (1, 4), (0, 5), (4, 5)):
        state, logs = run([jb.ones((2,)), jb.asarray(0)], data, jb.asarray(INDICES), start, stop)
        weights = np.ones(2)
        for row in INDICES[start:stop]:
            weights = weights * 0.5 + DATA[row].sum(0)
        np.testing.assert_allclose(state[0], weights)
        assert int(state[1]) == stop - start
        assert float(logs["total"]) == DATA[INDICES[stop - 1]].sum()
        assert float(logs["one"]) == 1
    assert len(traces) == 1


def test_steps_donate_their_state_and_keep_their_data(jb: Backend) -> None:
    run = jb.compile_steps(lambda state, batch: ([state[0] + jb.sum(batch)], {}))
    data, indices = jb.asarray(DATA), jb.asarray(INDICES)
    x = jb.place(np.zeros((), "float32"))
    state, logs = run([x], data, indices, 0, 5)
    assert logs == {}
    assert x.is_deleted()
    assert float(state[0]) == DATA.sum()
    assert not data.is_deleted()
    assert not indices.is_deleted()
    run([jb.asarray(0.0)], data, indices, 0, 5)


def test_one_array_may_stand_at_two_places_of_the_state(jb: Backend) -> None:
    x = jb.zeros((2,))
    run = jb.compile_steps(lambda state, batch: ([state[0] + 1, state[1] + 2], {}))
    (a, b), _ = run([x, x], jb.asarray(DATA), jb.asarray(INDICES), 0, 2)
    np.testing.assert_array_equal([a, b], [[2, 2], [4, 4]])


def test_a_step_must_return_all_of_its_state(jb: Backend) -> None:
    run = jb.compile_steps(lambda state, batch: ([], {}))
    with pytest.raises(ValueError, match="1 state arrays and returned 0"):
        run([jb.ones((2,))], jb.asarray(DATA), jb.asarray(INDICES), 0, 1)
    with pytest.raises(ValueError, match="start < stop"):
        run([jb.ones((2,))], jb.asarray(DATA), jb.asarray(INDICES), 2, 1)
    with pytest.raises(ValueError, match="start < stop"):
        run([jb.ones((2,))], jb.asarray(DATA), jb.asarray(INDICES), 1, 1)


def test_python_scalars_may_become_state_but_not_change_its_kind(jb: Backend) -> None:
    data, indices = jb.asarray(DATA), jb.asarray(INDICES)
    run = jb.compile_steps(lambda state, batch: ([1.0, jnp.where(True, 2, 3)], {}))
    (a, b), _ = run([jb.asarray(0.0, "bfloat16"), jb.asarray(0.0)], data, indices, 0, 3)
    assert (jb.dtype(a), float(a), jb.dtype(b), float(b)) == ("bfloat16", 1.0, "float32", 2.0)
    run = jb.compile_steps(lambda state, batch: ([state[0] * 0.5], {}))
    with pytest.raises(ValueError, match=r"state\[0\] went from int32\[\] to float32\[\]"):
        run([jb.asarray(8)], data, indices, 0, 3)


def test_an_exception_in_a_step_passes_unchanged(jb: Backend) -> None:
    error = KeyError("of the caller")

    def step(state: Any, batch: Any) -> Any:
        raise error

    with pytest.raises(KeyError) as caught:
        jb.compile_steps(step)([jb.ones((2,))], jb.asarray(DATA), jb.asarray(INDICES), 0, 1)
    assert caught.value is error


def test_a_compiled_step_may_be_part_of_another_program(jb: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX takes options of the compiler at the outermost level only."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # with a level in it there are no options
    step = jb.compile(lambda state, x: (state + x, None), donate_first=True)
    assert float(jax.jit(lambda x: step(x, 2.0)[0])(1.0)) == 3.0
    run = jb.compile_steps(lambda state, batch: ([state[0] + jb.sum(batch)], {}))
    data, indices = jb.asarray(DATA), jb.asarray(INDICES)
    assert float(jax.jit(lambda x: run([x], data, indices, 0, 5)[0][0])(1.0)) == DATA.sum() + 1


def test_logits_of_an_inner_trace_end_with_it(jb: Backend) -> None:
    """What a softmax in a scan was taken of is remembered for a loss, but not beyond the scan."""

    def fn(x: Any) -> Any:
        _, rows = ops.scan(lambda carry, row: (carry, activations.softmax(row)), ops.zeros(()), x)
        return ops.sum(rows[:, 0])

    with use_backend("jax"), jax.checking_leaks():
        value, _ = value_and_grad(fn)(np.zeros((3, 2), "float32"))
    assert float(value) == 1.5


@pytest.mark.parametrize("batch", [1, 4, 5])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3000)])
@pytest.mark.skipif(not fast.enabled(), reason="a fast path")
def test_batches_that_lie_one_after_the_other_are_cut_out(
    jb: Any, batch: int, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they are gathered where they do not, to the bit; large data come in two blocks."""
    cuts: list[Any] = []
    cut = steps._cut
    monkeypatch.setattr(steps, "_cut", lambda *args: cuts.append(args) or cut(*args))
    rng = np.random.default_rng(0)
    data = jb.asarray(rng.normal(size=(12 * batch, *shape)).astype("float32"))
    assert (data.size >= steps._LARGE) == (len(shape) == 2)
    in_order = np.arange(12 * batch, dtype="int32").reshape(12, batch)[rng.permutation(12)]
    mixed = rng.permutation(in_order.reshape(-1)).reshape(12, batch)
    for indices in (in_order, mixed):
        run = jb.compile_steps(lambda state, rows: ([state[0] * 1.5 + rows], {}))
        (on_host,), _ = run([jb.zeros((batch, *shape))], data, indices, 2, 9)
        assert bool(cuts) == execution._are_runs(indices)
        cuts.clear()
        (on_device,), _ = run([jb.zeros((batch, *shape))], data, jb.asarray(indices), 2, 9)
        assert not cuts
        np.testing.assert_array_equal(on_host, on_device)
    assert execution._are_runs(in_order)
    assert batch == 1 or not execution._are_runs(mixed)
