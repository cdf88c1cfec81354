"""`BackupAndRestore` within one process: what is kept, where it goes on, and what it refuses."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from helpers import data
from polykeras import callbacks, layers, ops
from polykeras.backend import Backend, use_backend
from polykeras.saving import SavedFileError
from polykeras.training.data.streams import StreamSource
from polykeras.training.resuming.files import BackupFiles

pytestmark = pytest.mark.cpu_only("equal bits, which sums on a GPU need not have")

X, Y = data(36, 3), data(36, 1, seed=1)


@pytest.fixture(autouse=True)
def on_the_host(request: pytest.FixtureRequest) -> Iterator[None]:
    """What does not depend on the backend runs on NumPy alone."""
    with nullcontext() if "backend" in request.fixturenames else use_backend("numpy"):
        yield


class Cut(RuntimeError):
    """What ends a run."""


class CutAt(callbacks.Callback):
    """Ends a run after so many steps, or epochs."""

    per_chunk = True

    def __init__(self, steps: int | None = None, epochs: int | None = None) -> None:
        super().__init__()
        self._steps, self._epochs = steps, epochs
        self._epoch = 0

    def on_train_resume(self, epoch: int, step: int) -> None:
        self._epoch = epoch

    def get_state(self) -> dict[str, Any]:
        """The next run is cut elsewhere."""
        return {}

    def next_stop(self, done: int) -> int | None:
        return None if self._steps is None else self._steps

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._steps == batch + 1 and self._epochs in (None, self._epoch):
            raise Cut

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        if self._steps is None and epoch == self._epochs:
            raise Cut


def make(optimizer: Any = "adam", units: int = 5, **kwargs: Any) -> Any:
    """Return the same model as in another process."""
    keras.utils.set_random_seed(7)
    keras.common.naming.reset_names()
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(units, "tanh"),
            layers.Dropout(0.4),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer, "mse", metrics=["mae"], **kwargs)
    return model


def state(model: Any) -> list[bytes]:
    return [v.numpy().tobytes() for v in [*model.variables, *model.optimizer.variables, *model.metrics_variables]]


def check_resumed(
    fit: Callable[[Any, list[Any]], Any],
    folder: Path,
    cuts: list[CutAt],
    save_freq: Any = 2,
    model: Callable[[], Any] = make,
) -> None:
    """Check that runs that were cut end as one that was not."""
    whole = model()
    history = fit(whole, [])
    after = random.random(), np.random.random(), keras.random.draw_seed()
    for cut in cuts:
        with pytest.raises(Cut):
            fit(model(), [callbacks.BackupAndRestore(folder, save_freq), cut])
        assert (folder / "latest.npz").exists()
    resumed = model()
    found = fit(resumed, [callbacks.BackupAndRestore(folder, save_freq)])
    assert found.history == history.history
    assert found.epoch == history.epoch
    assert state(resumed) == state(whole)
    assert after == (random.random(), np.random.random(), keras.random.draw_seed())
    assert not folder.exists()


# ---- data ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [(3, 0), (7, 1), (8, 2), (None, 2)])
def test_arrays(backend: Backend, tmp_path: Path, where: tuple[Any, Any]) -> None:
    def fit(model: Any, more: list[Any]) -> Any:
        return model.fit(X, Y, 4, 4, 0, more, validation_split=0.1)

    check_resumed(fit, tmp_path / "b", [CutAt(*where)])


def test_at_the_last_step_of_an_epoch(backend: Backend, tmp_path: Path) -> None:
    """The epoch's steps are done, and its validation is not."""

    def fit(model: Any, more: list[Any]) -> Any:
        return model.fit(X, Y, 6, 3, 0, more, validation_data=(X[:5], Y[:5]))

    check_resumed(fit, tmp_path / "b", [CutAt(6, 1)], save_freq=3)


class Stops(callbacks.Callback):
    """Ends training within the second epoch; or, in a run that is to be cut, cuts its validation."""

    per_chunk = True

    def __init__(self, cuts: bool = False) -> None:
        super().__init__()
        self._cuts = cuts
        self._epoch = 0

    def next_stop(self, done: int) -> int | None:
        return 4

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._epoch == 1 and batch == 3:
            self.model.stop_training = True

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._cuts and self._epoch == 1:
            raise Cut


def test_training_that_was_stopped_within_an_epoch(backend: Backend, tmp_path: Path) -> None:
    """Its validation and the end of the epoch are to come."""

    def fit(model: Any, more: list[Any], cuts: bool = False) -> Any:
        return model.fit(X, Y, 6, 3, 0, [*more, Stops(cuts)], validation_data=(X[:5], Y[:5]))

    whole = make()
    history = fit(whole, [])
    assert history.epoch == [0, 1]
    with pytest.raises(Cut):
        fit(make(), [callbacks.BackupAndRestore(tmp_path / "b", 2)], cuts=True)
    resumed = make()
    found = fit(resumed, [callbacks.BackupAndRestore(tmp_path / "b", 2)])
    assert (found.epoch, found.history) == (history.epoch, history.history)
    assert state(resumed) == state(whole)


def test_a_model_that_is_built_by_fit(backend: Backend, tmp_path: Path) -> None:
    def model() -> Any:
        keras.utils.set_random_seed(7)
        keras.common.naming.reset_names()
        made = keras.Sequential([layers.Dense(4), layers.Dropout(0.5), layers.Dense(1)])
        made.compile("sgd", "mse")
        return made

    check_resumed(lambda m, more: m.fit(X, Y, 4, 3, 0, more), tmp_path / "b", [CutAt(5, 1)], model=model)


class Batches(keras.utils.PyDataset):
    """Batches with noise from NumPy's global generator, and a shuffle of its own after each epoch."""

    def __init__(self, noisy: bool = True) -> None:
        super().__init__()
        self._rows = np.arange(len(X))
        self._generator = np.random.default_rng(1)
        self._noisy = noisy

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> Any:
        rows = self._rows[4 * index : 4 * index + 4]
        noise = np.random.normal(size=(len(rows), 3)).astype("float32") if self._noisy else 0
        return X[rows] + noise, Y[rows]

    def on_epoch_end(self) -> None:
        self._generator.shuffle(self._rows)


def test_a_data_set(backend: Backend, tmp_path: Path) -> None:
    def fit(model: Any, more: list[Any]) -> Any:
        return model.fit(Batches(), epochs=4, verbose=0, callbacks=more, validation_data=Batches(False))

    check_resumed(fit, tmp_path / "b", [CutAt(5, 0), CutAt(7, 2)])


@pytest.mark.parametrize("noisy", [False, True])
def test_a_data_set_between_epochs(tmp_path: Path, noisy: bool) -> None:
    """The order of the next epoch, and its noise, are as they would have been."""

    def fit(model: Any, more: list[Any]) -> Any:
        return model.fit(Batches(noisy), epochs=4, verbose=0, callbacks=more)

    check_resumed(fit, tmp_path / "b", [CutAt(None, 1), CutAt(None, 3)], save_freq="epoch")


def test_a_data_set_between_epochs_and_then_within_one(tmp_path: Path) -> None:
    def fit(model: Any, more: list[Any]) -> Any:
        return model.fit(Batches(), epochs=4, verbose=0, callbacks=more)

    with pytest.raises(Cut):
        fit(make(), [callbacks.BackupAndRestore(tmp_path / "b"), CutAt(None, 1)])
    check_resumed(fit, tmp_path / "b", [CutAt(5, 1)])


@pytest.mark.filterwarnings("ignore:The data ran out")
def test_a_data_set_in_which_epochs_go_on(backend: Backend, tmp_path: Path) -> None:
    def fit(model: Any, more: list[Any]) -> Any:
        return model.fit(Batches(), epochs=5, verbose=0, callbacks=more, steps_per_epoch=7)

    check_resumed(fit, tmp_path / "b", [CutAt(5, 0), CutAt(7, 2), CutAt(None, 4)])


def endless(seed: int) -> Iterator[Any]:
    generator = np.random.default_rng(seed)
    while True:
        rows = generator.integers(0, len(X), 4)
        yield X[rows], Y[rows]


def test_generators(backend: Backend, tmp_path: Path) -> None:
    def fit(model: Any, more: list[Any]) -> Any:
        validation = {"validation_data": endless(1), "validation_steps": 2}
        return model.fit(endless(0), epochs=4, verbose=0, callbacks=more, steps_per_epoch=5, **validation)

    check_resumed(fit, tmp_path / "b", [CutAt(4, 1), CutAt(None, 2), CutAt(5, 2)])


def test_an_iterable_of_which_nothing_is_left(backend: Backend, tmp_path: Path) -> None:
    class Iterable:
        def __iter__(self) -> Iterator[Any]:
            return iter([(X[i : i + 4], Y[i : i + 4]) for i in range(0, 24, 4)])

    def fit(model: Any, more: list[Any]) -> Any:
        return model.fit(Iterable(), epochs=3, verbose=0, callbacks=more)

    check_resumed(fit, tmp_path / "b", [CutAt(6, 1)], save_freq=6)


def test_a_generator_that_gives_less_than_before(tmp_path: Path) -> None:
    keep = callbacks.BackupAndRestore(tmp_path, 2)
    with pytest.raises(Cut):
        make().fit(endless(0), epochs=3, verbose=0, callbacks=[keep, CutAt(4, 1)], steps_per_epoch=5)
    with pytest.raises(ValueError, match="took 5 batches of these data, which now have 3"):
        make().fit(iter([(X, Y)] * 3), epochs=3, verbose=0, callbacks=keep, steps_per_epoch=5)
    assert (tmp_path / "latest.npz").exists()


# ---- models ----------------------------------------------------------------------------------------------------------


def test_variables_that_nothing_holds(backend: Backend, tmp_path: Path) -> None:
    """They are found when a step is traced, and random numbers without a seed come from the process-wide generator."""

    class Own(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
            count.assign_add(1.0)
            noise = keras.random.normal((1,)) * 0.1 + count * 0.01
            return super().train_step((x, y + noise))

    def model() -> Any:
        global count
        keras.utils.set_random_seed(7)
        keras.common.naming.reset_names()
        count = keras.Variable(0.0, name="count")
        made = Own([keras.Input((3,)), layers.Dense(1)])
        made.compile("sgd", "mse")
        return made

    check_resumed(lambda m, more: m.fit(X, Y, 4, 3, 0, more), tmp_path / "b", [CutAt(5, 1)], model=model)
    assert float(count) == 27.0


def test_eagerly(backend: Backend, tmp_path: Path) -> None:
    def fit(model: Any, more: list[Any]) -> Any:
        return model.fit(X, Y, 6, 2, 0, more)

    check_resumed(fit, tmp_path / "b", [CutAt(4, 1)], model=lambda: make(run_eagerly=True))


# ---- callbacks -------------------------------------------------------------------------------------------------------


class Notes(callbacks.Callback):
    """Keeps all kinds of things."""

    def __init__(self, patience: int = 1, shared: list[Any] | None = None, count: int = 0) -> None:
        super().__init__()
        self.patience = patience
        self.shared = shared
        self.count = count
        self.pairs = {(1, "a"): {2.5}, "n": None}
        self.big = 2**100
        self.array = np.zeros((2, 2), "float16")
        self.unkept = object()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.count += 1
        self.array = self.array + np.float16(1)
        self.big += 1
        self.pairs["n"] = np.float32(epoch)
        if self.shared is not None:
            self.shared.append(epoch)


def test_a_callback_of_ones_own(tmp_path: Path) -> None:
    keep = callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(Cut):
        make().fit(X, Y, epochs=4, verbose=0, callbacks=[keep, Notes(1), CutAt(None, 2)])
    shared: list[Any] = []
    notes = Notes(5, shared)
    make().fit(X, Y, epochs=4, verbose=0, callbacks=[keep, notes])
    assert (notes.patience, notes.count, notes.big) == (5, 4, 2**100 + 4)
    assert notes.pairs == {(1, "a"): {2.5}, "n": 3.0}
    assert isinstance(notes.pairs["n"], np.float32)
    assert notes.array.dtype == np.float16
    assert notes.array.tolist() == [[4.0, 4.0]] * 2
    assert notes.shared is shared


def test_shared_lists_get_their_contents(tmp_path: Path) -> None:
    keep = callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(Cut):
        make().fit(X, Y, epochs=4, verbose=0, callbacks=[keep, Notes(1, []), CutAt(None, 2)])
    shared: list[Any] = []
    make().fit(X, Y, epochs=4, verbose=0, callbacks=[keep, Notes(1, shared)])
    assert shared == [0, 1, 2, 3]


def test_callbacks_know_that_a_run_goes_on(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Looks(callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            seen.append(("begin", self.params.get("resumed")))

        def on_train_resume(self, epoch: int, step: int) -> None:
            seen.append(("resume", epoch, step))

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            seen.append(("epoch", epoch))

    keep = callbacks.BackupAndRestore(tmp_path, 4)
    with pytest.raises(Cut):
        make().fit(X, Y, 4, 3, 0, [keep, Looks(), CutAt(5, 1)])
    assert seen == [("begin", None), ("epoch", 0), ("epoch", 1)]
    seen.clear()
    make().fit(X, Y, 4, 3, 0, [keep, Looks()])
    assert seen == [("begin", True), ("resume", 1, 3), ("epoch", 2)]


def test_a_state_that_cannot_be_kept(tmp_path: Path) -> None:
    class Bad(callbacks.Callback):
        def get_state(self) -> dict[str, Any]:
            return {"thing": object()}

    with pytest.raises(
        TypeError, match=r"Bad\.get_state: a value of type object is neither plain data nor a NumPy array"
    ):
        make().fit(X, Y, verbose=0, callbacks=[Bad(), callbacks.BackupAndRestore(tmp_path)])


def test_logs_may_be_arrays_of_the_framework(backend: Backend, tmp_path: Path) -> None:
    class Logs(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            assert logs is not None
            logs["more"] = ops.convert_to_tensor([1.0, 2.0])

    keep = callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(Cut):
        make().fit(X, Y, epochs=2, verbose=0, callbacks=[keep, Logs(), CutAt(None, 1)])
    history = make().fit(X, Y, epochs=2, verbose=0, callbacks=[keep, Logs()]).history
    assert [np.asarray(ops.convert_to_numpy(value)).tolist() for value in history["more"]] == [[1.0, 2.0]] * 2


@pytest.mark.parametrize("make_callback", [callbacks.BackupAndRestore, callbacks.ModelCheckpoint])
def test_chunks_end_where_it_is_time(backend: Backend, tmp_path: Path, make_callback: Any) -> None:
    ends: list[int] = []

    class Ends(callbacks.Callback):
        per_chunk = True

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            ends.append(batch + 1)

    x, y = data(200, 3), data(200, 1)
    model = make()
    model.fit(x, y, 4, 2, 0)
    expected = make()
    expected.fit(x, y, 4, 2, 0)
    keras.utils.set_random_seed(0)
    model.fit(x, y, 4, 2, 0, [make_callback(tmp_path / "{epoch}-{batch}.npz", save_freq=12), Ends()])
    keras.utils.set_random_seed(0)
    expected.fit(x, y, 4, 2, 0)
    assert state(model) == state(expected)
    second = ends.index(50) + 1
    assert {12, 24, 36, 48} <= set(ends[:second])
    assert {10, 22, 34, 46} <= set(ends[second:])  # two steps of the first epoch count
    if backend.execution.compiles:
        assert len(ends) < 50
    if make_callback is callbacks.ModelCheckpoint:
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {f"1-{b}.npz" for b in (12, 24, 36, 48)} | {f"2-{b}.npz" for b in (10, 22, 34, 46)}


@pytest.mark.parametrize("make_callback", [callbacks.BackupAndRestore, callbacks.ModelCheckpoint])
def test_a_run_that_goes_on_has_its_own_save_freq(tmp_path: Path, make_callback: Any) -> None:
    first = make_callback(tmp_path / "x{epoch}.npz", save_freq=5)
    second = make_callback(tmp_path / "x{epoch}.npz", save_freq=3)
    second.set_state(first.get_state())
    assert (second.save_freq, second.every, second.next_stop(0)) == (3, 3, 3)


@pytest.mark.parametrize("validates", [False, True])
def test_threads_end_where_leaving_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validates: bool) -> None:
    def leave(self: Any) -> None:
        raise Cut

    monkeypatch.setattr(callbacks.BackupAndRestore, "_leave", leave)
    closed: list[Any] = []
    monkeypatch.setattr(StreamSource, "close", lambda self: closed.append(self))
    validation = {"validation_data": Batches()} if validates else {}
    with pytest.raises(Cut):
        make().fit(Batches(), epochs=1, verbose=0, callbacks=callbacks.BackupAndRestore(tmp_path), **validation)
    assert len(closed) == 1 + validates


def test_a_state_that_could_not_be_read(tmp_path: Path) -> None:
    keep = start(tmp_path)
    before = (tmp_path / "latest.npz").read_bytes()
    notes = Notes(shared=[[]] * 2**20)
    with pytest.raises(SavedFileError, match="at most 1048576 are read") as caught:
        make().fit(X, Y, 4, 3, 0, [keep, notes])
    assert "The longest text is the state of Notes: " in caught.value.__notes__[0]
    assert (tmp_path / "latest.npz").read_bytes() == before


# ---- files and arguments ---------------------------------------------------------------------------------------------


def start(folder: Path, cut: CutAt | None = None, save_freq: Any = "epoch", **kwargs: Any) -> Any:
    """Leave a backup of a run of three epochs that was cut in the second one."""
    keep = callbacks.BackupAndRestore(folder, save_freq, **kwargs)
    with pytest.raises(Cut):
        make().fit(X, Y, 4, 3, 0, [keep, cut or CutAt(3, 1)])
    return keep


def test_other_arguments_within_an_epoch(tmp_path: Path) -> None:
    keep = start(tmp_path, save_freq=2, cut=CutAt(4, 1))
    before = (tmp_path / "latest.npz").read_bytes()
    with pytest.raises(ValueError, match=r"epoch 2, after 3 of its steps, with batch_size=4, now 6; steps=9, now 6\."):
        make().fit(X, Y, 6, 3, 0, keep)
    with pytest.raises(
        ValueError, match=r"epochs=1 is less than that\. Pass more epochs\. Or remove .* to start again"
    ):
        make().fit(X, Y, 4, 1, 0, keep)
    with pytest.raises(ValueError, match=r"initial_epoch=2 lies after that\. Pass the `initial_epoch` of that run: 0"):
        make().fit(X, Y, 4, 3, 0, keep, initial_epoch=2)
    with pytest.raises(ValueError, match="one BackupAndRestore; received several"):
        make().fit(X, Y, 4, 3, 0, [keep, callbacks.BackupAndRestore(tmp_path / "other")])
    assert (tmp_path / "latest.npz").read_bytes() == before


def test_other_arguments_between_epochs(tmp_path: Path) -> None:
    keep = start(tmp_path)
    with pytest.warns(UserWarning, match="batch_size=4, now 6; steps=9, now 6. The new values are used"):
        history = make().fit(X, Y, 6, 3, 0, keep)
    assert history.epoch == [0, 1, 2]


def test_another_model(backend: Backend, tmp_path: Path) -> None:
    keep = start(tmp_path)
    model = make(units=6)
    before = model.get_weights()
    message = (
        r"weights: .*it had .*dense/kernel of shape \(3, 5\), now .*dense/kernel of \(3, 6\)\. Train the same model"
    )
    with pytest.raises(SavedFileError, match=message):
        model.fit(X, Y, 4, 3, 0, keep)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    with pytest.raises(SavedFileError, match=r"optimizer: the earlier run had \d+ arrays, this one has 20\."):
        make(keras.optimizers.Adam(amsgrad=True)).fit(X, Y, 4, 3, 0, keep)
    with pytest.raises(
        SavedFileError, match=r"optimizer: the earlier run had \['Adam'\], this one has \['SGD'\]\. Train the"
    ):
        make("sgd").fit(X, Y, 4, 3, 0, keep)
    assert len(make().fit(X, Y, 4, 3, 0, keep).epoch) == 3


def test_other_dtypes(tmp_path: Path) -> None:
    def fit(dtype: str) -> None:
        model = keras.Sequential([keras.Input((3,)), layers.Dense(1, dtype=dtype)])
        model.compile("sgd", "mse")
        model.fit(X, Y, 4, 2, 0, [callbacks.BackupAndRestore(tmp_path), CutAt(None, 1)])

    with pytest.raises(Cut):
        fit("float32")
    with pytest.raises(SavedFileError, match=r"it had .*/kernel of dtype float32, now .*/kernel of float64\."):
        fit("float64")


def test_nothing_is_trained_where_it_does_not_fit(backend: Backend, tmp_path: Path) -> None:
    """Of a model that makes variables in its first step, and so is known only then."""

    class Late(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            if not late:
                late.append(keras.Variable(np.zeros(size, "float32"), trainable=False))
            late[0].assign_add(late[0] * 0 + 1)
            return super().train_step(data)

    def model() -> Any:
        keras.utils.set_random_seed(7)
        late.clear()
        made = Late([keras.Input((3,)), layers.Dense(1)])
        made.compile("sgd", "mse")
        return made

    late: list[Any] = []
    size = 2
    with pytest.raises(Cut):
        model().fit(X, Y, 4, 2, 0, [callbacks.BackupAndRestore(tmp_path), CutAt(None, 1)])
    size = 3
    other = model()
    before = [value.copy() for value in other.get_weights()]
    with pytest.raises(SavedFileError, match="steps: .* of shape"):
        other.fit(X, Y, 4, 2, 0, callbacks.BackupAndRestore(tmp_path))
    assert all((a == b).all() for a, b in zip(before, other.get_weights(), strict=True))


def test_other_metrics_between_epochs(tmp_path: Path) -> None:
    keep = start(tmp_path)
    model = make()
    model.compile("adam", "mse", metrics=["mae", "mape"])
    history = model.fit(X, Y, 4, 3, 0, keep).history
    assert {name: len(values) for name, values in history.items()} == {"loss": 3, "mae": 3, "mape": 2}


def test_a_backup_that_is_kept(tmp_path: Path) -> None:
    keep = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    first = make()
    history = first.fit(X, Y, 4, 2, 0, keep)
    again = make()
    assert again.fit(X, Y, 4, 2, 0, keep).history == history.history  # at once
    assert state(again) == state(first)
    whole = make()
    whole.fit(X, Y, 4, 5, 0)
    longer = make()
    assert longer.fit(X, Y, 4, 5, 0, keep).epoch == [0, 1, 2, 3, 4]
    assert state(longer) == state(whole)


def test_a_run_that_had_stopped(tmp_path: Path) -> None:
    def stopping() -> Any:
        return callbacks.EarlyStopping("loss", patience=0, baseline=-1.0, min_delta=1e9, restore_best_weights=True)

    keep = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    whole = make()
    history = whole.fit(X, Y, 4, 5, 0, [keep, stopping()])
    assert len(history.epoch) < 5
    again = make()
    assert again.fit(X, Y, 4, 5, 0, [keep, stopping()]).history == history.history
    assert state(again) == state(whole)


def test_damaged_files(tmp_path: Path) -> None:
    keep = start(tmp_path, double_checkpoint=True, cut=CutAt(3, 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest.npz", "previous.npz"]
    latest = tmp_path / "latest.npz"
    latest.write_bytes(latest.read_bytes()[:-100])
    whole = make()
    history = whole.fit(X, Y, 4, 3, 0)
    resumed = make()
    with pytest.warns(UserWarning, match=r"latest\.npz: .* The state before that one is taken, from .*previous\.npz"):
        assert resumed.fit(X, Y, 4, 3, 0, keep).history == history.history
    assert state(resumed) == state(whole)
    start(tmp_path / "third", double_checkpoint=True, cut=CutAt(3, 2))
    latest, previous = tmp_path / "third" / "latest.npz", tmp_path / "third" / "previous.npz"
    latest.write_bytes(b"not this")
    good = previous.read_bytes()
    with pytest.warns(UserWarning, match="The state before that one is taken"):
        start(tmp_path / "third", double_checkpoint=True, cut=CutAt(None, 2))
    assert previous.read_bytes() == good  # the damaged state was not moved over it
    start(tmp_path / "single")
    latest = tmp_path / "single" / "latest.npz"
    latest.write_bytes(b"not this")
    with pytest.raises(SavedFileError, match=r"latest\.npz: is not a \.npz file: it is not a zip archive"):
        make().fit(X, Y, 4, 3, 0, callbacks.BackupAndRestore(tmp_path / "single"))


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    make().fit(X, Y, 4, 1, 0, callbacks.BackupAndRestore(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_other_formats_are_refused(tmp_path: Path) -> None:
    files = BackupFiles(tmp_path)
    files.write({"format": 99}, {})
    with pytest.raises(SavedFileError, match="a backup of format 1 was expected; received 99"):
        files.read()


@pytest.mark.parametrize("save_freq", [0, -1, "batch", 1.5, True])
def test_refused_arguments(save_freq: Any) -> None:
    with pytest.raises(ValueError, match="BackupAndRestore: `save_freq` must be a positive int"):
        callbacks.BackupAndRestore("folder", save_freq)
    with pytest.raises(ValueError, match="`backup_dir` must name a folder"):
        callbacks.BackupAndRestore("")


# ---- signals ---------------------------------------------------------------------------------------------------------


class Signals(callbacks.Callback):
    """Sends a signal to its own process in the middle of a hook."""

    per_chunk = True

    def __init__(self, hook: str, number: int, count: int = 2) -> None:
        super().__init__()
        self._left, self._number = count, number
        setattr(self, f"on_{hook}", self._called)

    def get_state(self) -> dict[str, Any]:
        """It is for one process."""
        return {}

    def _called(self, *args: Any, **kwargs: Any) -> None:
        self._left -= 1
        if self._left == 0:
            signal.raise_signal(self._number)


@pytest.fixture
def ending() -> Iterator[list[int]]:
    """SIGTERM ends the program as `sys.exit` does."""
    seen: list[int] = []

    def end(number: int, frame: Any) -> None:
        seen.append(number)
        raise SystemExit(3)

    before = signal.signal(signal.SIGTERM, end)
    yield seen
    assert signal.getsignal(signal.SIGTERM) is end
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("hook", ["train_batch_begin", "test_batch_begin", "test_begin", "epoch_end", "epoch_begin"])
def test_sigterm_is_answered_after_a_backup(backend: Backend, hook: str, tmp_path: Path, ending: list[int]) -> None:
    def fit(model: Any, more: list[Any]) -> Any:
        return model.fit(X, Y, 4, 4, 0, more, validation_data=(X[:6], Y[:6]))

    whole = make()
    history = fit(whole, []).history
    with pytest.raises(SystemExit):
        fit(make(), [callbacks.BackupAndRestore(tmp_path, False), Signals(hook, signal.SIGTERM)])
    assert ending == [signal.SIGTERM]
    resumed = make()
    assert fit(resumed, [callbacks.BackupAndRestore(tmp_path, False)]).history == history
    assert state(resumed) == state(whole)


@pytest.mark.parametrize("done", [0, 1])
def test_an_interrupt_says_what_may_be_lost(backend: Backend, monkeypatch: pytest.MonkeyPatch, done: int) -> None:
    """Nothing before the first step is traced; from then on what is donated, by a second Ctrl-C for instance."""
    model, runs = make(), 0
    compile_steps = type(backend).compile_steps

    def interrupted(self: Backend, *args: Any) -> Any:
        run = compile_steps(self, *args)

        def counted(*args: Any) -> Any:
            nonlocal runs
            runs += 1
            if runs > done:
                raise KeyboardInterrupt
            return run(*args)

        return counted

    monkeypatch.setattr(type(backend), "compile_steps", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        model.fit(X, Y, 4, 1, 0)
    noted = any("Load them again" in note for note in getattr(caught.value, "__notes__", []))
    assert noted == (done > 0 and backend.execution.donates)


def test_sigterm_at_the_very_end(tmp_path: Path, ending: list[int]) -> None:
    with pytest.raises(SystemExit):
        make().fit(X, Y, 4, 1, 0, [callbacks.BackupAndRestore(tmp_path), Signals("train_end", signal.SIGTERM, 1)])
    assert ending == [signal.SIGTERM]


def test_a_handler_may_let_training_go_on(tmp_path: Path) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        keep = callbacks.BackupAndRestore(tmp_path, False, delete_checkpoint=False)
        history = make().fit(X, Y, 4, 2, 0).history
        assert make().fit(X, Y, 4, 2, 0, [keep, Signals("train_batch_begin", signal.SIGTERM)]).history == history
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]
    assert (tmp_path / "latest.npz").exists()
