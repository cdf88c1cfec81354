"""Layers that take texts, and those of tables, on every backend: calls, maps over data sets, models, data to adapt to."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import layers as L
from polykeras import ops
from polykeras.backend import Backend
from polykeras.layers.preprocessing.hashes import fingerprint, keyed

tensorflow = pytest.mark.skipif(not find_spec("tensorflow"), reason="TensorFlow is not installed")
torch = pytest.mark.skipif(not find_spec("torch"), reason="PyTorch is not installed")

TEXTS = np.array(["to be, or", "NOT to be", "", "É é"])


def host(x: Any) -> list[Any]:
    return np.asarray(ops.convert_to_numpy(x)).tolist()


def adapted(**options: Any) -> L.TextVectorization:
    layer = L.TextVectorization(**options)
    layer.adapt(TEXTS)
    return layer


def test_texts_become_arrays_of_the_backend(backend: Backend) -> None:
    layer = adapted()
    assert layer.get_vocabulary() == ["", "[UNK]", "to", "be", "é", "É", "or", "not"]
    expected = [[2, 3, 6], [7, 2, 3], [0, 0, 0], [5, 4, 0]]
    for texts in (TEXTS, TEXTS.tolist(), TEXTS[:, None], TEXTS.astype(object), np.char.encode(TEXTS, "utf-8")):
        result = layer(texts)
        assert backend.is_tensor(result)
        assert host(result) == expected
    assert host(adapted(output_mode="count")(["be be", "x"])) == [[0, 0, 2, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]]


def test_ragged_rows_keep_their_lengths(backend: Backend) -> None:
    rows = adapted(ragged=True)(TEXTS)
    assert [row.tolist() for row in rows] == [[2, 3, 6], [7, 2, 3], [], [5, 4]]
    rows = adapted(ragged=True, output_sequence_length=1)(TEXTS)
    assert [row.tolist() for row in rows] == [[2], [7], [], [5]]
    assert host(L.StringLookup(vocabulary=["a"], output_mode="count")([["a", "a"], [], ["b"]])) == [
        [0, 2],
        [0, 0],
        [1, 0],
    ]


def test_places_become_texts(backend: Backend) -> None:
    layer = L.StringLookup(vocabulary=["a", "é"], mask_token="", invert=True)
    result = layer(ops.convert_to_tensor([[0, 1], [2, 3]], "int32"))
    assert isinstance(result, np.ndarray)
    assert result.tolist() == [["", "[UNK]"], ["a", "é"]]


def test_functions_of_the_user_get_texts(backend: Backend) -> None:
    def standardize(x: Any) -> Any:
        assert x.dtype.kind == "U"
        return np.char.replace(x, "to", "two")

    layer = L.TextVectorization(standardize=standardize, split=lambda x: [text.split(" ") for text in x])
    layer.adapt(TEXTS)
    assert set(layer.get_vocabulary()) == {"", "[UNK]", "two", "be,", "or", "NOT", "be", "É", "é"}


def test_large_integers_are_exact(backend: Backend) -> None:
    layer = L.IntegerLookup(vocabulary=[2**40, 2**40 + 1])
    assert host(layer(np.array([2**40 + 1, 2**40, 0, 2**40 + 2]))) == [2, 1, 0, 0]
    assert host(L.Hashing(9)(np.array([2**40]))) == [fingerprint(b"1099511627776") % 9]


# ---- data to adapt to ----------------------------------------------------------------------------------------------


class Batches(polykeras.utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return TEXTS[2 * index : 2 * index + 2], np.zeros(2)


def generated() -> Iterator[np.ndarray]:
    yield from (TEXTS[:3], TEXTS[3:])


@pytest.mark.parametrize("kind", ["list", "array", "generator", "PyDataset", "tf.data", "DataLoader", "pairs"])
def test_adapting_to_all_kinds_of_data(kind: str, backend: Backend) -> None:
    data: Any
    if kind == "tf.data":
        tf = pytest.importorskip("tensorflow")
        data = tf.data.Dataset.from_tensor_slices(TEXTS).batch(3)
    elif kind in ("DataLoader", "pairs"):
        utils = pytest.importorskip("torch.utils.data")
        items = TEXTS.tolist() if kind == "DataLoader" else [(text, 1) for text in TEXTS.tolist()]
        data = utils.DataLoader(items, batch_size=3)
    else:
        data = {"list": TEXTS.tolist(), "array": TEXTS, "generator": generated(), "PyDataset": Batches()}[kind]
    layer = L.TextVectorization()
    layer.adapt(data)
    assert layer.get_vocabulary() == adapted().get_vocabulary()


def test_steps_end_a_stream() -> None:
    def endless() -> Iterator[list[str]]:
        while True:
            yield ["a b", "b"]

    layer = L.TextVectorization(output_mode="tf_idf")
    layer.adapt(endless(), steps=3)
    assert layer.get_vocabulary() == ["[UNK]", "b", "a"]
    # six documents, of which six hold b and three hold a
    np.testing.assert_allclose(layer._lookup_layer.idf_weights[1:], np.log([1 + 6 / 7, 1 + 6 / 4]), rtol=1e-6)


# ---- maps over data sets -------------------------------------------------------------------------------------------


@tensorflow
@pytest.mark.together
def test_maps_over_tf_data(backend: Backend) -> None:
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices(TEXTS).batch(3)
    layer = adapted(output_sequence_length=4)
    mapped = data.map(layer)
    assert mapped.element_spec.shape.as_list() == [None, 4]
    assert [b.tolist() for b in mapped.as_numpy_iterator()] == [host(layer(TEXTS[:3])), host(layer(TEXTS[3:]))]
    lookup = L.StringLookup(vocabulary=["to"], output_mode="multi_hot")
    counted = data.map(lambda x: lookup(tf.strings.split(x)))  # ragged rows
    assert np.concatenate(list(counted.as_numpy_iterator())).tolist() == [[1, 1], [1, 1], [0, 0], [1, 0]]
    names = L.StringLookup(vocabulary=["to"], invert=True)
    back = tf.data.Dataset.from_tensor_slices(np.array([1, 0])).map(names)
    assert list(back.as_numpy_iterator()) == [b"to", b"[UNK]"]


@tensorflow
@pytest.mark.together
@pytest.mark.parametrize(
    "make",
    [
        lambda: L.CategoryEncoding(4),
        lambda: L.Discretization([1.0, 2.5], output_mode="one_hot"),
        lambda: L.IntegerLookup(vocabulary=[3, 1]),
        lambda: L.Hashing(5, output_mode="count"),
        lambda: L.Rescaling(0.5, 1.0),
        lambda: L.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0]),
    ],
)
def test_numbers_are_mapped_on_every_backend(make: Any, backend: Backend) -> None:
    import tensorflow as tf

    x = np.array([[0, 1], [3, 3], [2, 1]], "int32")
    layer = make()
    expected = host(layer(x))
    data = tf.data.Dataset.from_tensor_slices(x)
    assert np.concatenate(list(data.batch(2).map(layer).as_numpy_iterator())).tolist() == expected
    assert np.concatenate(list(data.batch(3).map(lambda a: layer(a)).as_numpy_iterator())).tolist() == expected


# ---- models --------------------------------------------------------------------------------------------------------


def test_symbolic_shapes(backend: Backend) -> None:
    x = L.Input((), dtype="string")
    assert x.dtype == "string"
    y = adapted()(x)
    assert (y.shape, y.dtype) == ((None, None), "int64")
    y = adapted(output_mode="tf_idf")(x)
    assert (y.shape, y.dtype) == ((None, 7), "float32")
    words = L.Input((2,), dtype="string")
    assert L.StringLookup(vocabulary=["a"], output_mode="one_hot")(words).shape == (None, 2, 2)
    assert L.StringLookup(vocabulary=["a"], invert=True)(L.Input((2,), dtype="int32")).dtype == "string"


def text_model() -> polykeras.Model:
    x = L.Input((), dtype="string")
    y = L.Embedding(8, 3)(adapted(output_sequence_length=4)(x))
    return polykeras.Model(x, L.Dense(1)(L.GlobalAveragePooling1D()(y)))


def test_a_model_of_texts_is_called(backend: Backend) -> None:
    model = text_model()
    result = host(model(TEXTS))
    by_hand = TEXTS
    for layer in model.layers[1:]:
        by_hand = layer(by_hand)
    assert result == host(by_hand)
    sequential = polykeras.Sequential([L.Input((1,), dtype="string"), adapted(output_mode="tf_idf"), L.Dense(2)])
    assert np.shape(host(sequential(TEXTS[:, None]))) == (4, 2)


def test_files_hold_the_vocabulary(backend: Backend, tmp_path: Path) -> None:
    model = text_model()
    model.save(tmp_path / "model.keras")
    twin = polykeras.saving.load_model(tmp_path / "model.keras")
    assert host(twin(TEXTS)) == host(model(TEXTS))
    for weights in ({}, {"output_mode": "tf_idf"}):
        model = polykeras.Sequential([L.Input((1,), dtype="string"), adapted(**weights)])
        model.save(tmp_path / "model.keras")
        twin = polykeras.saving.load_model(tmp_path / "model.keras")
        assert host(twin(TEXTS[:, None])) == host(model(TEXTS[:, None]))


def test_a_file_cannot_ask_for_another_one(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a\nb\n")
    layer = L.StringLookup(vocabulary=["a"])
    model = polykeras.Sequential([L.Input((1,), dtype="string"), layer])
    config = layer.get_config() | {"vocabulary": str(secret), "vocabulary_size": None}
    layer.get_config = lambda: config  # type: ignore[method-assign]
    model.save(tmp_path / "model.keras")
    with pytest.raises(polykeras.saving.SavedFileError, match="secret.*safe_mode"):
        polykeras.saving.load_model(tmp_path / "model.keras")
    trusted = polykeras.saving.load_model(tmp_path / "model.keras", safe_mode=False)
    assert trusted.layers[0].get_vocabulary() == ["[UNK]", "a", "b"]


# ---- mistakes ------------------------------------------------------------------------------------------------------


def test_mistakes_are_told() -> None:
    with pytest.raises(TypeError, match="Expected a string; received 3"):
        L.StringLookup(vocabulary=["a"])(np.array([3]))
    with pytest.raises(RuntimeError, match="no vocabulary yet"):
        L.StringLookup(output_mode="count")(np.array(["a"]))
    with pytest.raises(ValueError, match="nothing to adapt"):
        L.StringLookup(vocabulary=["a"]).adapt(["b"])
    with pytest.raises(ValueError, match=r"\(batch,\) or \(batch, 1\)"):
        adapted()(np.array([["a", "b"]]))
    with pytest.raises(ValueError, match="one_hot needs rows of equal length"):
        L.StringLookup(vocabulary=["a"], output_mode="one_hot")([["a"], ["b", "c"]])
    with pytest.raises(ValueError, match="no boundaries yet"):
        L.Discretization(num_bins=3)([1.0])
    with pytest.raises(ValueError, match="sparse outputs are not supported"):
        L.StringLookup(sparse=True, output_mode="count")
    with pytest.raises(RuntimeError, match="cannot become 3"):
        layer = L.StringLookup(output_mode="count")
        layer.adapt(["a"])
        layer.adapt(["a", "b"])


# ---- hashes --------------------------------------------------------------------------------------------------------


def test_published_hashes() -> None:
    # Aumasson and Bernstein (2012), appendix A: the bytes 0 to 14 under the key of the bytes 0 to 15.
    key = [int.from_bytes(bytes(range(i, i + 8)), "little") for i in (0, 8)]
    assert keyed(bytes(range(15)), key) == 0xA129CA6149BE45E5
    # TensorFlow's documentation of `tf.strings.to_hash_bucket_fast`, and of `tf.fingerprint`'s kernel for no bytes.
    assert [fingerprint(s.encode()) % 3 for s in ("Hello", "TensorFlow", "2.x")] == [0, 2, 2]


LENGTHS = (*range(1, 70), 127, 128, 129, 500)


@pytest.mark.needs("tensorflow")
def test_hashes_are_those_of_tensorflow() -> None:
    import tensorflow as tf

    rng = np.random.default_rng(0)
    values = [b"", *(rng.bytes(n) for n in LENGTHS)]
    expected = tf.strings.to_hash_bucket_fast(values, 2**62).numpy()
    assert [fingerprint(v) % 2**62 for v in values] == expected.tolist()
    expected = tf.strings.to_hash_bucket_strong(values, 2**62, key=[7, 2**50]).numpy()
    assert [keyed(v, [7, 2**50]) % 2**62 for v in values] == expected.tolist()


# ---- training on texts ---------------------------------------------------------------------------------------------


def mixed_model() -> polykeras.Model:
    """A model of texts, words and numbers."""
    texts, word, number = (
        L.Input((), dtype="string", name="texts"),
        L.Input((1,), dtype="string", name="word"),
        L.Input((2,), name="number"),
    )
    found = [L.Flatten()(L.Embedding(8, 2)(adapted(output_sequence_length=3)(texts)))]
    found += [L.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(word), number]
    return polykeras.Model([texts, word, number], L.Dense(1)(L.Concatenate()(found)))


NUMBERS = np.arange(8, dtype="float32").reshape(4, 2)
WORDS = np.array([["a"], ["b"], ["c"], ["a"]])


def test_models_are_trained_on_texts(backend: Backend) -> None:
    model = mixed_model()
    model.compile(polykeras.optimizers.SGD(0.01), "mse")
    x, y = [TEXTS, WORDS, NUMBERS], np.array([[1.0], [2.0], [3.0], [4.0]])
    before = model.predict(x, verbose=0)
    np.testing.assert_allclose(before, host(model(x)), rtol=1e-5)
    history = model.fit(x, y, batch_size=2, epochs=3, verbose=0, validation_data=(x, y)).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    named = {"texts": TEXTS, "word": WORDS.tolist(), "number": NUMBERS}
    np.testing.assert_allclose(model.predict(named, verbose=0), host(model(x)), rtol=1e-5)
    lists = [TEXTS.tolist(), WORDS.tolist(), NUMBERS]
    np.testing.assert_allclose(model.predict(lists, verbose=0), host(model(x)), rtol=1e-5)
    np.testing.assert_allclose(model.predict_on_batch(x), host(model(x)), rtol=1e-5)
    assert np.isfinite(model.train_on_batch(x, y))


class Pairs(polykeras.utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        rows = slice(2 * index, 2 * index + 2)
        return TEXTS[rows], np.ones((2, 1), "float32")


@pytest.mark.parametrize("kind", ["generator", "PyDataset", "tf.data", "DataLoader"])
def test_models_are_trained_on_streams_of_texts(kind: str, backend: Backend) -> None:
    model = text_model()
    model.compile("sgd", "mse")
    data: Any
    if kind == "tf.data":
        tf = pytest.importorskip("tensorflow")
        data = tf.data.Dataset.from_tensor_slices((TEXTS, np.ones((4, 1), "float32"))).batch(2)
    elif kind == "DataLoader":
        utils = pytest.importorskip("torch.utils.data")
        data = utils.DataLoader([(text, np.ones(1, "float32")) for text in TEXTS.tolist()], batch_size=2)
    elif kind == "PyDataset":
        data = Pairs()
    else:
        data = (Pairs()[i % 2] for i in range(6))
    epochs = {"steps_per_epoch": 2} if kind == "generator" else {}
    history = model.fit(data, epochs=3, verbose=0, **epochs).history["loss"]
    assert len(history) == 3
    assert history[-1] < history[0]
    if kind != "generator":
        assert model.evaluate(data, verbose=0) == pytest.approx(
            model.evaluate(TEXTS, np.ones((4, 1)), verbose=0), rel=1e-5
        )


def test_a_sequential_model_of_texts(backend: Backend, tmp_path: Path) -> None:
    model = polykeras.Sequential([L.Input((1,), dtype="string"), adapted(output_mode="tf_idf"), L.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(TEXTS[:, None], np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    twin = polykeras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        twin.predict(TEXTS[:, None], verbose=0), model.predict(TEXTS[:, None], verbose=0), rtol=1e-6
    )


def test_weights_before_texts_are_refused() -> None:
    word = L.Input((1,), dtype="string")
    number = L.Discretization([0.0])(L.Dense(1)(L.Input((1,), name="number")))
    crossed = L.HashedCrossing(4)([word, number])
    with pytest.raises(ValueError, match=r"\['dense.*could not be trained"):
        polykeras.Model([word, number.history[0].input_tensors[0].history[0].input_tensors[0]], crossed)
