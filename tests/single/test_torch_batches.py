"""The batches of a chunk on torch: of several steps at once, or in place, and always as if gathered one by one."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from polykeras import fast

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.needs("torch"), pytest.mark.cpu_only("kernels, threads and memory of the CPU")]

# Rows and their shapes: batches that begin with a cache line or not; large ones are gathered a few at a time.
COLUMNS = [((96, 16), "float32"), ((96, 3), "float32"), ((96,), "int32"), ((96, 2, 5), "float64")]
LARGE = (96, 25_000)
ROWS = {
    "a run": torch.arange(8, 88).reshape(10, 8),
    "one step": torch.arange(8, 16).reshape(1, 8),
    "a run of odd batches": torch.arange(1, 92).reshape(13, 7),
    "shuffled": torch.randperm(96, generator=torch.Generator().manual_seed(0)).reshape(12, 8),
    "with ends like a run's": torch.tensor([[0, 2], [1, 3]]),
    "backwards": torch.arange(95, -1, -1).reshape(12, 8),
}


def column(shape: Any, dtype: str) -> Any:
    return torch.arange(96 * (torch.Size(shape).numel() // 96)).reshape(shape).to(getattr(torch, dtype))


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("on_host", [False, True])
@pytest.mark.parametrize("rows", ROWS.values(), ids=list(ROWS))
def test_batches_are_the_rows_in_aligned_memory(rows: Any, on_host: bool, large: bool) -> None:
    from polykeras_torch.batches import Batches, Data

    columns = [column(shape, dtype) for shape, dtype in COLUMNS] + ([column(LARGE, "float32")] if large else [])
    indices = rows.to(torch.int32)
    found = list(Batches(Data(columns), indices.numpy() if on_host else indices, 0, len(rows)))
    assert len(found) == len(rows)
    for batch, row in zip(found, rows, strict=True):
        for part, whole in zip(batch, columns, strict=True):
            assert torch.equal(part, whole[row])
            assert part.is_contiguous()
            assert part.data_ptr() % 64 == 0


@pytest.mark.skipif(not fast.enabled(), reason="a fast path")
def test_batches_of_a_stream_are_cut_out_and_not_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    from polykeras_torch import batches

    import polykeras

    def gathered(*_: Any) -> Any:
        raise AssertionError("gathered")

    monkeypatch.setattr(batches, "_gathered", gathered)
    stream = [(np.full((4, 3), i / 300, "float32"), np.full((4, 1), i / 300, "float32")) for i in range(300)]
    with polykeras.use_backend("torch"):
        model = polykeras.Sequential([polykeras.layers.Input((3,)), polykeras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(iter(stream), steps_per_epoch=100, epochs=3, verbose=0)


@pytest.mark.skipif(not fast.enabled(), reason="a fast path")
def test_a_run_of_rows_is_used_in_place_and_begins_where_it_is_told() -> None:
    from polykeras_torch.batches import Batches, Data

    data = column((96, 16), "float32")
    for i, (batch,) in enumerate(Batches(Data([data]), ROWS["a run"].to(torch.int32).numpy(), 3, 9)):
        assert batch.data_ptr() == data[8 + 8 * (3 + i) :].data_ptr()


@pytest.mark.skipif(not fast.enabled(), reason="a fast path")
def test_steps_of_users_own_code_get_tensors_of_their_own() -> None:
    """What native code does to a batch that is no kernel, here to keep a gradient with it, is not seen by the next."""
    import polykeras

    seen: list[Any] = []

    class Native(polykeras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            seen.append((inputs.requires_grad, inputs.grad))
            inputs.requires_grad_(True)
            inputs.sum().backward()
            return inputs * float(inputs.detach().sum() > 0)

    stream = [(np.ones((16, 16), "float32"), np.ones((16, 1), "float32")) for _ in range(64)]
    with polykeras.use_backend("torch"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it runs as plain Python
        model = polykeras.Sequential([Native(), polykeras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(iter(stream * 3), steps_per_epoch=64, epochs=3, verbose=0)
    assert len(seen) >= 192
    assert all(known == (False, None) for known in seen[2:])  # what is built is called with the same batch again
