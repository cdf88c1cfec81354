"""What a recording on torch depends on beside its arguments, and what happens where the recorder itself fails."""

from __future__ import annotations

import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import polykeras as k
from helpers.calls import counted
from polykeras import fast
from polykeras.backend import use_backend
from polykeras.common import global_draws

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.needs("torch"),
    pytest.mark.skipif(not fast.enabled(), reason="without fast paths nothing is recorded"),
]

X = np.linspace(-1, 1, 64, dtype="float32").reshape(16, 4)
Y = (X[:, :1] > 0).astype("float32")


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("torch") as backend:
        yield backend


# ---- what is recorded once, and once more --------------------------------------------------------------------------


def test_each_setting_is_recorded_once(tb: Any) -> None:
    fn, runs = counted(lambda x: (x @ x.T).float())
    compiled, x = tb.compile(fn), torch.ones(3, 4)
    for _ in range(3):
        compiled(x)
        with torch.autocast("cpu", torch.bfloat16):
            compiled(x)
        with torch.no_grad():
            compiled(x)
        with torch.device("cpu"):
            compiled(x)
    assert len(runs) == 4


def test_a_module_that_changes_is_recorded_once_more(tb: Any) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5))
    fn, runs = counted(lambda x: module(x).detach())
    compiled, x = tb.compile(fn), torch.ones(3, 4)
    for _ in range(3):
        compiled(x)
    assert len(runs) == 1
    module.eval()
    for _ in range(3):
        compiled(x)
    assert len(runs) == 2
    with torch.no_grad():  # what is read anew needs no other recording
        module[0].weight.fill_(1.0)
    assert torch.equal(compiled(x), module(x).detach())
    assert len(runs) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.held.append(1),
        lambda m: m.numbers.pop(),
        lambda m: m.numbers.__setitem__(1, 2.0),  # equal, and of another type
        lambda m: m.__dict__.__setitem__("_forward_hooks", dict(m._forward_hooks)),
        lambda m: setattr(m, "new", None),
        lambda m: delattr(m, "held"),
    ],
    ids=["filled", "emptied", "equal", "replaced", "added", "removed"],
)
def test_what_modules_hold_is_compared_by_identity(tb: Any, change: Callable[[Any], Any]) -> None:
    module = torch.nn.Identity()
    module.held, module.numbers = [], [1, 2]
    fn, runs = counted(lambda x: module(x) + 1)
    compiled, x = tb.compile(fn), torch.ones(3)
    compiled(x), compiled(x)
    assert len(runs) == 1
    change(module)
    compiled(x), compiled(x)
    assert len(runs) == 2


def transposed(x: Any) -> None:
    x.data = x.data.t()


def restrided(x: Any) -> None:
    x.data = torch.as_strided(x.data, (2, 2), (1, 1))


def of_integers(x: Any) -> None:
    x.data = x.data.view(torch.int32)


@pytest.mark.parametrize("row_major", [True, False])
@pytest.mark.parametrize("change", [transposed, restrided, of_integers])
def test_layouts_of_tensors_from_outside_are_compared(tb: Any, change: Callable[[Any], Any], row_major: bool) -> None:
    held = torch.arange(4.0).reshape(2, 2) + 1
    held = held if row_major else held.t()
    fn, runs = counted(lambda x: x + held)
    compiled, x = tb.compile(fn), torch.zeros(2, 2)
    compiled(x), compiled(x)
    assert len(runs) == 1
    change(held)
    for _ in range(2):
        assert torch.equal(compiled(x), x + held)
    assert len(runs) == 2


def test_what_is_computed_of_tensors_from_outside_is_computed_once_a_chunk(tb: Any) -> None:
    scale = torch.ones(4)

    def step(state: list[Any], batch: Any) -> Any:
        return [state[0] + (batch * (scale * 2 + 1).exp()).sum()], {"sum": state[0]}

    run, x, rows = tb.compile_steps(step), torch.ones(4, 4), torch.arange(4)[:, None]
    run([torch.zeros(())], x, rows, 0, 1)
    for value in (1.0, 2.0):
        scale.data.fill_(value)
        with torch.profiler.profile() as profile:
            (total,), _ = run([torch.zeros(())], x, rows, 0, 4)
        expected = sum((row * (scale * 2 + 1).exp()).sum() for row in x)
        torch.testing.assert_close(total, expected)
        # Once for the loop, and once for the last step, which gives the logs too.
        assert sum(event.name == "aten::exp" for event in profile.events()) == 2


def test_nothing_is_written_to_tensors_from_outside(tb: Any) -> None:
    scale = torch.ones(64, 64)
    compiled = tb.compile(lambda x: (scale.view(-1) + x).exp().sum())
    for _ in range(2):
        compiled(torch.ones(64 * 64))
    assert torch.equal(scale, torch.ones(64, 64))


def test_modules_of_other_threads_are_not_those_of_a_recording(tb: Any) -> None:
    hooked = torch.nn.Linear(2, 2)
    hooked.register_forward_hook(lambda module, args, result: result)
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(10)
        hooked(torch.ones(1, 2))
        done.set()

    thread = threading.Thread(target=work)
    thread.start()

    def fn(x: Any) -> Any:
        go.set()
        assert done.wait(10)
        return x + 1

    assert tb.compile(fn)(torch.zeros(2)).tolist() == [1.0, 1.0]  # no warning, which is an error here
    thread.join()


@pytest.mark.parametrize("ours", [True, False])
def test_random_numbers_that_another_thread_draws(tb: Any, ours: bool) -> None:
    """A thread of ours, which reads data, is known; any other may as well be the recorded function's own."""
    drawn, stop = threading.Event(), threading.Event()

    def work() -> None:
        with global_draws.elsewhere() if ours else nullcontext():
            while not stop.is_set():
                random.random(), np.random.rand(), torch.rand(1)
                drawn.set()
                time.sleep(0.001)

    def fn(x: Any) -> Any:
        for _ in range(2):  # the first draws may have come before
            drawn.clear()
            assert drawn.wait(10)
        return x + torch.rand(2)

    compiled, thread = tb.compile(fn), threading.Thread(target=work)
    with torch.random.fork_rng():
        thread.start()
        try:
            with nullcontext() if ours else pytest.warns(RuntimeWarning, match="random numbers"):
                compiled(torch.zeros(2))
        finally:
            stop.set()
            thread.join()


def test_a_thread_of_ours_that_has_ended_may_have_drawn(tb: Any) -> None:
    def fn(x: Any) -> Any:
        with global_draws.elsewhere():
            random.random(), np.random.rand(), torch.rand(1)
        return x + 1

    with torch.random.fork_rng():
        tb.compile(fn)(torch.zeros(2))  # no warning, which is an error here


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_references_are_counted_as_this_python_counts_them(tb: Any, more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython 3.14 borrows references where earlier ones take their own."""
    from polykeras_torch.compiler import foreign

    count = sys.getrefcount
    monkeypatch.setattr(foreign.sys, "getrefcount", lambda x: count(x) - 1 + more)  # the argument of this one is extra
    monkeypatch.setattr(foreign, "_ALONE", foreign._count_alone())
    held = torch.ones(3)
    tb.compile(lambda x: x + held)(torch.zeros(3))  # no warning, which is an error here

    def hidden(x: Any) -> Any:
        with torch._C._DisableTorchDispatch():
            made = x * 2
        return made + 1

    with pytest.warns(RuntimeWarning, match="made out of sight"):
        tb.compile(hidden)(torch.zeros(3))


def test_a_module_that_cannot_be_followed_is_a_reason(tb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polykeras_torch.compiler.modules.Modules._add", failing)
    with pytest.warns(RuntimeWarning, match="a module of torch could not be followed .RuntimeError: no such schema"):
        assert tb.compile(torch.nn.ReLU())(torch.ones(2)).tolist() == [1.0, 1.0]


def test_a_module_is_seen_during_a_recording_alone(tb: Any) -> None:
    module = torch.nn.Identity()
    tb.compile(module)(torch.zeros(3))
    assert "__getattribute__" not in vars(torch.nn.Module)
    with pytest.raises(ZeroDivisionError):
        tb.compile(lambda x: module(x) / (1 // 0))(torch.zeros(3))
    assert "__getattribute__" not in vars(torch.nn.Module)


# ---- models --------------------------------------------------------------------------------------------------------


class Native(k.layers.Layer):
    """A layer that calls a module of torch, which it does not take in: that is in a list of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5))]

    def call(self, x: Any) -> Any:
        return self.parts[0](x)


def test_eval_of_a_module_in_a_layer_counts_in_fit_and_predict(tb: Any) -> None:
    with torch.random.fork_rng():
        layer = Native()
        for parameter in layer.parts[0].parameters():
            parameter.requires_grad_(False)
        model = k.Sequential([layer, k.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
        assert not np.array_equal(model.predict(X, verbose=0), model.predict(X, verbose=0))  # dropout
        layer.parts[0].eval()
        assert np.array_equal(model.predict(X, verbose=0), model.predict(X, verbose=0))
        losses = [model.evaluate(X, Y, batch_size=8, verbose=0) for _ in range(2)]
        assert losses[0] == losses[1]


@pytest.mark.parametrize("first", [True, False])
def test_autocast_around_models(tb: Any, first: bool) -> None:
    """Training, predictions and calls that are compiled because they are repeated, in both orders."""

    def work(eagerly: bool) -> list[Any]:
        k.utils.set_random_seed(0)
        model = k.Sequential([k.Input((4,)), k.layers.Dense(8, activation="tanh"), k.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"], run_eagerly=eagerly)
        results = []
        for within in (first, not first, first):
            with torch.autocast("cpu", torch.bfloat16, enabled=within):
                results += model.fit(X, Y, batch_size=4, shuffle=False, verbose=0).history.values()
                results.append(model.train_on_batch(X[:4], Y[:4]))
                results.append(model.predict(X, batch_size=4, verbose=0))
                results += [model(X) for _ in range(4)]
        return results

    for got, want in zip(work(False), work(True), strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-6, atol=1e-7)


# ---- the recorder fails --------------------------------------------------------------------------------------------


def failing(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("no such schema")


@pytest.mark.parametrize(
    "place",
    [
        "recorder.Recorder._look_at",
        "recorder.Recorder._note",
        "recorder.Recorder.slot",
        "recorder.Recorder.output",
        "replay.compile_program",
        "replay.compile_repetition",
        "program.with_reused_memory",
        "modules.Modules.why_not",
        "foreign.ForeignMemory._now",
    ],
)
def test_a_failure_of_the_recorder_is_a_reason(tb: Any, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is right all the same, and so is the state, which native code changes in place; nothing is repeated."""
    monkeypatch.setattr(f"polykeras_torch.compiler.{place}", failing)
    state = [torch.zeros(2), torch.ones(3)]

    def step(state: list[Any], batch: Any) -> Any:
        state[0].add_(batch.sum())
        return [state[0], state[1] * 2], {"sum": state[0].sum()}

    fn, runs = counted(step)
    run, x, rows = tb.compile_steps(fn), torch.arange(6.0), torch.arange(6)[:, None]
    with pytest.warns(RuntimeWarning, match="could not be followed .RuntimeError: no such schema"):
        state, logs = run(state, x, rows, 0, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state, logs = run(state, x, rows, 3, 6)
    assert state[0].tolist() == [15.0, 15.0]
    assert state[1].tolist() == [64.0] * 3
    assert logs["sum"].item() == 30.0
    assert len(runs) == 6


def test_a_function_that_fails_while_it_cannot_be_followed_leaves_the_state(
    tb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polykeras_torch.compiler.recorder.Recorder._note", failing)

    def step(state: list[Any], batch: Any) -> Any:
        state[0].add_(1)
        raise KeyError("the user's own")

    state = [torch.zeros(2)]
    with pytest.raises(KeyError):
        tb.compile_steps(step)(state, torch.ones(1), torch.zeros(1, 1, dtype=torch.int64), 0, 1)
    assert state[0].tolist() == [0.0, 0.0]
