"""Frames of pandas and polars, and sparse matrices of SciPy: `fit` and its kin take them as the arrays they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polykeras import Input, Model, Sequential, layers
from polykeras.backend import Backend
from polykeras.initializers import Constant

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32") * (np.arange(120).reshape(40, 3) % 3 > 0)
Y = X.sum(axis=1)


def pandas_frame(x: np.ndarray) -> Any:
    return pytest.importorskip("pandas").DataFrame(x, columns=list("abc"))


def polars_frame(x: np.ndarray) -> Any:
    return pytest.importorskip("polars").DataFrame(x, schema=list("abc"))


def nullable_frame(x: np.ndarray) -> Any:
    return pandas_frame(x).convert_dtypes()


def sparse(kind: str) -> Callable[[np.ndarray], Any]:
    return lambda x: getattr(pytest.importorskip("scipy.sparse"), kind)(x)


TABLES = {
    "pandas": pandas_frame,
    "pandas, nullable": nullable_frame,
    "polars": polars_frame,
    **{kind: sparse(kind) for kind in ("csr_matrix", "coo_matrix", "csc_array")},
}


def model() -> Sequential:
    made = Sequential([Input((3,)), layers.Dense(1, kernel_initializer="ones")])
    made.compile("sgd", "mse")
    return made


def run(x: Any, y: Any) -> list[Any]:
    """Return what the methods of a model give."""
    made = model()
    history = made.fit(x, y, epochs=2, batch_size=8, shuffle=False, validation_split=0.25, verbose=0).history
    results = [history["loss"], history["val_loss"], made.evaluate(x, y, verbose=0), made.predict(x, verbose=0)]
    results.append(made.fit(x, y, validation_data=(x, y), shuffle=False, verbose=0).history["val_loss"])
    return [*results, made.train_on_batch(x, y)]


@pytest.mark.parametrize("kind", TABLES)
def test_tables_are_taken_as_arrays(kind: str, backend: Backend) -> None:
    table = TABLES[kind](X)
    y = table["a"] if hasattr(table, "columns") else X[:, 0]
    for ours, expected in zip(run(table, y), run(X, X[:, 0]), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array"])
def test_sparse_targets_and_streams(kind: str, backend: Backend) -> None:
    def batches(table: Callable[[Any], Any]) -> Any:
        return ((table(X[i : i + 8]), table(X[i : i + 8, :1])) for i in range(0, 40, 8))

    losses = [model().fit(batches(make), verbose=0).history["loss"] for make in (sparse(kind), np.asarray)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.parametrize("make", [pandas_frame, polars_frame])
def test_columns_by_name(make: Callable[[np.ndarray], Any], backend: Backend) -> None:
    frame = make(X)
    inputs = {name: Input((1,), name=name) for name in "ab"}
    made = Model(inputs, layers.Dense(1)(layers.Concatenate()(list(inputs.values()))))
    made.compile("sgd", "mse")
    made.fit({name: frame[name] for name in "ab"}, frame["c"], sample_weight=abs(X[:, 0]), verbose=0)
    columns = {name: X[:, [i]] for i, name in enumerate("ab")}
    frames = {name: frame[name] for name in "ab"}
    np.testing.assert_allclose(made.predict(frames, verbose=0), made.predict(columns, verbose=0), rtol=1e-6)


def test_columns_of_several_kinds() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]})
    assert model().predict(frame, verbose=0).ravel().tolist() == pytest.approx([2.5, 3.5])
    missing = pandas.DataFrame({"a": pandas.array([1, None], dtype="Int64"), "b": [1, 2], "c": [1, 2]})
    with pytest.raises(ValueError, match="x contains nan in 1 of 2 samples"):
        model().fit(missing, np.ones(2), verbose=0)
    with pytest.raises(ValueError, match="expected numbers; received dtype object"):
        model().fit(pandas.DataFrame({"a": ["x", "y"], "b": [1, 2], "c": [1, 2]}), np.ones(2), verbose=0)


def several_inputs(text: bool) -> Any:
    """Return a model of a column of texts, or of numbers, and another one of numbers."""
    size = Input((1,), name="size")
    if text:
        colour: Any = Input((), dtype="string", name="colour")
        numbers = layers.StringLookup(vocabulary=["red", "green"])(colour)
    else:
        colour = numbers = Input((), name="colour", dtype="int32")
    table = layers.Embedding(3, 2, embeddings_initializer=Constant([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]))
    joined = layers.Concatenate()([table(numbers), size])
    made = Model([size, colour], layers.Dense(1, kernel_initializer="ones")(joined))
    made.compile("sgd", "mse")
    return made


COLOURS = ["red", "blue", "green", "red"]
SIZES = [0.5, 1.5, 2.5, 3.5]
SUMS = [1.5, 1.5, 4.5, 4.5]  # by hand: red is 1, green 2, anything else 0, and the size


def of_pandas(**kinds: Any) -> Any:
    frame = pytest.importorskip("pandas").DataFrame({"other": SIZES[::-1], "colour": COLOURS, "size": SIZES})
    return frame.astype(kinds)


def of_polars(categories: bool = False) -> Any:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"colour": COLOURS, "size": SIZES})
    return frame.with_columns(polars.col("colour").cast(polars.Categorical)) if categories else frame


TEXT_TABLES: dict[str, Callable[[], Any]] = {
    "pandas": of_pandas,
    "pandas, strings": lambda: of_pandas(colour="string"),
    "pandas, categories": lambda: of_pandas(colour="category"),
    "pandas, columns": lambda: {name: of_pandas()[name] for name in ("colour", "size")},
    "polars": of_polars,
    "polars, categories": lambda: of_polars(categories=True),
    "numpy": lambda: {"colour": np.array(COLOURS), "size": np.array(SIZES)},
    "numpy, objects": lambda: {"colour": np.array(COLOURS, object), "size": np.array(SIZES)},
}


@pytest.mark.parametrize("kind", TEXT_TABLES)
def test_columns_of_texts(kind: str, backend: Backend) -> None:
    table, made = TEXT_TABLES[kind](), several_inputs(text=True)
    np.testing.assert_allclose(made.predict(table, verbose=0).ravel(), SUMS, rtol=1e-6)
    y = np.array(SUMS, "float32")[:, None]
    assert made.evaluate(table, y, verbose=0) == pytest.approx(0, abs=1e-8)
    losses = made.fit(table, y + 1, batch_size=2, epochs=3, validation_data=(table, y), verbose=0).history["loss"]
    assert 1.1 > losses[0] > losses[-1]
    assert np.isfinite(made.train_on_batch(table, y))


def test_a_frame_for_several_inputs_of_numbers(backend: Backend) -> None:
    frame = of_pandas()
    frame["colour"] = [1, 0, 2, 1]
    np.testing.assert_allclose(several_inputs(text=False).predict(frame, verbose=0).ravel(), SUMS, rtol=1e-6)
    with pytest.raises(ValueError, match=r"The frame lacks \['size'\]; it has \['other', 'colour'\]"):
        several_inputs(text=True).fit(frame[["other", "colour"]], np.ones(4), verbose=0)
