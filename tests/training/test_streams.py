"""Data that come batch by batch: no batch is lost, skipped or fetched in vain, and threads end."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, layers
from polykeras.backend import Backend
from polykeras.training.data import PyDataset
from polykeras.training.data.reader import THREAD_NAME
from polykeras.training.data.sources import make_source
from polykeras.training.steps import CompiledStep

X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


class Watched(Sequential):
    """A linear model that remembers the first input of each batch it was trained on."""

    def __init__(self) -> None:
        super().__init__([layers.Dense(1, input_dim=3, kernel_initializer="ones")])
        self.seen: list[float] = []

    def train_step(self, data: Any) -> Any:
        logs = super().train_step(data)
        if isinstance(self.seen, list):
            self.seen.append(float(polykeras.ops.convert_to_numpy(data[0])[0, 0]))
        return logs


def watched(**kwargs: Any) -> Watched:
    """Return the model, run eagerly: its step sees the data."""
    model = Watched()
    model.compile(polykeras.optimizers.SGD(0.01), "mse", run_eagerly=True, **kwargs)
    return model


def linear() -> Sequential:
    """Return a compiled linear model."""
    model = Sequential([layers.Dense(1, input_dim=3, kernel_initializer="ones")])
    model.compile(polykeras.optimizers.SGD(0.01), "mse")
    return model


def batch(i: int, size: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Return batch `i` of the data."""
    return X[i * size : (i + 1) * size], Y[i * size : (i + 1) * size]


def numbers(model: Watched) -> list[int]:
    """Return the numbers of the batches that a model saw."""
    firsts = [float(batch(i)[0][0, 0]) for i in range(6)]
    return [firsts.index(value) for value in model.seen]


def readers() -> list[threading.Thread]:
    """Return the threads that read ahead, after a moment in which they may end."""
    gc.collect()
    for _ in range(50):
        alive = [t for t in threading.enumerate() if t.name == THREAD_NAME]
        if not alive:
            break
        time.sleep(0.02)
    return alive


# ---- generators --------------------------------------------------------------------------------------------------


def test_a_generator_is_asked_for_what_is_used_and_no_more(backend: Backend) -> None:
    asked = []

    def generate() -> Iterator[Any]:
        for i in range(6):
            asked.append(i)
            yield batch(i)

    source, model = generate(), watched()
    model.fit(source, steps_per_epoch=2, epochs=2, verbose=0)
    assert asked == [0, 1, 2, 3]
    model.fit(source, steps_per_epoch=2, epochs=1, verbose=0)  # goes on where the last one stopped
    assert numbers(model) == asked == [0, 1, 2, 3, 4, 5]
    assert readers() == []


def test_a_finite_generator_ends_its_epoch_and_cannot_begin_another(backend: Backend) -> None:
    model = watched()
    with pytest.raises(ValueError, match=r"gave 6 batches to the epochs before and none to this one.*steps_per_epoch"):
        model.fit((batch(i) for i in range(6)), epochs=2, verbose=0)
    assert numbers(model) == list(range(6))
    assert len(model.history.history["loss"]) == 1


@pytest.mark.parametrize("at", [0, 1, 3])
def test_an_exception_in_a_generator_comes_where_its_batch_would(backend: Backend, at: int) -> None:
    def generate() -> Iterator[Any]:
        for i in range(6):
            if i == at:
                raise OSError("no such picture")
            yield batch(i)

    model = watched()
    with pytest.raises(OSError, match="no such picture"):
        model.fit(generate(), verbose=0)
    assert numbers(model) == list(range(at))
    assert readers() == []


def test_generators_to_validate_evaluate_and_predict(backend: Backend) -> None:
    def endless() -> Iterator[Any]:
        while True:
            for i in range(6):
                yield batch(i)

    model = linear()
    history = model.fit(X, Y, validation_data=endless(), validation_steps=6, epochs=2, verbose=0).history
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
    assert model.evaluate(endless(), steps=6, verbose=0) == pytest.approx(history["val_loss"][-1], rel=1e-5)
    assert model.evaluate((batch(i) for i in range(6)), verbose=0) == pytest.approx(history["val_loss"][-1], rel=1e-5)
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(model.predict(endless(), steps=3, verbose=0), expected[:30], rtol=1e-5)
    np.testing.assert_allclose(model.predict((batch(i)[0] for i in range(6)), verbose=0), expected, rtol=1e-5)
    assert readers() == []


def test_batches_of_several_sizes(backend: Backend) -> None:
    def generate() -> Iterator[Any]:
        start = 0
        for size in (7, 7, 20, 1, 25):
            yield X[start : start + size], Y[start : start + size]
            start += size

    model = linear()
    model.optimizer.learning_rate = 0.0
    loss = model.fit(generate(), verbose=0).history["loss"][0]
    assert loss == pytest.approx(float(np.mean((X.sum(1, keepdims=True) - Y) ** 2)), rel=1e-5)
    np.testing.assert_allclose(model.predict(generate(), verbose=0), X.sum(1, keepdims=True), rtol=1e-4, atol=1e-5)


def test_batches_with_weights(backend: Backend) -> None:
    weights = np.arange(60, dtype="float32")
    model = linear()
    expected = model.evaluate(X, Y, sample_weight=weights, batch_size=10, verbose=0)
    triples = ((*batch(i), weights[i * 10 : (i + 1) * 10]) for i in range(6))
    assert model.evaluate(triples, verbose=0) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="a tuple of 4 parts"):
        model.fit(iter([(X, Y, weights, 1)]), verbose=0)
    with pytest.raises(ValueError, match="`y` must not be given if x is a generator"):
        model.fit((batch(i) for i in range(6)), Y, verbose=0)
    with pytest.raises(ValueError, match="class_weight or sample_weight, not both"):
        model.fit(iter([(X, Y, weights)]), class_weight={0: 1.0}, verbose=0)


# ---- data sets ---------------------------------------------------------------------------------------------------


class Numbered(PyDataset):
    """Six batches, with a diary."""

    def __init__(self, batches: int | None = 6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batches = batches
        self.diary: list[Any] = []

    @property
    def num_batches(self) -> int | None:
        return self.batches

    def __getitem__(self, index: int) -> Any:
        self.diary.append(index)
        time.sleep(0.002 * (index % 3))  # workers finish in another order
        return batch(index % 6)

    def on_epoch_begin(self) -> None:
        self.diary.append("begin")

    def on_epoch_end(self) -> None:
        self.diary.append("end")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_data_set_keeps_its_order(backend: Backend, workers: int) -> None:
    model = watched()
    dataset = Numbered(workers=workers, max_queue_size=4)
    model.fit(dataset, shuffle=False, epochs=2, verbose=0)
    assert numbers(model) == [0, 1, 2, 3, 4, 5] * 2
    assert sorted(map(str, dataset.diary[1:9])) == sorted(map(str, ["begin", 0, 1, 2, 3, 4, 5, "end"]))
    assert readers() == []


def test_a_data_set_is_shuffled_as_the_seed_says(backend: Backend) -> None:
    orders = []
    for _ in range(2):
        polykeras.random.set_random_seed(7)
        model = watched()
        model.fit(Numbered(), epochs=2, verbose=0)
        orders.append(numbers(model))
    assert orders[0] == orders[1]
    assert orders[0] != list(range(6)) * 2
    assert sorted(orders[0][:6]) == list(range(6))


def test_a_part_of_a_data_set_an_epoch(backend: Backend) -> None:
    model = watched()
    with pytest.warns(UserWarning, match="ran out: 4 steps of epoch 2 were asked for and 2 came"):
        model.fit(Numbered(), shuffle=False, steps_per_epoch=4, epochs=3, verbose=0)
    assert numbers(model) == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3]


def test_a_data_set_without_end(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"Numbered is endless.*steps_per_epoch"):
        linear().fit(Numbered(None), verbose=0)
    model = watched()
    model.fit(Numbered(None), steps_per_epoch=4, epochs=2, verbose=0)
    assert numbers(model) == [0, 1, 2, 3, 4, 5, 0, 1]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_exception_in_a_data_set(backend: Backend, workers: int) -> None:
    class Broken(Numbered):
        def __getitem__(self, index: int) -> Any:
            if index == 2:
                raise OSError("no such picture")
            return super().__getitem__(index)

    model = watched()
    with pytest.raises(OSError, match="no such picture"):
        model.fit(Broken(workers=workers), shuffle=False, verbose=0)
    assert numbers(model) == [0, 1]
    assert readers() == []


def test_a_data_set_says_what_it_lacks(backend: Backend) -> None:
    class Bare(PyDataset):
        pass

    with pytest.raises(NotImplementedError, match="Bare implements neither `__len__` nor `num_batches`"):
        linear().fit(Bare(), verbose=0)

    class NoItems(PyDataset):
        def __len__(self) -> int:
            return 2

    with pytest.raises(NotImplementedError, match="NoItems does not implement `__getitem__`"):
        linear().fit(NoItems(), verbose=0)


def test_any_iterable_begins_anew_each_epoch(backend: Backend) -> None:
    class Loader:
        def __iter__(self) -> Iterator[Any]:
            return (batch(i) for i in range(6))

        def __len__(self) -> int:
            raise TypeError("the length is not known")

    model = watched()
    model.fit(Loader(), epochs=2, verbose=0)
    assert numbers(model) == [0, 1, 2, 3, 4, 5] * 2


def test_tf_data(backend: Backend) -> None:
    tf = pytest.importorskip("polykeras_tensorflow.backend").tf
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(10)
    model, reference = linear(), linear()
    model.fit(dataset, epochs=2, verbose=0)
    model.fit(dataset.repeat(), epochs=1, steps_per_epoch=6, verbose=0)  # whose length is infinite
    reference.fit(X, Y, batch_size=10, epochs=3, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], reference.get_weights()[0], rtol=1e-5)


def test_arrays_of_another_framework(backend: Backend, all_backends: list[Backend]) -> None:
    reference = linear()
    reference.fit(X, Y, batch_size=20, shuffle=False, verbose=0)
    for other in all_backends:
        model = linear()
        model.fit(other.asarray(X), other.asarray(Y), batch_size=20, shuffle=False, verbose=0)
        np.testing.assert_allclose(model.get_weights()[0], reference.get_weights()[0], rtol=1e-6)
        model.fit(iter([(other.asarray(X), other.asarray(Y))]), verbose=0)
        assert model.predict(other.asarray(X), verbose=0).shape == (60, 1)


# ---- the thread that reads ahead ---------------------------------------------------------------------------------


def test_the_thread_ends_with_its_source() -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield batch(0)

    source: Any = make_source(endless(), steps=1000)
    epoch = source.read_epoch()
    for _ in range(5):
        next(epoch)
    assert len(readers()) == 1
    source.close()
    assert readers() == []
    epoch.close()
    source = make_source(endless(), steps=1000)
    next(epoch := source.read_epoch())
    del source, epoch  # or is dropped
    assert readers() == []


def test_whatever_is_raised_is_passed_on(backend: Backend) -> None:
    def interrupted() -> Iterator[Any]:
        yield batch(0)
        raise KeyboardInterrupt

    model = watched()
    with pytest.raises(KeyboardInterrupt):
        model.fit(interrupted(), verbose=0)
    assert numbers(model) == [0]
    assert readers() == []


def test_an_iterator_that_blocks_does_not_hold_up_the_end(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polykeras.training.data.streams.CLOSING_SECONDS", 0.05)
    goes_on = threading.Event()

    class Blocking:
        def __iter__(self) -> Iterator[Any]:
            yield from (batch(i) for i in range(3))
            goes_on.wait(60.0)

    class Stop(polykeras.callbacks.Callback):
        def on_train_batch_end(self, number: int, logs: Any = None) -> None:
            if number == 2:
                raise OSError("the disk is full")

    model = watched()
    with pytest.raises(OSError, match="disk"):
        model.fit(Blocking(), callbacks=[Stop()], verbose=0)
    (thread,) = [t for t in threading.enumerate() if t.name == THREAD_NAME]
    goes_on.set()
    thread.join(60.0)
    assert not thread.is_alive()


def test_an_interrupted_fit_leaves_no_thread_and_a_usable_model(backend: Backend) -> None:
    class Interrupt(polykeras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 2:
                raise KeyboardInterrupt

    def endless() -> Iterator[Any]:
        while True:
            yield batch(0)

    model = linear()
    with pytest.raises(KeyboardInterrupt):
        model.fit(endless(), steps_per_epoch=100, callbacks=[Interrupt()], verbose=0)
    assert readers() == []
    assert int(model.optimizer.iterations) == 3
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_an_error_that_is_kept_leaves_no_thread(backend: Backend, method: str) -> None:
    class Fails(polykeras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise OSError("the disk is full")

        on_test_batch_end = on_predict_batch_end = on_train_batch_end

    model = linear()
    with pytest.raises(OSError, match="disk") as kept:
        getattr(model, method)((batch(0) for _ in range(100)), callbacks=[Fails()], verbose=0)
    assert readers() == []
    assert kept.tb is not None  # and with it all that was running


def test_a_model_that_does_not_take_the_data_leaves_no_thread(backend: Backend) -> None:
    model = linear()
    for method in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match="expected") as kept:
            method((np.ones((4, 7), "float32"), np.ones((4, 1), "float32")) for _ in range(100))
        assert readers() == []
        assert kept.tb is not None


def test_scalars_cannot_be_joined(backend: Backend) -> None:
    class Mean(polykeras.Model):
        def call(self, x: Any) -> Any:
            return {"rows": x, "mean": polykeras.ops.mean(x)}

    model = Mean()
    with pytest.raises(ValueError, match=r"the output \['mean'\] is a scalar for each batch.*`predict_on_batch`"):
        model.predict(X, verbose=0)
    assert model.predict_on_batch(X)["mean"] == pytest.approx(X.mean(), rel=1e-4)


# ---- small batches run at once ---------------------------------------------------------------------------------------


def weights_after(batches: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the kernel after steps on batches, one after the other."""
    model = linear()
    for x, y in batches:
        model.train_on_batch(x, y)
    return model.get_weights()[0]


def test_the_result_is_that_of_single_steps(backend: Backend) -> None:
    batches = [batch(i) for i in range(6)] * 20
    model = linear()
    history = model.fit(iter(batches), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], weights_after(batches), rtol=1e-5)
    assert model.optimizer.iterations.numpy() == 120
    assert len(history.history["loss"]) == 1


def test_a_batch_of_another_shape_runs_by_itself(backend: Backend) -> None:
    batches = [batch(0), batch(1), batch(2, 4), batch(2), (batch(3)[0], batch(3)[1].astype("int32")), batch(4)]
    model = linear()
    model.fit(iter(batches), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], weights_after(batches), rtol=1e-5)


def test_the_batches_before_an_error_count(backend: Backend) -> None:
    def failing() -> Iterator[Any]:
        yield from (batch(i) for i in range(5))
        raise OSError("the disk is gone")

    model = linear()
    with pytest.raises(OSError, match="the disk is gone"):
        model.fit(failing(), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], weights_after([batch(i) for i in range(5)]), rtol=1e-5)


def test_a_source_may_fill_the_same_arrays_again(backend: Backend) -> None:
    x, y = (part.copy() for part in batch(0))

    def reusing() -> Iterator[Any]:
        for i in range(6):
            x[:], y[:] = batch(i)
            yield x, y

    model = linear()
    model.fit(reusing(), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], weights_after([batch(i) for i in range(6)]), rtol=1e-5)


def test_nothing_waits_for_a_slow_source(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source gives each batch only when the step before it is done: whoever waited for two would wait for ever."""
    done = threading.Semaphore(0)

    def counted(run: Any) -> Any:
        def run_and_tell(*args: Any) -> Any:
            result = run(*args)
            done.release()
            return result

        return run_and_tell

    for name in ("run_rows", "run_batch"):
        monkeypatch.setattr(CompiledStep, name, counted(getattr(CompiledStep, name)))

    def slow() -> Iterator[Any]:
        for i in range(6):
            if i and not done.acquire(timeout=60):
                raise TimeoutError(f"batch {i - 1} waits for batch {i}")
            yield batch(i)

    model = linear()
    model.fit(slow(), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], weights_after([batch(i) for i in range(6)]), rtol=1e-5)


def test_a_label_out_of_range_stops_before_its_batch(backend: Backend) -> None:
    model = Sequential([layers.Input((2,)), layers.Dense(3)])
    loss = polykeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    good = (np.ones((4, 2), "float32"), np.array([0, 1, 2, 0], "int32"))
    bad = (np.ones((4, 2), "float32"), np.array([0, 1, 3, 0], "int32"))
    with pytest.raises(ValueError, match="3"):
        model.fit(iter([good] * 5 + [bad] + [good]), verbose=0)
    assert model.optimizer.iterations.numpy() == 5


def test_a_nan_stops_before_its_batch(backend: Backend) -> None:
    model = linear()
    bad = batch(5)[0].copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"x contains nan in 1 of 10 samples \(row 3\)"):
        model.fit(iter([*(batch(i) for i in range(5)), (bad, batch(5)[1])]), verbose=0)
    assert model.optimizer.iterations.numpy() == 5


def test_batches_that_become_others_are_noticed(backend: Backend) -> None:
    """What was found out of the first batches holds for those like them alone."""
    x, y = batch(0)
    others = [(x, y), (x.astype("float64"), y), [x, y], (x, y, np.ones(10, "float32")), (x[:4], y[:4]), (x, y[:, 0])]
    model = linear()
    model.fit(iter(others), verbose=0)
    plain = [(x, y), (x, y), (x, y), (x, y), (x[:4], y[:4]), (x, y)]
    np.testing.assert_allclose(model.get_weights()[0], weights_after(plain), rtol=1e-5)
