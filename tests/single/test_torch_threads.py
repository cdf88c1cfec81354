"""Steps of small products run in one of torch's threads, and the number is put back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, layers
from polykeras.backend import use_backend

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.needs("torch")

# The backend comes after torch, which need not be there.
from polykeras_torch.recorder import Recorder  # noqa: E402
from polykeras_torch.replay import Recording, record  # noqa: E402
from polykeras_torch.threads import one_thread, wants_one_thread  # noqa: E402


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2, "what was set is put back"
    torch.set_num_threads(before)


def mm(m: int, k: int, n: int) -> tuple[Callable[..., Any], list[Any]]:
    return torch.mm, [torch.ones(m, k), torch.ones(k, n)]


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (*mm(32, 32, 32), True),
        (*mm(64, 64, 64), True),
        (*mm(64, 64, 65), False),  # two threads are faster
        (*mm(8, 16, 16), False),  # two threads are not given it
        (*mm(1, 784, 32), False),
        (torch.addmm, [torch.ones(32), torch.ones(32, 32), torch.ones(32, 32)], True),
        (torch.bmm, [torch.ones(4, 32, 32), torch.ones(4, 32, 32)], True),
        (torch.bmm, [torch.ones(9, 32, 32), torch.ones(9, 32, 32)], False),
        (lambda a, b: torch.mm(a, b) + torch.ones(40_000).sum(), mm(32, 32, 32)[1], True),  # computed once
        (lambda a, b, c: torch.mm(a, b) + c.exp().sum(), [*mm(32, 32, 32)[1], torch.ones(40_000)], False),
        (lambda a, b, c: torch.mm(a, b) + c.exp().sum(), [*mm(32, 32, 32)[1], torch.ones(30_000)], True),
        (lambda a, b: torch.linalg.inv(torch.mm(a, b)), [torch.eye(32), torch.eye(32)], False),
        (torch.exp, [torch.ones(100)], False),
    ],
)
def test_one_thread_is_for_small_products_among_short_kernels(
    function: Callable[..., Any], arguments: list[Any], expected: bool
) -> None:
    with Recorder(arguments) as recorder:
        function(*arguments)
    assert wants_one_thread(recorder.nodes, recorder.seen) is expected
    _, recording = record(lambda tensors: function(*tensors), arguments)
    assert recording.wants_one_thread is expected


def test_the_number_comes_back_after_an_error_too() -> None:
    with pytest.raises(OSError, match="stop"), one_thread():
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
        raise OSError("stop")
    assert torch.get_num_threads() == 2


def test_each_thread_of_python_has_a_number_of_its_own() -> None:
    inside, leave, after = threading.Semaphore(0), threading.Event(), []

    def work() -> None:
        torch.set_num_threads(2)
        with one_thread():
            inside.release()
            leave.wait(60.0)
        after.append(torch.get_num_threads())

    others = [threading.Thread(target=work) for _ in range(3)]
    for thread in others:
        thread.start()
        assert inside.acquire(timeout=60.0)
    with one_thread():
        leave.set()
        for thread in others:
            thread.join()
        assert torch.get_num_threads() == 1
    assert after == [2, 2, 2]


def test_who_asked_for_one_thread_keeps_it() -> None:
    torch.set_num_threads(1)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 1
    torch.set_num_threads(2)


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """With how many threads recordings run: as chunks of steps, and as single calls."""
    found: dict[str, set[int]] = {"advance": set(), "__call__": set()}
    for name, seen in found.items():
        method = getattr(Recording, name)

        def noted(self: Recording, *args: Any, method: Any = method, seen: set[int] = seen) -> Any:
            seen.add(torch.get_num_threads())
            return method(self, *args)

        monkeypatch.setattr(Recording, name, noted)
    return found


def trained(width: int) -> list[np.ndarray]:
    """Return the weights after some chunks of steps."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32 * 20, width)).astype("float32"), rng.normal(size=(32 * 20, 1)).astype("float32")
    with use_backend("torch"):
        polykeras.utils.set_random_seed(0)
        model = Sequential([layers.Input((width,)), layers.Dense(width, "tanh"), layers.Dense(1)])
        model.compile("adam", "mse", steps_per_execution=5)
        model.fit(x, y, batch_size=32, epochs=2, verbose=0)
        return model.get_weights()


@pytest.mark.parametrize(("width", "expected"), [(32, 1), (128, 2)])
def test_a_fit_of_small_layers_runs_in_one_thread(width: int, expected: int, numbers: dict[str, set[int]]) -> None:
    trained(width)
    assert expected in numbers["advance"]
    assert numbers["advance"] <= {expected, 2}  # the first chunk finds out


def test_the_bits_are_those_of_several_threads(numbers: dict[str, set[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    ours = trained(32)
    assert 1 in numbers["advance"]
    monkeypatch.setattr("polykeras_torch.replay.wants_one_thread", lambda nodes, seen: False)
    numbers["advance"].clear()
    theirs = trained(32)
    assert numbers["advance"] == {2}
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, two)


def test_single_calls_run_in_one_thread_too(numbers: dict[str, set[int]]) -> None:
    with use_backend("torch") as backend:
        product = backend.compile(backend.matmul)
        for rows, expected in ((32, 1), (1, 2)):
            a = torch.ones(rows, 32)
            for _ in range(2):
                assert (product(a, torch.ones(32, 32)) == 32).all()
            assert numbers["__call__"] == {expected}
            numbers["__call__"].clear()
