"""Steps in parts on torch: several are looked at together, in what they left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from polykeras import fast
from polykeras.backend import use_backend
from polykeras.backend.steps import StepParts

torch = pytest.importorskip("torch")
from polykeras_torch.compiler.instructions import Slot  # noqa: E402
from polykeras_torch.compiler.kernels import COPY_INTO  # noqa: E402
from polykeras_torch.compiler.recorder import Recorder  # noqa: E402
from polykeras_torch.compiler.rewriting import with_given_memory  # noqa: E402

pytestmark = [
    pytest.mark.needs("torch"),
    pytest.mark.skipif(not fast.enabled(), reason="a fast path"),
    pytest.mark.cpu_only("kernels, threads and memory of the CPU"),
]


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("torch") as backend:
        yield backend


DATA = torch.arange(400.0).reshape(200, 2)
INDICES = torch.arange(200, dtype=torch.int32).reshape(100, 2)


def runner(tb: Any, see: Any, looks: list[int]) -> Any:
    """Return a runner of a step that counts in its first state; the second sums what is seen, the third counts looks.

    Args:
        tb: the backend.
        see: takes the state and a batch, and returns what is seen.
        looks: the numbers of rows that Python is called with to look at.
    """

    def step(state: Any, batch: Any) -> Any:
        return [state[0] + 1.0, *state[1:]], see(state, batch)

    def look(part: Any, seen: Any) -> Any:
        looks.append(len(seen))
        return [part[0] + tb.sum(seen), part[1] + 1], None

    def report(part: Any) -> Any:
        return part, {"sum": part[0] * 2.0}

    def whole(state: Any, batch: Any) -> Any:
        raise AssertionError("the parts stand for the step")

    return tb.compile_steps(whole, StepParts(step, [1, 2], look, report))


def state() -> list[Any]:
    return [torch.zeros(3), torch.tensor(0.0), torch.tensor(0)]


def test_looks_are_few_and_miss_nothing(tb: Any) -> None:
    looks: list[int] = []
    run = runner(tb, lambda state, batch: batch, looks)
    new, logs = run(state(), DATA, INDICES, 0, 90)
    assert new[0].tolist() == [90.0] * 3
    assert float(new[1]) == float(DATA[:180].sum())
    assert int(new[2]) == 1 + 1 + 2 + 2  # of 64, 16, 4 and 1 steps
    assert float(logs["sum"]) == 2 * float(new[1])
    again, _ = run(new, DATA, INDICES, 90, 100)
    assert float(again[1]) == float(DATA.sum())
    assert looks == [128, 32, 8, 2]  # each traced once


def test_the_room_for_what_is_seen_is_used_again(tb: Any) -> None:
    looks: list[int] = []
    run = runner(tb, lambda state, batch: batch * (state[0][0] + 1.0), looks)
    indices = INDICES.repeat(6, 1)
    new, _ = run(state(), DATA, indices, 0, 600)
    wanted = sum(float(DATA[rows].sum()) * (step + 1) for step, rows in enumerate(indices.tolist()))
    assert float(new[1]) == pytest.approx(wanted, rel=1e-6)
    assert int(new[2]) == 2 + 1 + 1 + 2  # of 256, 64, 16 and 4 steps
    assert looks == [512, 128, 32, 8]


def test_what_is_seen_is_bounded(tb: Any) -> None:
    looks: list[int] = []
    run = runner(tb, lambda state, batch: batch[:, :1].expand(2, 2**18) * 1.0, looks)  # 2 MB
    new, _ = run(state(), DATA, INDICES, 0, 9)
    assert looks == [2]
    assert int(new[2]) == 9
    assert float(new[1]) == pytest.approx(2**18 * float(DATA[:18, 0].sum()))


def test_what_is_large_is_looked_at_step_by_step_and_not_kept(tb: Any) -> None:
    looks: list[int] = []
    run = runner(tb, lambda state, batch: batch[:, :1].expand(2, 2**20) + state[0][0], looks)  # 8 MB
    new, _ = run(state(), DATA, INDICES, 0, 3)
    assert looks == [2]
    assert int(new[2]) == 3
    assert float(new[1]) == pytest.approx(2**20 * (float(DATA[:6, 0].sum()) + 2 * (0 + 1 + 2)))
    (loop,) = run._loops.values()
    assert loop._room is None


@pytest.mark.parametrize("rows", [16, 3])  # in whole cache lines, which results are written into, and not
def test_parts_of_the_batch_and_what_is_made_of_them_are_seen_in_their_order(tb: Any, rows: int) -> None:
    def step(state: Any, batch: Any) -> Any:
        made = tb.exp(batch * 0.001 + state[0])
        seen = {"a": made, "b": batch, "c": batch[:, :1], "d": tb.sqrt(batch) + made, "e": made}
        return [state[0] + 0.001, *state[1:]], seen

    def look(part: Any, seen: Any) -> Any:
        return [part[0] + tb.sum(seen["a"] * seen["b"] + seen["c"] * seen["d"] + seen["e"])], None

    parts = StepParts(step, [1], look, lambda part: (part, {}))
    run = tb.compile_steps(None, parts)
    indices = torch.randint(200, (70, rows), generator=torch.manual_seed(0), dtype=torch.int32)
    state, total = [torch.tensor(0.0), torch.tensor(0.0)], 0.0
    for start, stop in ((0, 1), (1, 40), (40, 41), (41, 70)):
        state, _ = run(state, DATA, indices, start, stop)
    for i, chosen in enumerate(indices.tolist()):
        x = DATA[chosen].double()
        made = (x * 0.001 + i * 0.001).exp()
        total += float((made * x + x[:, :1] * (x.sqrt() + made) + made).sum())
    assert float(state[1]) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(("rows", "copies"), [(16, 2), (3, 3)])
def test_what_is_given_memory_is_written_there_in_whole_cache_lines(rows: int, copies: int) -> None:
    x = torch.ones(rows, 2)
    with Recorder([x]) as recorder:
        made = (x + 1.0).exp()
        results = [recorder.slot(leaf) for leaf in (made, made[:, :1], made)]
    rooms = [Slot(100), Slot(101), Slot(102)]
    instructions = with_given_memory(recorder.instructions, recorder.tensors, results, rooms)
    assert [instruction.args[0] for instruction in instructions if instruction.op is COPY_INTO] == rooms[-copies:]
    assert [instruction.into for instruction in instructions if instruction.into is not None] == rooms[:-copies]


def test_a_chunk_that_failed_leaves_nothing_to_the_next(tb: Any) -> None:
    run = runner(tb, lambda state, batch: batch * 1.0, [])
    run(state(), DATA, INDICES, 0, 1)
    with pytest.raises(IndexError):
        run(state(), DATA, torch.cat([INDICES[:3], INDICES[:1] + 10**6]), 0, 4)
    new, _ = run(state(), DATA, INDICES, 0, 5)
    assert float(new[1]) == float(DATA[:10].sum())


def test_what_is_seen_of_the_state_is_what_it_was(tb: Any) -> None:
    run = runner(tb, lambda state, batch: state[0].expand(2, 3), [])
    new, _ = run(state(), DATA, INDICES, 0, 20)
    assert float(new[1]) == 6 * sum(range(20))


def test_arrays_of_the_batch_are_seen_as_a_step_left_them(tb: Any) -> None:
    run = runner(tb, lambda state, batch: batch.mul_(2.0), [])
    new, _ = run(state(), DATA, INDICES[torch.randperm(100, generator=torch.Generator().manual_seed(0))], 0, 100)
    assert float(new[1]) == 2 * float(DATA.sum())


def test_a_constant_can_be_seen(tb: Any) -> None:
    constant = torch.ones(2, 1)
    run = runner(tb, lambda state, batch: constant, [])
    new, _ = run(state(), DATA, INDICES, 0, 20)
    assert float(new[1]) == 40


def test_an_outer_recording_sees_whole_steps(tb: Any) -> None:
    def step(state: Any, batch: Any) -> Any:
        return [state[0] + tb.sum(batch)], {}

    parts = StepParts(lambda state, batch: (state, batch), [], lambda part, seen: (part, None), lambda part: (part, {}))
    run = tb.compile_steps(step, parts)
    compiled = tb.compile(lambda x: run([x], DATA, INDICES, 0, 3)[0][0])
    for _ in range(2):
        assert float(compiled(torch.tensor(1.0))) == 1 + float(DATA[:6].sum())
