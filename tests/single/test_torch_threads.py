"""Steps of small products run in one of torch's threads, and the number is put back."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, layers
from polykeras.backend import use_backend

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = [pytest.mark.needs("torch"), pytest.mark.cpu_only("kernels, threads and memory of the CPU")]

# The backend comes after torch, which need not be there.
from polykeras_torch.compiler.recorder import Recorder  # noqa: E402
from polykeras_torch.compiler.threads import one_thread, wants_one_thread  # noqa: E402


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == 2, "what was set is put back"


def mm(m: int, k: int, n: int) -> tuple[Callable[..., Any], list[Any]]:
    return torch.mm, [torch.ones(m, k), torch.ones(k, n)]


def many(count: int) -> list[Any]:
    return [torch.ones(9_000) for _ in range(count)]


def updated(x: Any, products: int, values: Any) -> Any:
    """Return the product of some matrices, after a change of values by an optimizer's kernel."""
    for _ in range(products - 1):
        x = torch.mm(x, x)
    numbers = {"weight_decay": 0.0, "momentum": 0.0, "lr": 0.1, "dampening": 0.0}
    flags = {"nesterov": False, "maximize": False, "is_first_step": False}
    torch._fused_sgd_([values], [torch.ones_like(values)], [], **numbers, **flags)
    return x


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (*mm(32, 32, 32), True),
        (*mm(64, 64, 64), True),
        (*mm(64, 64, 65), False),  # two threads are faster
        (*mm(8, 16, 16), False),  # two threads are not given it
        (*mm(1, 784, 32), False),
        (torch.mm, [torch.ones(32, 32, dtype=torch.float64)] * 2, False),
        (torch.addmm, [torch.ones(32), torch.ones(32, 32), torch.ones(32, 32)], True),
        (torch.bmm, [torch.ones(4, 32, 32), torch.ones(4, 32, 32)], True),
        (torch.bmm, [torch.ones(9, 32, 32), torch.ones(9, 32, 32)], False),
        (lambda a, b: torch.mm(a, b) + torch.ones(40_000).sum(), mm(32, 32, 32)[1], True),  # computed once
        (lambda a, b, c: torch.mm(a, b) + c.exp().sum(), [*mm(32, 32, 32)[1], torch.ones(40_000)], False),
        (lambda a, b, c: torch.mm(a, b) + c.exp().sum(), [*mm(32, 32, 32)[1], torch.ones(30_000)], True),
        (lambda a, b: torch.linalg.inv(torch.mm(a, b)), [torch.eye(32), torch.eye(32)], False),
        (torch.exp, [torch.ones(100)], False),
        (lambda a, b: F.layer_norm(torch.mm(a, b), (32,)), mm(32, 32, 32)[1], False),
        (lambda a, b, c: torch.mm(a, b) + c.sum(), [*mm(32, 32, 32)[1], torch.ones(2**15)], False),
        (lambda a, b, c: torch.mm(a, b) + c.sum(), [*mm(32, 32, 32)[1], torch.ones(2**15 - 1)], True),
        (lambda a, b, c: c.addmm_(a, b), [*mm(32, 32, 32)[1], torch.ones(32, 32)], True),
        (lambda a, b, *c: (torch.mm(a, b), torch._foreach_mul(c, 2)), [*mm(32, 32, 32)[1], *many(4)], False),
        (lambda a, b, *c: (torch.mm(a, b), torch._foreach_mul(c, 2)), [*mm(32, 32, 32)[1], *many(3)], True),
        (lambda a, b, c: updated(torch.mm(a, b), 1, c), [*mm(32, 32, 32)[1], torch.ones(40_000)], False),
        (lambda a, b, c: updated(torch.mm(a, b), 25, c), [*mm(32, 32, 32)[1], torch.ones(40_000)], True),
    ],
)
def test_one_thread_is_for_small_products_among_short_kernels(
    function: Callable[..., Any], arguments: list[Any], expected: bool
) -> None:
    with Recorder(arguments) as recorder:
        function(*arguments)
    assert wants_one_thread(recorder.instructions, recorder.tensors) is expected


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
def uses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With how many threads torch computes, each time that it is to be one."""
    found: list[int] = []

    @contextmanager
    def noted() -> Iterator[None]:
        with one_thread():
            found.append(torch.get_num_threads())
            yield

    monkeypatch.setattr("polykeras_torch.compiler.replay.one_thread", noted)
    return found


def trained(width: int, *between: layers.Layer) -> list[np.ndarray]:
    """Return the weights after eight chunks of five steps."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32 * 20, width)).astype("float32"), rng.normal(size=(32 * 20, 1)).astype("float32")
    with use_backend("torch"):
        polykeras.utils.set_random_seed(0)
        model = Sequential([layers.Input((width,)), layers.Dense(width, "tanh"), *between, layers.Dense(1)])
        model.compile("adam", "mse", steps_per_execution=5)
        model.fit(x, y, batch_size=32, epochs=2, verbose=0)
        return model.get_weights()


def test_chunks_of_small_layers_run_in_one_thread(uses: list[int]) -> None:
    trained(32)
    assert len(uses) >= 8
    assert set(uses) == {1}
    uses.clear()
    trained(128)
    assert uses == []


def test_a_model_has_the_bits_of_several_threads(uses: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    ours = trained(32)
    assert uses
    monkeypatch.setattr("polykeras_torch.compiler.replay.wants_one_thread", lambda instructions, seen: False)
    uses.clear()
    theirs = trained(32)
    assert uses == []
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("layer", [layers.LayerNormalization, layers.BatchNormalization])
def test_what_normalizes_runs_in_several_threads(layer: type, uses: list[int]) -> None:
    """The bits of its gradients depend on their number, and a run that goes on records its first step anew."""
    trained(32, layer())
    assert uses == []


@pytest.mark.parametrize("transposed", [False, True])
def test_products_have_the_bits_of_several_threads(transposed: bool) -> None:
    """Those that would be given to several: of all forms, also where most is added up in each element."""
    torch.manual_seed(0)
    compared = 0
    for m, n, k in itertools.product((2, 3, 8, 33), (2, 4, 33), (32, 100, 784, 4096, 16384)):
        a = torch.randn(k, m).t() if transposed else torch.randn(m, k)
        b = torch.randn(k, n)
        with Recorder([a, b]) as recorder:
            several = torch.mm(a, b)
        if wants_one_thread(recorder.instructions, recorder.tensors):
            with one_thread():
                assert torch.equal(several, torch.mm(a, b)), (m, n, k)
            compared += 1
    assert compared > 30


def test_single_calls_run_in_one_thread_too(uses: list[int]) -> None:
    with use_backend("torch") as backend:
        product = backend.compile(backend.matmul)
        for rows, expected in ((32, [1]), (1, [])):
            a = torch.ones(rows, 32)
            for _ in range(2):  # it is recorded, and repeated
                assert (product(a, torch.ones(32, 32)) == 32).all()
            assert uses == expected
            uses.clear()
