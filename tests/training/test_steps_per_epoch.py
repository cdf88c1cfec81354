"""`steps`, `steps_per_epoch` and `validation_steps`, below and beyond the data: the rows that epochs take are Keras's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import callbacks, layers
from polykeras.backend import Backend, use_backend

X = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


class Watched(keras.Sequential):
    """A linear model that remembers the rows of each batch it was trained on."""

    def __init__(self) -> None:
        super().__init__([keras.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
        self.seen: list[Any] = []

    def train_step(self, data: Any) -> Any:
        logs = super().train_step(data)
        if isinstance(self.seen, list):  # not while shapes are found
            self.seen.append(rows_of(keras.ops.convert_to_numpy(data[0])))
        return logs


def rows_of(x: np.ndarray) -> list[int]:
    """Return which rows of the data these are."""
    return [int(np.argmin(np.abs(X[:, 0] - value))) for value in x[:, 0]]


def seen(*args: Any, **kwargs: Any) -> list[list[int]]:
    """Return the rows of each step of a run."""
    model = Watched()
    model.compile("sgd", "mse", run_eagerly=True)
    model.seen = []
    model.fit(*args, verbose=0, **kwargs)
    return model.seen


def firsts(batches: list[list[int]]) -> list[int]:
    return [rows[0] // 10 for rows in batches]


def linear(rate: float = 0.01) -> Any:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


class Batches(keras.utils.PyDataset):
    """Five batches of ten rows, with a diary of what is asked of them."""

    def __init__(self) -> None:
        super().__init__()
        self.diary: list[Any] = []

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        self.diary.append(index)
        return X[index * 10 :][:10], Y[index * 10 :][:10]

    def on_epoch_begin(self) -> None:
        self.diary.append("begin")

    def on_epoch_end(self) -> None:
        self.diary.append("end")


class Unknown:
    """Five batches of ten rows; how many there are is not known beforehand."""

    def __iter__(self) -> Iterator[Any]:
        return ((X[i : i + 10], Y[i : i + 10]) for i in range(0, 50, 10))


def ran_out() -> Any:
    return pytest.warns(UserWarning, match=r"The data ran out: \d steps.* were asked for and \d came\. Let the gen")


DATA = {"arrays": lambda: (X, Y), "data set": lambda: (Batches(),), "unknown": lambda: (Unknown(),)}


@pytest.mark.parametrize("kind", DATA)
def test_epochs_go_on_in_the_data_and_begin_anew_at_their_end(kind: str) -> None:
    more = {"batch_size": 10} if kind == "arrays" else {}
    with use_backend("numpy"), ran_out():
        batches = seen(*DATA[kind](), shuffle=False, steps_per_epoch=2, epochs=5, **more)
    assert firsts(batches) == [0, 1, 2, 3, 4, 0, 1, 2, 3]


@pytest.mark.parametrize("kind", DATA)
def test_data_that_end_with_an_epoch_or_before_it(kind: str) -> None:
    more = {"batch_size": 10} if kind == "arrays" else {}
    with use_backend("numpy"):
        assert firsts(seen(*DATA[kind](), shuffle=False, steps_per_epoch=5, epochs=2, **more)) == [0, 1, 2, 3, 4] * 2
        with ran_out():
            batches = seen(*DATA[kind](), shuffle=False, steps_per_epoch=7, epochs=2, **more)
    assert firsts(batches) == [0, 1, 2, 3, 4] * 2


def test_the_losses_are_those_of_the_rows(backend: Backend) -> None:
    """Also where an epoch is the partial last batch alone, which some backends fill up."""
    expected, w, b = [], np.ones((3, 1), "float32"), np.zeros(1, "float32")
    for epoch in ((0, 24, 48), (48, 50), (0, 24, 48)):
        total = rows = 0
        for start, stop in pairwise(epoch):
            x, y = X[start:stop], Y[start:stop]
            error = x @ w + b - y
            total, rows = total + (error**2).sum(), rows + len(x)
            w, b = w - 0.01 * 2 * x.T @ error / len(x), b - 0.01 * 2 * error.mean(0)
        expected.append(total / rows)
    model = linear()
    with ran_out():
        history = model.fit(X, Y, batch_size=24, steps_per_epoch=2, epochs=3, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-4)


def test_a_shuffled_pass_meets_each_row_once() -> None:
    with use_backend("numpy"), ran_out():
        batches = seen(X, Y, batch_size=10, steps_per_epoch=2, epochs=6)
    first, second = ([row for rows in part for row in rows] for part in (batches[:5], batches[5:]))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second


def test_batches_that_are_shuffled_within() -> None:
    with use_backend("numpy"):
        batches = seen(X, Y, batch_size=12, shuffle="batch", epochs=2)
    assert [sorted(rows) for rows in batches] == [list(range(i, min(i + 12, 50))) for i in range(0, 50, 12)] * 2
    assert all(rows != sorted(rows) for rows in batches if len(rows) == 12)
    assert batches[:4] != batches[5:9]


def test_steps_without_a_batch_size_share_the_rows(backend: Backend) -> None:
    model = linear()
    whole = model.predict(X, verbose=0)
    for steps in (1, 2, 7):
        np.testing.assert_allclose(model.predict(X, steps=steps, verbose=0), whole, rtol=1e-5)
    assert model.predict(X, batch_size=10, steps=2, verbose=0).shape == (20, 1)
    assert model.evaluate(X, Y, steps=3, verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
    sizes: list[int] = []

    class Sizes(callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            sizes.append(self.params["steps"])

    model.fit(X, Y, steps_per_epoch=3, validation_data=(X, Y), validation_steps=2, callbacks=Sizes(), verbose=0)
    with ran_out():
        model.fit(X, Y, batch_size=10, steps_per_epoch=7, callbacks=Sizes(), verbose=0)
    assert sizes == [3, 7]
    with use_backend("numpy"):
        assert [len(rows) for rows in seen(X, Y, steps_per_epoch=3)] == [17, 17, 16]


@pytest.mark.parametrize("kind", DATA)
def test_each_validation_begins_with_the_data(kind: str, backend: Backend) -> None:
    model, data = linear(0.0), DATA[kind]()
    validation = data if len(data) == 2 else data[0]
    history = model.fit(
        X, Y, batch_size=10, epochs=3, validation_data=validation, validation_steps=2, verbose=0
    ).history
    expected = np.mean((X[:20].sum(1, keepdims=True) - Y[:20]) ** 2)
    np.testing.assert_allclose(history["val_loss"], [expected] * 3, rtol=1e-5)
    with ran_out():
        model.fit(X, Y, batch_size=10, validation_data=validation, validation_steps=6, verbose=0)


def test_a_generator_of_validation_goes_on() -> None:
    """Keras gives its first two batches again."""
    model = linear(0.0)
    batches = ((X[i : i + 10], Y[i : i + 10]) for i in range(0, 50, 10))
    found = model.fit(X, Y, epochs=2, validation_data=batches, validation_steps=2, verbose=0).history["val_loss"]
    for i, loss in enumerate(found):
        x, y = X[i * 20 :][:20], Y[i * 20 :][:20]
        assert loss == pytest.approx(np.mean((x.sum(1, keepdims=True) - y) ** 2), rel=1e-5)


def test_the_hooks_of_a_data_set() -> None:
    """As in Keras, `on_epoch_end` is called before the first epoch too, so that a data set may order its rows there."""
    with use_backend("numpy"):
        trained, parts, validation, evaluated, predicted = (Batches() for _ in range(5))
        epoch = ["begin", 0, 1, 2, 3, 4, "end"]
        model = linear()
        model.fit(trained, epochs=2, shuffle=False, validation_data=validation, verbose=0)
        assert trained.diary == ["end", *epoch, *epoch]
        assert validation.diary == ["end", *epoch] * 2
        model.fit(parts, epochs=2, shuffle=False, steps_per_epoch=2, verbose=0)
        assert parts.diary == ["end", "begin", 0, 1, "end", "begin", 2, 3, "end"]
        model.evaluate(evaluated, verbose=0)
        assert evaluated.diary == ["end", *epoch]
        model.predict(predicted, verbose=0)
        assert predicted.diary == epoch


class Cut(RuntimeError):
    """What ends a run."""


class CutAt(callbacks.Callback):
    """Ends a run at a step of an epoch; at None, before its first one."""

    def __init__(self, epoch: int, step: int | None) -> None:
        super().__init__()
        self._at, self._epoch = (epoch, step), 0

    def get_state(self) -> dict[str, Any]:
        return {}

    def on_train_resume(self, epoch: int, step: int) -> None:
        self._epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        if self._at == (epoch, None):
            raise Cut

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._at == (self._epoch, batch):
            raise Cut


@pytest.mark.filterwarnings("ignore:The data ran out")
@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("at", [(1, 0), (1, None), (2, 0), (2, None), (3, 1), (4, None)])
def test_a_run_that_was_cut_goes_on_in_the_data(tmp_path: Any, kind: str, at: tuple[int, int | None]) -> None:
    def fit(*more: Any) -> Any:
        keras.utils.set_random_seed(7)
        model = linear()
        size = {"batch_size": 10} if kind == "arrays" else {}
        validation = {"validation_data": Batches(), "validation_steps": 2}
        model.fit(*DATA[kind](), epochs=6, steps_per_epoch=2, verbose=0, callbacks=list(more), **size, **validation)
        return model

    with use_backend("numpy"):
        whole = fit()
        with pytest.raises(Cut):
            fit(callbacks.BackupAndRestore(tmp_path, 1), CutAt(*at))
        resumed = fit(callbacks.BackupAndRestore(tmp_path, 1))
    assert resumed.history.history == whole.history.history
    np.testing.assert_array_equal(resumed.get_weights()[0], whole.get_weights()[0])
