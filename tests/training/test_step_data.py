"""What a user's own step is given: `x`, `(x, y)` or `(x, y, sample_weight)`, as in Keras, and a stream's batch as it came."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from differential import opponent
from polykeras import layers, ops
from polykeras.backend import Backend
from training.linear import X, Y

W = np.linspace(0.5, 1.5, 40, dtype="float32")
LABELS = (Y > 0).astype("int32")


def form(data: Any) -> Any:
    """Return the structure of what a step was given, with the rank of an array in its place."""
    if isinstance(data, dict):
        return {name: form(part) for name, part in data.items()}
    if isinstance(data, (tuple, list)):
        return type(data)(form(part) for part in data)
    return None if data is None else len(ops.shape(data))


class Told(keras.Sequential):
    """A linear model that notes the form of what its steps were given."""

    def __init__(self) -> None:
        super().__init__([layers.Dense(1, input_dim=3, kernel_initializer="ones")])
        self.forms: list[Any] = []

    def _note(self, data: Any) -> Any:
        if form(data) not in self.forms:
            self.forms.append(form(data))
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        x = x[0] if isinstance(x, (list, tuple)) else x["a"] if isinstance(x, dict) else x
        return x, x[:, :1] if y is None else y, weight

    def train_step(self, data: Any) -> Any:
        x, y, weight = self._note(data)

        def loss() -> Any:
            return self.compute_loss(x, ops.cast(y, "float32"), self(x, training=True), weight)

        value, gradients = keras.value_and_grad(loss, self.trainable_variables)()
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": value}

    def test_step(self, data: Any) -> Any:
        x, y, weight = self._note(data)
        return {"loss": self.compute_loss(x, ops.cast(y, "float32"), self(x), weight)}

    def predict_step(self, data: Any) -> Any:
        return self(self._note(data)[0])


def told(eagerly: bool = False) -> Told:
    model = Told()
    model.compile("sgd", "mse", run_eagerly=eagerly)
    return model


ARRAYS: dict[str, tuple[dict[str, Any], Any]] = {
    "inputs": ({"x": X}, 2),
    "labels": ({"x": X, "y": Y}, (2, 2)),
    "weights": ({"x": X, "y": Y, "sample_weight": W}, (2, 2, 1)),
    "classes": ({"x": X, "y": LABELS, "class_weight": {0: 1.0, 1: 2.0}}, (2, 2, 1)),
    "a dict": ({"x": {"a": X, "b": W}}, {"a": 2, "b": 1}),
    "a dict, labels": ({"x": {"a": X, "b": W}, "y": Y}, ({"a": 2, "b": 1}, 2)),
    "a list": ({"x": [X, W]}, ([2, 1],)),
    "a tuple": ({"x": (X, W)}, ((2, 1),)),
    "a list, labels": ({"x": [X, W], "y": Y}, ([2, 1], 2)),
}


@pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eager"])
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(backend: Backend, name: str, eagerly: bool) -> None:
    given, expected = ARRAYS[name]
    model = told(eagerly)
    model.fit(**given, batch_size=16, verbose=0)  # whose last batch has 8 rows
    assert model.forms == [expected]
    one: Any = {part: value[:4] for part, value in given.items() if isinstance(value, np.ndarray)}
    if len(one) == len(given):
        model.train_on_batch(**one)
        assert model.forms == [expected]
    if "class_weight" in given:
        return
    model = told(eagerly)
    model.evaluate(**given, batch_size=16, verbose=0)
    assert model.forms == [expected]
    if len(one) == len(given):
        model.test_on_batch(**one)
        assert model.forms == [expected]


@pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eager"])
@pytest.mark.parametrize("name", ["inputs", "a dict", "a list", "a tuple"])
def test_predictions(backend: Backend, name: str, eagerly: bool) -> None:
    given, expected = ARRAYS[name]
    model = told(eagerly)
    predicted = model.predict(given["x"], batch_size=16, verbose=0)
    assert predicted.shape == (40, 1)
    if name == "inputs":
        model.predict(X[:4], verbose=0)
        model.predict_on_batch(X[:4])
    assert model.forms == [expected]


BATCHES: dict[str, tuple[Callable[[slice], Any], Any]] = {
    "inputs": (lambda rows: X[rows], 2),
    "one part": (lambda rows: (X[rows],), (2,)),
    "labels": (lambda rows: (X[rows], Y[rows]), (2, 2)),
    "weights": (lambda rows: (X[rows], Y[rows], W[rows]), (2, 2, 1)),
    "no weights": (lambda rows: (X[rows], Y[rows], None), (2, 2, None)),
    "no labels": (lambda rows: (X[rows], None), (2, None)),
    "a dict": (lambda rows: {"a": X[rows], "b": W[rows]}, {"a": 2, "b": 1}),
    "a dict, labels": (lambda rows: ({"a": X[rows]}, Y[rows]), ({"a": 2}, 2)),
    "a list": (lambda rows: [X[rows], Y[rows]], (2, 2)),
    "nested": (lambda rows: ((X[rows], W[rows]), Y[rows]), ((2, 1), 2)),
}
ROWS = [slice(i, i + 8) for i in range(0, 36, 8)]


class Batches(keras.utils.PyDataset):
    def __init__(self, batch: Callable[[slice], Any]) -> None:
        super().__init__()
        self._batch = batch

    def __len__(self) -> int:
        return len(ROWS)

    def __getitem__(self, index: int) -> Any:
        return self._batch(ROWS[index])


def generated(batch: Callable[[slice], Any]) -> Iterator[Any]:
    yield from map(batch, ROWS)


@pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eager"])
@pytest.mark.parametrize("source", [generated, Batches], ids=["generator", "PyDataset"])
@pytest.mark.parametrize("name", BATCHES)
def test_streams(backend: Backend, name: str, source: Any, eagerly: bool) -> None:
    batch, expected = BATCHES[name]
    for run in ("fit", "evaluate", "predict"):
        model = told(eagerly)
        getattr(model, run)(source(batch), verbose=0)
        assert model.forms == [expected], run


def test_a_stream_with_weights_of_classes(backend: Backend) -> None:
    model = told()
    model.fit(Batches(lambda rows: (X[rows], LABELS[rows])), class_weight={0: 1.0, 1: 3.0}, verbose=0)
    assert model.forms == [(2, 2, 1)]


def test_batches_of_two_forms(backend: Backend) -> None:
    model = told()
    batches = [(X[rows], Y[rows], W[rows])[: 2 + i % 2] for i, rows in enumerate(ROWS * 4)]
    model.fit(iter(batches), verbose=0)
    assert model.forms == [(2, 2), (2, 2, 1)]


@pytest.mark.needs("torch")
@pytest.mark.parametrize("ready", [False, True])
def test_data_loaders(backend: Backend, ready: bool) -> None:
    from torch import from_numpy
    from torch.utils.data import DataLoader, TensorDataset

    tensors = TensorDataset(from_numpy(X), from_numpy(Y))
    pairs = [(X[i], {"y": Y[i]}) for i in range(40)]
    model = told()
    if ready:
        model.fit(DataLoader(tensors, batch_size=16), verbose=0)
        assert model.forms == [(2, 2)]
    else:
        loader = DataLoader(pairs, batch_size=16, collate_fn=lambda items: (np.stack([x for x, _ in items]),))
        model.fit(loader, verbose=0)
        assert model.forms == [(2,)]


@pytest.mark.needs("tensorflow")
def test_tf_data(backend: Backend) -> None:
    import tensorflow as tf

    for parts, expected in [(X, 2), ((X,), (2,)), ((X, Y), (2, 2)), ({"a": X}, {"a": 2}), ((X, Y, W), (2, 2, 1))]:
        model = told()
        model.fit(tf.data.Dataset.from_tensor_slices(parts).batch(16), verbose=0)
        assert model.forms == [expected]


def test_the_most_usual_step(backend: Backend) -> None:
    """As Keras's guides write it, also with a last batch that could be filled up and with the guard against nan."""

    class Usual(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            x, y = data

            def loss() -> Any:
                return self.compute_loss(y=y, y_pred=self(x, training=True))

            value, gradients = keras.value_and_grad(loss, self.trainable_variables)()
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": value}

        def test_step(self, data: Any) -> Any:
            x, y = data
            return {"loss": self.compute_loss(y=y, y_pred=self(x, training=False))}

    def trained(cls: type) -> Any:
        model = cls([layers.Dense(1, input_dim=3, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        history = model.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0, validation_data=(X[:9], Y[:9]))
        return model, history.history

    plain, expected = trained(keras.Sequential)
    for guarded in (False, True):
        keras.config.set_nan_guard(guarded)
        try:
            model, found = trained(Usual)
        finally:
            keras.config.set_nan_guard(False)
        np.testing.assert_allclose(model.get_weights()[0], plain.get_weights()[0], rtol=1e-5)
        np.testing.assert_allclose(found["val_loss"], expected["val_loss"], rtol=1e-5)


def test_the_guard_looks_into_a_step_of_ones_own(backend: Backend) -> None:
    class Root(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.sqrt(x)

    class Usual(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            x, y = data
            return super().train_step((x, y))

    model = Usual([keras.Input((3,)), Root(name="root"), layers.Dense(1)])
    model.compile("sgd", "mse")
    keras.config.set_nan_guard(True)
    try:
        with pytest.raises(FloatingPointError, match="layer 'root'"):
            model.fit(X, Y, batch_size=16, verbose=0)
    finally:
        keras.config.set_nan_guard(False)


@pytest.mark.keras
def test_keras_gives_the_same() -> None:
    theirs = opponent.keras()
    from keras.src.trainers.data_adapters import get_data_adapter

    class TheirBatches(theirs.utils.PyDataset):
        def __init__(self, batch: Any) -> None:
            super().__init__()
            self._batch = batch

        def __len__(self) -> int:
            return len(ROWS)

        def __getitem__(self, index: int) -> Any:
            return self._batch(ROWS[index])

    def first(x: Any, **kwargs: Any) -> Any:
        return form(next(iter(get_data_adapter(x, **kwargs).get_numpy_iterator())))

    for given, expected in ARRAYS.values():
        assert first(**given) == expected
    for name, (batch, expected) in BATCHES.items():
        if isinstance(expected, tuple) and name != "a list":  # of other batches it says that they must be tuples
            assert first(generated(batch)) == expected
        # It puts a single array of a PyDataset into a tuple, which it does not do with one of arrays or of tf.data.
        assert first(TheirBatches(batch)) == ((2,) if name == "inputs" else expected)


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("eagerly", [False, True])
def test_a_loss_of_ones_own_need_not_take_training(backend: Backend, eagerly: bool, guarded: bool) -> None:
    seen = []

    class Old(keras.Sequential):
        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Any:
            return 2.0 * super().compute_loss(x, y, y_pred, sample_weight)

    class New(keras.Sequential):
        def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool = True) -> Any:
            seen.append(training)
            return 2.0 * super().compute_loss(x, y, y_pred, sample_weight, training)

    keras.config.set_nan_guard(guarded)
    try:
        for cls in (Old, New):
            model = cls([layers.Dense(1, input_dim=3, kernel_initializer="zeros")])
            model.compile("sgd", "mse", run_eagerly=eagerly)
            assert model.evaluate(X, Y, verbose=0) == pytest.approx(2 * np.mean(Y**2), rel=1e-5)
            assert seen.count(True) == 0
            assert model.train_on_batch(X, Y) == pytest.approx(2 * np.mean(Y**2), rel=1e-5)
            with pytest.raises(ValueError if not guarded else (ValueError, FloatingPointError)):
                model.fit(np.full_like(X, np.nan), Y, verbose=0)
            if guarded:
                with pytest.raises(FloatingPointError):
                    model.fit(np.full_like(X, 1e30), Y, verbose=0)
    finally:
        keras.config.set_nan_guard(False)
    assert set(seen) == {False, True}


def test_streams_have_batches_of_their_own_size(backend: Backend) -> None:
    """As in Keras, which does not ask for `batch_size` there."""
    found = []
    for batch_size in (None, 7):
        model = told()
        history = model.fit(Batches(BATCHES["labels"][0]), batch_size=batch_size, shuffle=False, verbose=0).history
        history |= {"generator": model.evaluate(generated(BATCHES["labels"][0]), batch_size=batch_size, verbose=0)}
        found.append((history, len(model.predict(Batches(BATCHES["inputs"][0]), batch_size=batch_size, verbose=0))))
    assert found[0] == found[1]
    assert found[0][1] == 40
    with pytest.raises(ValueError, match="`sample_weight` must not be given"):
        told().fit(Batches(BATCHES["labels"][0]), sample_weight=W)


@pytest.mark.keras
def test_keras_does_not_ask_for_the_batch_size_of_streams() -> None:
    opponent.keras()
    from keras.src.trainers.data_adapters import get_data_adapter

    adapter = get_data_adapter(generated(BATCHES["labels"][0]), batch_size=7)
    assert len(next(iter(adapter.get_numpy_iterator()))[0]) == 8


def test_a_loss_of_ones_own_keeps_no_model_alive(backend: Backend) -> None:
    def loss_of(model: Any) -> Callable[..., Any]:
        return lambda x, y, y_pred, sample_weight: ops.mean((y - model(x)) ** 2)

    model = keras.Sequential([layers.Dense(1, input_dim=3)])
    model.compile("sgd", "mse")
    model.compute_loss = loss_of(model)
    model.fit(X, Y, verbose=0)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
