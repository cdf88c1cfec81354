"""Where `fit` and its callbacks differ from Keras on purpose."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import polykeras
from differential.shown import Shown

X = np.arange(5, dtype="float32")[:, None] + 1.0
ZEROS = np.zeros_like(X)


def model(library: Any, optimizer: Any = None, **kwargs: Any) -> Any:
    """Return a model whose loss on a row is its square, as long as its rate is 0."""
    made = library.Sequential([library.Input((1,)), library.layers.Dense(1, kernel_initializer="ones")])
    made.compile(optimizer or library.optimizers.SGD(0.0), "mse", **kwargs)
    return made


def batches(count: int = 5) -> Iterator[Any]:
    return ((X[i : i + 1], ZEROS[i : i + 1]) for i in range(count))


class Unknown:
    """Batches that can be gone through again, without a length."""

    def __iter__(self) -> Iterator[Any]:
        return batches(4)


def of(library: Any, *args: Any, key: str = "loss", **kwargs: Any) -> list[float]:
    history = model(library).fit(*args, verbose=0, shuffle=False, **kwargs).history
    return [round(float(value), 3) for value in history[key]]


def refused(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except (ValueError, TypeError):
        return "refused"


def validations(library: Any) -> Any:
    more = {"validation_data": batches(), "validation_steps": 1}
    return of(library, X, ZEROS, epochs=2, key="val_loss", **more)


def nothing_left(library: Any) -> Any:
    return refused(lambda: of(library, batches(3), epochs=2))


def unknown_length(library: Any) -> Any:
    data: Any = Unknown()
    if library is not polykeras:  # Keras takes iterables of its own kinds alone
        import tensorflow as tf

        data = tf.data.Dataset.from_generator(
            lambda: batches(4), output_signature=(tf.TensorSpec((1, 1)), tf.TensorSpec((1, 1)))
        )
    return of(library, data, epochs=3, steps_per_epoch=2)


def warnings_of_an_end(library: Any) -> int:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        of(library, batches())
    return len(["ran out" in str(warning.message) for warning in told if warning.category is UserWarning])


def large_integers(library: Any) -> Any:
    layers = [library.Input((1,), dtype="int32"), library.layers.Embedding(2, 1, embeddings_initializer="ones")]
    made = library.Sequential(layers)
    return refused(lambda: made.predict(np.array([[2**32 + 1]]), verbose=0).shape)


def nan_in_labels(library: Any) -> Any:
    made = model(library)
    labels = np.array([np.nan, 0.0, 0.0, 0.0, 0.0], "float32")
    return refused(lambda: bool(np.isnan(made.fit(X, labels, verbose=0).history["loss"][0])))


def rows_of_a_limited_epoch(library: Any) -> int:
    rows = np.ones((100, 1), "float32")
    library.config.set_max_steps_per_epoch(1)
    try:
        return len(model(library).predict(rows, verbose=0))
    finally:
        library.config.set_max_steps_per_epoch(None)


def after_a_prediction(library: Any) -> Any:
    made = model(library, library.optimizers.SGD(0.01, use_ema=True, ema_momentum=0.5))
    for _ in range(2):
        made.train_on_batch(X, ZEROS)
    before = made.get_weights()[0]
    made.predict(X, verbose=0, callbacks=[library.callbacks.SwapEMAWeights()])
    return bool((made.get_weights()[0] == before).all())


def no_hook(library: Any) -> Any:
    return refused(lambda: hasattr(library.callbacks.LambdaCallback(on_epochs_end=print), "on_epochs_end"))


def decayed(library: Any) -> bool:
    weights = []
    for kwargs in ({}, {"decay": 1.0}):
        made = model(library, library.optimizers.SGD(0.01, **kwargs))
        made.fit(X, ZEROS, batch_size=1, shuffle=False, verbose=0)
        weights.append(float(made.get_weights()[0][0, 0]))
    return abs(weights[0] - weights[1]) > 1e-3


SHOWN: Shown = {
    "validation by a generator": (validations, [1.0, 4.0], [1.0, 1.0]),
    "nothing left of a generator": (nothing_left, "refused", [4.667, 2.5]),
    "epochs that end with data of unknown length": (unknown_length, [2.5, 12.5, 2.5], [2.5, 12.5, 12.5]),
    "a generator's end": (warnings_of_an_end, 0, 1),
    "integers beyond 32 bits": (large_integers, "refused", (1, 1, 1)),
    "nan in labels": (nan_in_labels, "refused", True),
    "batch size": (rows_of_a_limited_epoch, 32, 100),
    "after a prediction": (after_a_prediction, True, False),
    "a hook that does not exist": (no_hook, "refused", True),
    "decay": (decayed, True, False),
}
