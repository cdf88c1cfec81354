"""Leaves nothing to chance, so that runs with Keras and with polykeras can be compared, and notes the numbers of a run.

Random numbers, of initial weights too, depend on the shape alone; nothing is dropped out or shuffled. When a model is first
trained, each of its weights is scaled by its place among them, so that an order unlike Keras's shows.
"""

from __future__ import annotations

import contextlib
import glob
import math
import os
import random
import sys
from typing import Any

import numpy as np

NUMBERS: list[tuple[str, float]] = []  # what training, evaluation and prediction gave, named, in order
_draws = np.random.default_rng(0)
UNIFORM = _draws.random(65521, "float32")
NORMAL = _draws.standard_normal(65521).astype("float32")
TRUNCATED = NORMAL.clip(-2, 2)
_placed: list[Any] = []  # models whose weights were scaled


def install(polykeras: bool, script: str) -> None:
    """Fix all draws of the process from now on, those of TensorFlow where the script may use its data sets."""
    import keras

    # TensorFlow's import takes seconds.
    if any(word in script for word in ("tensorflow", "_dataset", "TextVectorization", "Lookup", "FeatureSpace")):
        of_tensorflow()
    of_polykeras() if polykeras else of_keras()
    np.random.RandomState = Still
    for module, name in ((os, "listdir"), (glob, "glob")):
        setattr(module, name, in_order(getattr(module, name)))
    keras.utils.plot_model = lambda *args, **options: None  # Keras's needs Graphviz's programs
    if "torch" in sys.modules:
        import torch.utils.data as data

        data.RandomSampler.__iter__ = lambda self: iter(range(len(self.data_source)))


def in_order(names: Any) -> Any:
    """Return a function that lists files, in alphabetical order: that of a file system is by chance."""
    return lambda *args, **options: sorted(names(*args, **options))


def of_tensorflow() -> None:
    """Fix the draws of TensorFlow, and leave its data sets in their order."""
    import tensorflow as tf

    tf.data.Dataset.shuffle = lambda self, *args, **options: self
    tf.random.normal = lambda shape, mean=0.0, stddev=1.0, dtype="float32", **_: (
        tf.cast(drawn(NORMAL, shape, tf.constant), dtype) * stddev + mean
    )
    tf.random.uniform = lambda shape, minval=0, maxval=None, dtype="float32", **_: tf.cast(
        drawn(UNIFORM, shape, tf.constant) * float((1 if maxval is None else maxval) - minval) + float(minval), dtype
    )


def seed() -> None:
    """Seed what a script itself may draw from, last before it runs: what is imported draws as well."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(0)


def drawn(numbers: np.ndarray, shape: Any, convert: Any) -> Any:
    """Return the first numbers, repeated as often as the shape needs."""
    if not hasattr(shape, "dtype") and all(isinstance(size, int) and not hasattr(size, "tensor") for size in shape):
        return convert(np.resize(numbers, tuple(map(int, shape))))
    import tensorflow as tf  # whose graphs have shapes that are tensors

    return tf.reshape(tf.gather(numbers, tf.range(tf.reduce_prod(shape)) % len(numbers)), shape)


def of_keras() -> None:
    """Fix the draws of Keras."""
    from keras.src import backend

    fix_module(backend.random)
    if backend.backend() != "tensorflow" and "tensorflow" in sys.modules:
        import keras.src.backend.tensorflow.random as of_data  # layers within tf.data draw from it

        fix_module(of_data)


def fix_module(module: Any) -> None:
    """Fix the functions of a backend's module of random numbers."""
    core = sys.modules[module.__name__.replace(".random", ".core")]
    numpy = sys.modules[module.__name__.replace(".random", ".numpy")]

    def numbers(table: np.ndarray, shape: Any, factor: Any, offset: Any, dtype: Any) -> Any:
        import keras

        return core.cast(drawn(table, shape, core.convert_to_tensor) * factor + offset, dtype or keras.config.floatx())

    def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
        return numbers(NORMAL, shape, stddev, mean, dtype)

    def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
        return numbers(TRUNCATED, shape, stddev, mean, dtype)

    def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
        return numbers(UNIFORM, shape, maxval - minval, minval, dtype)

    def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
        return core.cast(numpy.floor(numbers(UNIFORM, shape, maxval - minval, minval, "float32")), dtype)

    def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
        best = numpy.expand_dims(numpy.argmax(logits, -1), -1)
        return core.cast(numpy.repeat(best, num_samples, -1), dtype)

    fixed = (normal, truncated_normal, uniform, randint, categorical)
    vars(module).update({function.__name__: function for function in fixed})
    module.dropout = lambda inputs, rate, noise_shape=None, seed=None: core.convert_to_tensor(inputs)
    module.shuffle = lambda x, axis=0, seed=None: x


def of_polykeras() -> None:
    """Fix the draws of polykeras, within computations and of initial weights."""
    from polykeras import random as draws
    from polykeras.backend import registry
    from polykeras.initializers import random as initial
    from polykeras.initializers import variance
    from polykeras.utils.data.pipeline import Dataset

    for kind in {type(registry.current()), type(registry.load("numpy"))}:  # which maps of tf.data run on
        fix_backend(kind)
    draws.host_generator = lambda seed=None: Drawn()
    initial.truncated_normal = variance.truncated_normal = lambda generator, shape: np.resize(TRUNCATED, shape)
    Dataset.shuffle = lambda self, *args, **options: self


def fix_backend(kind: Any) -> None:
    """Fix the draws of a backend's class."""

    def numbers(table: np.ndarray) -> Any:
        return lambda self, key, shape, dtype=None: self.cast(
            drawn(table, [shape] if isinstance(shape, int) else shape, self.asarray), dtype or "float32"
        )

    def integers(self: Any, key: Any, shape: Any, minval: Any, maxval: Any) -> Any:
        uniform = kind.random_uniform(self, key, shape)
        return self.cast(self.floor(uniform * (maxval - minval) + minval), "int32")

    def categorical(self: Any, logits: Any, key: Any, num_samples: int) -> Any:
        return self.cast(self.repeat(self.argmax(logits, -1)[..., None], num_samples, -1), "int32")

    kind.random_normal, kind.random_truncated_normal, kind.random_uniform = map(numbers, (NORMAL, TRUNCATED, UNIFORM))
    kind.random_integers, kind.random_categorical = integers, categorical
    kind.random_dropout = lambda self, inputs, key, rate, noise_shape=None: inputs
    kind.random_shuffle = lambda self, x, key, axis=0: x


class Still(np.random.RandomState):
    """NumPy's older generator, which orders the files of a directory, without shuffling."""

    def shuffle(self, x: Any) -> None:
        pass


class Drawn:
    """Stands in for NumPy's generator where initial weights are drawn."""

    def standard_normal(self, shape: Any) -> np.ndarray:
        return np.resize(NORMAL, shape).astype("float64")

    def uniform(self, low: float, high: float, shape: Any) -> np.ndarray:
        return low + (high - low) * np.resize(UNIFORM, shape)

    def permutation(self, things: Any) -> np.ndarray:
        return np.arange(things) if isinstance(things, int) else np.asarray(things)


def place(model: Any, x: Any = None) -> None:
    """Scale each trainable weight of a model that is trained for the first time by its place; `x` is its data."""
    if not any(model is other for other in _placed):
        _placed.append(model)
        if not model.built:
            build(model, x)
        for place, weight in enumerate(model.weights):
            value = np.asarray(weight.numpy())
            if weight.trainable and value.dtype.kind == "f" and value.size > 1 and value.std() > 0:
                weight.assign(value * (1 + 0.02 * (place % 11 - 5)))


def build(model: Any, x: Any) -> None:
    """Call a model on its first samples, if they can be had; else its weights stay as they are when it is built later."""
    import keras

    with contextlib.suppress(Exception):
        if not isinstance(x, list | tuple | dict) and not hasattr(x, "shape"):
            x = next(iter(x))[0] if hasattr(x, "__len__") else None
        model(keras.tree.map_structure(lambda part: part[:2], x))


def note(what: str, values: Any) -> None:
    """Note numbers by name, or in order."""
    if isinstance(values, dict):
        for name, value in values.items():
            note(f"{what} {name}", value)
    elif isinstance(values, list | tuple):
        for place, value in enumerate(values):
            note(f"{what} [{place}]", value)
    elif values is not None:
        value = np.asarray(values)
        NUMBERS.extend((what, float(number)) for number in value.reshape(-1)[:5])


def note_prediction(what: str, values: Any) -> None:
    """Note what tells predictions apart."""
    if isinstance(values, dict):
        values = list(values.values())
    for place, value in enumerate(values if isinstance(values, list | tuple) else [values]):
        value = np.asarray(value).astype("float64")
        digest = {"shape": list(value.shape), "mean": value.mean(), "std": value.std(), "first": value.reshape(-1)[:5]}
        note(f"{what} [{place}]", digest)


def difference(ours: list[Any], theirs: list[Any]) -> str:
    """Return the first difference between the numbers of two runs, or nothing. Predictions are measured by their deviation."""
    spread = 0.0
    for place, ((name, value), (name2, value2)) in enumerate(zip(ours, theirs, strict=False)):
        if name != name2:
            return f"{name} where Keras has {name2}"
        if name.endswith(" mean"):
            spread = abs(theirs[place + 1][1])
        floor = spread if name.endswith((" mean", " first")) else 1e-3
        if not math.isclose(value, value2, rel_tol=1e-3, abs_tol=1e-3 * floor):
            return f"{name} is {value:.6g}, Keras's {value2:.6g}"
    return "" if len(ours) == len(theirs) else f"{len(ours)} numbers, Keras gives {len(theirs)}"
