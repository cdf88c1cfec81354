"""A `DataLoader` read without its bookkeeping gives the batches, and draws the numbers, that it gives and draws itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as k
from polykeras import fast
from polykeras.backend import foreign_data, use_backend

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")
loaders = pytest.importorskip("polykeras_torch.loaders")
pytestmark = [pytest.mark.needs("torch"), pytest.mark.cpu_only("kernels, threads and memory of the CPU")]

X = np.arange(46, dtype="float32").reshape(23, 2)
Y = np.arange(23)
TENSORS = data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
READY = [(X[i : i + 5], Y[i : i + 5]) for i in range(0, 23, 5)]


class Samples(data.Dataset):
    """Fetched one by one."""

    def __len__(self) -> int:
        return len(Y)

    def __getitem__(self, i: int) -> Any:
        return {"x": X[i], "y": int(Y[i])}


class Together(Samples):
    """Fetched a batch at a time."""

    def __getitems__(self, indices: list[int]) -> Any:
        return [(X[i], Y[i] + 1) for i in indices]


class Eager:
    """A sampler that draws as soon as it is asked to begin."""

    def __len__(self) -> int:
        return len(Y)

    def __iter__(self) -> Iterator[int]:
        return iter(torch.randperm(len(Y)).tolist())


class Odd:
    """Indices of kinds that few samplers give."""

    def __iter__(self) -> Iterator[Any]:
        yield [torch.tensor(3), torch.tensor(1)]
        yield [-1, 0]
        yield range(4)

    def __len__(self) -> int:
        return 3


class Endless(data.IterableDataset):
    def __iter__(self) -> Iterator[Any]:
        return iter(TENSORS)


def loader_of(kind: str) -> Any:
    """Return a loader that is read without bookkeeping."""
    kinds: dict[str, Any] = {
        "rows": lambda: data.DataLoader(TENSORS, batch_size=5),
        "rows shuffled": lambda: data.DataLoader(TENSORS, batch_size=5, shuffle=True),
        "full batches": lambda: data.DataLoader(TENSORS, batch_size=5, drop_last=True),
        "own generator": lambda: data.DataLoader(
            TENSORS, batch_size=5, shuffle=True, generator=torch.Generator().manual_seed(3)
        ),
        "a part": lambda: data.DataLoader(data.Subset(TENSORS, [7, 2, 20, 11]), batch_size=3, shuffle=True),
        "a part of a part": lambda: data.DataLoader(
            data.Subset(data.Subset(TENSORS, range(3, 15)), range(2, 9)), batch_size=3
        ),
        "eager sampler": lambda: data.DataLoader(TENSORS, batch_size=4, sampler=Eager()),
        "odd indices": lambda: data.DataLoader(TENSORS, batch_sampler=Odd()),
        "groups": lambda: data.DataLoader(data.Subset(TENSORS, [[0, 1], [2, 3, 4]]), batch_size=1),
        "a part by a tensor": lambda: data.DataLoader(data.Subset(TENSORS, torch.tensor([3, 1, 2])), batch_size=2),
        "drawn again": lambda: data.DataLoader(
            TENSORS, batch_size=4, sampler=data.WeightedRandomSampler(torch.ones(23), 30)
        ),
        "from the end": lambda: data.DataLoader(TENSORS, batch_sampler=[[0, 2], [-1]]),
        "gradients": lambda: data.DataLoader(data.TensorDataset(torch.ones(4, 2, requires_grad=True)), batch_size=2),
        "half precision": lambda: data.DataLoader(data.TensorDataset(torch.ones(4, 2, dtype=torch.bfloat16))),
        "samples": lambda: data.DataLoader(Samples(), batch_size=5, shuffle=True),
        "samples alone": lambda: data.DataLoader(Samples(), batch_size=None),
        "together": lambda: data.DataLoader(Together(), batch_size=5),
        "own collation": lambda: data.DataLoader(TENSORS, batch_size=5, collate_fn=lambda parts: parts[0][0] * 2),
        "ready": lambda: data.DataLoader(READY, batch_size=None),
        "ready shuffled": lambda: data.DataLoader(READY, batch_size=None, shuffle=True),
        "ready, nested": lambda: data.DataLoader([((X[:2], X[2:4]), Y[:2])], batch_size=None),
        "ready, transposed": lambda: data.DataLoader([(X.T, Y[:2])], batch_size=None),
        "ready, own collation": lambda: data.DataLoader(READY, batch_size=None, collate_fn=lambda batch: batch[0] * 2),
    }
    return kinds[kind]()


KINDS = [
    *("rows", "rows shuffled", "full batches", "own generator", "a part", "a part of a part", "eager sampler"),
    *("groups", "a part by a tensor", "drawn again", "from the end", "ready, transposed"),
    *("odd indices", "gradients", "half precision", "samples", "samples alone", "together", "own collation", "ready"),
    *("ready shuffled", "ready, nested", "ready, own collation"),
]


def plain(batch: Any) -> Any:
    """Return a batch as plain data: containers by name, arrays with their dtypes."""
    if isinstance(batch, dict):
        return {key: plain(part) for key, part in batch.items()}
    if isinstance(batch, (list, tuple)):
        return [type(batch).__name__, *map(plain, batch)]
    values = batch.detach().float().numpy() if isinstance(batch, torch.Tensor) else np.asarray(batch)
    dtype = batch.dtype if isinstance(batch, torch.Tensor) else torch.from_numpy(np.asarray(batch)).dtype
    return str(dtype), values.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_batches_and_draws_of_the_loader(kind: str) -> None:
    found = []
    for read in (iter, loaders.batches_of):
        torch.manual_seed(5)
        loader = loader_of(kind)
        epochs = [[plain(batch) for batch in read(loader)] for _ in range(2)]
        drawn = torch.rand(3).tolist()
        generator = None if loader.generator is None else torch.rand(3, generator=loader.generator).tolist()
        found.append((epochs, drawn, generator))
    assert found[0][0][0]
    assert found[0] == found[1]


def test_arrays_stay_arrays_and_rows_are_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(type(part) is np.ndarray for batch in loaders.batches_of(loader_of("ready")) for part in batch)

    def refuse(dataset: Any, index: Any) -> Any:
        raise AssertionError("a sample alone")

    monkeypatch.setattr(data.TensorDataset, "__getitem__", refuse)
    for kind in ("rows shuffled", "a part", "a part of a part"):
        assert len(list(loaders.batches_of(loader_of(kind)))) == len(loader_of(kind))


class Changing:
    """A sampler that changes the data while they are read."""

    def __init__(self) -> None:
        tensors = data.TensorDataset(torch.arange(12).reshape(6, 2))
        self.dataset = data.Subset(tensors, [0, 1, 2])
        self.changes = [
            lambda: self.dataset.indices.append(5),
            lambda: setattr(tensors, "tensors", (tensors.tensors[0] + 100,)),
            lambda: tensors.tensors[0].data.mul_(2),
        ]

    def __len__(self) -> int:
        return 4

    def __iter__(self) -> Iterator[list[int]]:
        yield [0, 1]
        for change in self.changes:
            change()
            yield [2, 3]


def test_data_that_change_while_they_are_read() -> None:
    found = []
    for read in (iter, loaders.batches_of):
        sampler = Changing()
        found.append([plain(batch) for batch in read(data.DataLoader(sampler.dataset, batch_sampler=sampler))])
    assert found[0] == found[1]
    assert len({str(batch) for batch in found[0]}) == 4


@pytest.mark.parametrize("indices", [[0, 1], [3, 1]])
def test_tensors_stay_the_users(indices: list[int]) -> None:
    tensor = torch.ones(4, 2)
    list(loaders.batches_of(data.DataLoader(data.TensorDataset(tensor), batch_sampler=[indices])))
    assert tensor.resize_(8, 2)[:4].sum() == 8.0  # `Tensor.numpy` would have forbidden that for good


@pytest.mark.parametrize(
    "make",
    [
        lambda: data.DataLoader(TENSORS, num_workers=1),
        lambda: data.DataLoader(TENSORS, timeout=1),
        lambda: data.DataLoader(Endless()),
        lambda: type("Loader", (data.DataLoader,), {})(TENSORS),
    ],
    ids=["workers", "timeout", "iterable data set", "subclass"],
)
def test_other_loaders_read_themselves(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.DataLoader, "__iter__", lambda loader: iter(["its own"]))
    assert list(loaders.batches_of(make())) == ["its own"]


@pytest.mark.parametrize("indices", [[0, 23], [22, 23], [23], [-24]])
def test_an_index_out_of_range_is_told(indices: list[int]) -> None:
    with pytest.raises(IndexError, match="out of bounds"):
        list(loaders.batches_of(data.DataLoader(TENSORS, batch_sampler=[indices])))


def test_what_torch_refuses_is_refused() -> None:
    for array, message in ((X[::-1], "negative"), (X.astype(">f4"), "byte order")):
        with pytest.raises(ValueError, match=message):
            list(loaders.batches_of(data.DataLoader([(array, Y)], batch_size=None)))


def test_two_passes_at_a_time() -> None:
    found = []
    for read in (iter, loaders.batches_of):
        torch.manual_seed(1)
        loader = loader_of("rows shuffled")
        passes = zip(read(loader), read(loader), strict=True)
        found.append([(plain(first), plain(second)) for first, second in passes])
    assert found[0] == found[1]


@pytest.mark.skipif(not fast.enabled(), reason="the loader reads itself")
def test_whatever_the_backend_is() -> None:
    with use_backend("numpy"):
        batches = list(foreign_data.batches_of(loader_of("rows")))
    assert np.asarray(batches[0][0]).tolist() == X[:5].tolist()
    assert next(foreign_data.batches_of([3])) == 3


def test_a_model_learns_the_same_from_a_loader_as_from_arrays() -> None:
    with use_backend("torch"):
        histories = []
        for fit in (
            lambda model: model.fit(loader_of("rows"), epochs=3, verbose=0),
            lambda model: model.fit(X, Y, batch_size=5, shuffle=False, epochs=3, verbose=0),
        ):
            k.utils.set_random_seed(0)
            model = k.Sequential([k.Input((2,)), k.layers.Dense(1)])
            model.compile(optimizer=k.optimizers.SGD(1e-4), loss="mse")
            histories.append(fit(model).history["loss"])
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-6)
