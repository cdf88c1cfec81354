"""Layers that prepare data against those of Keras: vocabularies, indices, encodings, hashes, bins, statistics, spectra."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras
from differential.opponent import keras
from polykeras import layers as L
from polykeras.backend import use_backend

pytestmark = [pytest.mark.slow, pytest.mark.keras]


@pytest.fixture(autouse=True)
def on_numpy() -> Iterator[None]:
    with use_backend("numpy"):
        yield


LETTERS = [
    "a",
    "b",
    "B",
    "É",
    "é",
    "ß",
    "水",
    "🙂",
    " ",
    "  ",
    "\t",
    "\n",
    "\x0b",
    "\u00a0",
    "\u2028",
    "'",
    "!",
    "-",
    "_",
    "’",
    "0",
]


def some_texts(seed: int, count: int, longest: int = 25) -> list[str]:
    """Texts of letters of all kinds, empty ones among them."""
    draw = random.Random(seed)
    return [""] + ["".join(draw.choices(LETTERS, k=draw.randrange(longest))) for _ in range(count - 1)]


def some_words(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices("abÉ水🙂", k=draw.choice([0, 1, 1, 2, 40]))) for _ in range(count)]


def host(x: Any) -> Any:
    """Return a result of either library as lists of numbers or texts."""
    if hasattr(x, "to_list"):
        return x.to_list()
    array = np.asarray(x)
    if array.dtype.kind in "OSU":
        return (
            [host(v) for v in array]
            if array.ndim
            else (array.item().decode() if isinstance(array.item(), bytes) else array.item())
        )
    return array


def same(ours: Any, theirs: Any, tolerance: float = 1e-6) -> None:
    ours, theirs = host(ours), host(theirs)
    if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    else:
        assert ours == theirs


def both(name: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    return getattr(L, name)(*args, **kwargs), getattr(keras().layers, name)(*args, **kwargs)


MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


# ---- lookups -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("mask", [None, ""])
@pytest.mark.parametrize("buckets", [1, 3])
@pytest.mark.parametrize("most", [None, 6, "padded"])
def test_string_lookup_adapted(mode: str, mask: str | None, buckets: int, most: Any) -> None:
    options: dict[str, Any] = (
        {"max_tokens": 40, "pad_to_max_tokens": mode != "int"} if most == "padded" else {"max_tokens": most}
    )
    ours, theirs = both("StringLookup", output_mode=mode, mask_token=mask, num_oov_indices=buckets, **options)
    data = np.array(some_words(1, 60)).reshape(20, 3)
    for layer in (ours, theirs):
        layer.adapt(data)
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    assert ours.get_vocabulary(include_special_tokens=False) == theirs.get_vocabulary(include_special_tokens=False)
    assert ours.vocabulary_size() == theirs.vocabulary_size()
    new = np.array(some_words(2, 12))
    for x in (new.reshape(4, 3), new, new.reshape(12, 1)):
        same(ours(x), theirs(x))


@pytest.mark.parametrize("salt", [None, 7, (3, 2**40)])
def test_texts_out_of_vocabulary_get_the_same_places(salt: Any) -> None:
    ours, theirs = both("StringLookup", vocabulary=["a", "b"], num_oov_indices=17, salt=salt)
    x = np.array(some_texts(3, 200, 150))
    same(ours(x), theirs(x))


def test_lookups_back() -> None:
    for mask in (None, ""):
        ours, theirs = both(
            "StringLookup", vocabulary=["a", "É", "🙂"], invert=True, mask_token=mask, num_oov_indices=2
        )
        assert ours.get_vocabulary() == theirs.get_vocabulary()
        x = np.array([[0, 1, 2], [3, 4, 5], [6, 99, 0]])
        # Keras cannot bring texts to JAX; what its table gives is a tensor of TensorFlow.
        expected = super(type(theirs), theirs).call(x)
        assert ours(x).tolist() == [[v.decode() for v in row] for row in expected.numpy().tolist()]
    ours, theirs = both("IntegerLookup", vocabulary=[5, 7], invert=True, mask_token=0)
    same(ours(x), theirs(x))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("mask", [None, 0])
@pytest.mark.parametrize(
    "method",
    [
        {},
        {"num_oov_indices": 3},
        {"num_oov_indices": 4, "oov_method": "farmhash"},
        {"num_oov_indices": 4, "oov_method": "farmhash", "salt": 5},
    ],
)
def test_integer_lookup_adapted(mode: str, mask: int | None, method: dict[str, Any]) -> None:
    ours, theirs = both("IntegerLookup", output_mode=mode, mask_token=mask, max_tokens=9, **method)
    rng = np.random.default_rng(0)
    data = rng.integers(-4, 8, (30, 2))
    for layer in (ours, theirs):
        layer.adapt(data)
    assert ours.get_vocabulary() == [int(v) for v in theirs.get_vocabulary()]
    same(ours(data), theirs(data))
    same(ours(data[:, 0] * 3), theirs(data[:, 0] * 3))


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_vocabularies_that_are_given(mode: str, special: bool) -> None:
    tokens = ["x", "é", "q"]
    if special:
        tokens = (["", "[UNK]"] if mode == "int" else ["[UNK]"]) + tokens
    weights = {"idf_weights": [0.5 + i for i in range(len(tokens))]} if mode == "tf_idf" else {}
    ours, theirs = both("StringLookup", vocabulary=tokens, output_mode=mode, mask_token="", **weights)
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    x = np.array([["x", "x", ""], ["q", "no", "é"]])
    same(ours(x), theirs(x))
    later, theirs = both("StringLookup", output_mode=mode, mask_token="")
    for layer in (later, theirs):
        layer.set_vocabulary(tokens, **weights)
    same(later(x), theirs(x))


def test_vocabulary_files(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("b\né\n水 x\n", encoding="utf-8")
    ours, theirs = both("StringLookup", vocabulary=str(path), mask_token="")
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    path.write_text("5\n-7", encoding="utf-8")
    ours, theirs = both("IntegerLookup", vocabulary=str(path))
    assert ours.get_vocabulary() == [int(v) for v in theirs.get_vocabulary()]


BAD: list[tuple[str, dict[str, Any]]] = [
    ("StringLookup", {"max_tokens": 1}),
    ("StringLookup", {"num_oov_indices": -1}),
    ("StringLookup", {"pad_to_max_tokens": True}),
    ("StringLookup", {"output_mode": "hot"}),
    ("StringLookup", {"invert": True, "output_mode": "count"}),
    ("StringLookup", {"vocabulary": ["a", "a"]}),
    ("StringLookup", {"vocabulary": []}),
    ("StringLookup", {"vocabulary": ["a", ""], "mask_token": ""}),
    ("StringLookup", {"vocabulary": ["a", "[UNK]"], "invert": True}),
    ("StringLookup", {"vocabulary": ["a", "b"], "max_tokens": 2}),
    ("StringLookup", {"vocabulary": ["a"], "output_mode": "tf_idf"}),
    ("StringLookup", {"vocabulary": ["a"], "idf_weights": [1.0]}),
    ("StringLookup", {"vocabulary": ["a"], "idf_weights": [1.0, 2.0], "output_mode": "tf_idf"}),
    ("StringLookup", {"vocabulary": "no such file"}),
    ("IntegerLookup", {"vocabulary_dtype": "int32"}),
    ("IntegerLookup", {"salt": 3, "num_oov_indices": 2}),
    ("TextVectorization", {"standardize": "upper"}),
    ("TextVectorization", {"split": "words"}),
    ("TextVectorization", {"ngrams": "2"}),
    ("TextVectorization", {"output_sequence_length": 2.0}),
    ("TextVectorization", {"output_sequence_length": 2, "output_mode": "count"}),
    ("CategoryEncoding", {}),
    ("CategoryEncoding", {"num_tokens": 0}),
    ("CategoryEncoding", {"num_tokens": 2, "output_mode": "int"}),
    ("Hashing", {"num_bins": 0}),
    ("Hashing", {"num_bins": 2, "dtype": "float32"}),
    ("Hashing", {"num_bins": 2, "salt": [1, 2, 3]}),
    ("HashedCrossing", {"num_bins": 2, "output_mode": "count"}),
    ("Discretization", {}),
    ("Discretization", {"num_bins": 2, "bin_boundaries": [1.0]}),
    ("Normalization", {"mean": 1.0}),
    ("Normalization", {"mean": [1.0], "variance": [1.0, 2.0]}),
    ("MelSpectrogram", {"fft_length": 4, "sequence_length": 8}),
    ("STFTSpectrogram", {"mode": "x"}),
    ("STFTSpectrogram", {"frame_step": 300}),
    ("STFTSpectrogram", {"fft_length": 128}),
]


@pytest.mark.parametrize(("name", "options"), BAD)
def test_arguments_that_both_refuse(name: str, options: dict[str, Any]) -> None:
    for module in (L, keras().layers):
        with pytest.raises((ValueError, TypeError)):
            getattr(module, name)(**options)


def test_what_is_out_of_no_vocabulary_is_refused() -> None:
    ours, theirs = both("StringLookup", vocabulary=["a"], num_oov_indices=0)
    with pytest.raises(ValueError, match=r"num_oov_indices=0.*\['b'\]"):
        ours(np.array(["a", "b"]))
    with pytest.raises(Exception, match="StringLookup"):
        theirs(np.array(["a", "b"]))


# ---- texts ---------------------------------------------------------------------------------------------------------

CUTS: list[dict[str, Any]] = [
    {},
    {"standardize": None},
    {"standardize": "lower"},
    {"standardize": "strip_punctuation", "split": "character"},
    {"split": "character"},
    {"split": None, "standardize": "lower"},
    {"ngrams": 2},
    {"ngrams": (1, 3), "split": "character"},
    {"max_tokens": 12},
]


@pytest.mark.parametrize("cut", CUTS, ids=str)
@pytest.mark.parametrize("mode", ["int", "multi_hot", "count", "tf_idf"])
def test_text_vectorization_adapted(cut: dict[str, Any], mode: str) -> None:
    ours, theirs = both("TextVectorization", output_mode=mode, **cut)
    for layer in (ours, theirs):
        layer.adapt(some_texts(11, 80))
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    assert ours.vocabulary_size() == theirs.vocabulary_size()
    new = np.array(some_texts(12, 30))
    for x in (new, new[:, None], new[:1]):
        same(ours(x), theirs(x))
    same(ours(list(new)), theirs(list(new)))


@pytest.mark.parametrize("length", [1, 4, 60])
@pytest.mark.parametrize("split", ["whitespace", "character", None])
def test_rows_are_cut_and_filled_up(length: int, split: str | None) -> None:
    ours, theirs = both("TextVectorization", output_sequence_length=length, split=split)
    x = np.array(some_texts(13, 20))
    for layer in (ours, theirs):
        layer.adapt(x)
    for part in (x[:, None], x) if split else (x[:, None],):
        same(ours(part), theirs(part))


def test_text_vectorization_padded_to_most_tokens() -> None:
    for mode in ("multi_hot", "count", "tf_idf"):
        ours, theirs = both("TextVectorization", max_tokens=50, pad_to_max_tokens=True, output_mode=mode)
        x = np.array(some_texts(14, 9, 8))
        for layer in (ours, theirs):
            layer.adapt(x)
        same(ours(x), theirs(x))


def test_functions_of_the_user_with_tensorflow() -> None:
    import tensorflow as tf

    def standardize(x: Any) -> Any:
        return tf.strings.regex_replace(tf.strings.lower(x), "<br />", " ")

    def split(x: Any) -> Any:
        return tf.strings.split(x, sep="-")

    ours, theirs = both("TextVectorization", standardize=standardize, split=split)
    x = np.array(["A-B<br />-c", "é-É-b", ""])
    for layer in (ours, theirs):
        layer.adapt(x)
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    same(ours(x), theirs(x))


def test_a_scalar_and_rows_of_unequal_length() -> None:
    import tensorflow as tf

    ours, theirs = both("TextVectorization", vocabulary=["a", "b"])
    same(ours("a c b"), theirs(tf.constant("a c b")))
    rows = tf.ragged.constant([["a", "b", "z"], [], ["b"]])
    for mode in ("multi_hot", "count"):
        ours, theirs = both("StringLookup", vocabulary=["a", "b"], output_mode=mode)
        expected = super(type(theirs), theirs).call(rows)
        same(ours(rows), expected)
        same(ours(rows.to_list()), expected)


# ---- data to adapt to ----------------------------------------------------------------------------------------------


def test_adapting_to_batches() -> None:
    import tensorflow as tf

    words = np.array(some_words(5, 90))
    data = tf.data.Dataset.from_tensor_slices(words)
    for mode, steps in itertools.product(("int", "tf_idf"), (None, 2)):
        for made in (data.batch(7), data.batch(5).batch(3, drop_remainder=True)):
            for name in ("StringLookup", "TextVectorization"):
                if name == "TextVectorization" and len(made.element_spec.shape) > 1:
                    continue
                ours, theirs = both(name, output_mode=mode)
                for layer in (ours, theirs):
                    layer.adapt(made, steps=steps)
                assert ours.get_vocabulary() == theirs.get_vocabulary()
                same(ours(words[:9]), theirs(words[:9]))


# ---- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_category_encoding(mode: str) -> None:
    ours, theirs = both("CategoryEncoding", num_tokens=5, output_mode=mode)
    rng = np.random.default_rng(1)
    for shape in ((), (4,), (3, 1), (3, 4)):
        x = rng.integers(0, 5, shape)
        same(ours(x), theirs(x))
        if mode == "count" and shape == (3, 4):
            weights = rng.random(shape).astype("float32")
            same(ours(x, count_weights=weights), theirs(x, count_weights=weights))


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("salt", [None, 133, [133, 137]])
@pytest.mark.parametrize("mask", [False, True])
def test_hashing(mode: str, salt: Any, mask: bool) -> None:
    words = np.array(some_words(21, 24))
    numbers = np.random.default_rng(2).integers(-(2**40), 2**40, 24)
    for values in (words, numbers, numbers.astype("float32") / 3e6):
        first = values[0].item() if mask and values.dtype.kind != "f" else None
        ours, theirs = both("Hashing", num_bins=6, output_mode=mode, salt=salt, mask_value=first)
        for x in (values.reshape(6, 4), values.reshape(24, 1), values):
            same(ours(x), theirs(x))


@pytest.mark.filterwarnings("ignore:.*int64 requested")
@pytest.mark.parametrize("mode", ["int", "one_hot"])
def test_hashed_crossing(mode: str) -> None:
    ours, theirs = both("HashedCrossing", num_bins=7, output_mode=mode)
    words, others = np.array(some_words(22, 20)), np.array(some_words(23, 20))
    numbers = np.random.default_rng(3).integers(-(2**30), 2**30, 20)
    for columns in ((words, others), (words, numbers), (numbers, numbers[::-1]), (words, numbers, others)):
        same(ours(columns), theirs(columns))
        taller = tuple(column[:, None] for column in columns)
        same(ours(taller), theirs(taller))


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("epsilon", [0.01, 0.1])
def test_discretization(mode: str, epsilon: float) -> None:
    rng = np.random.default_rng(4)
    data = [rng.normal(size=(n, 3)).astype("float32") for n in (40, 7, 200)]
    ours, theirs = both("Discretization", num_bins=5, epsilon=epsilon, output_mode=mode)
    for layer in (ours, theirs):
        layer.adapt(iter(data))
    np.testing.assert_allclose(ours.bin_boundaries, theirs.bin_boundaries, rtol=1e-6)
    x = rng.normal(size=(6, 4)).astype("float32")
    for part in (x, x[:, :1], x[:, 0]):
        same(ours(part), theirs(part))
    for layer in (ours, theirs):
        layer.adapt(data[2])
    np.testing.assert_allclose(ours.bin_boundaries, theirs.bin_boundaries, rtol=1e-6)
    ours, theirs = both("Discretization", [-0.5, 0.0, 1.0], output_mode=mode)
    edges = np.array([[-0.5, 0.0, 1.0, 9.0], [-9.0, -0.6, 0.2, 0.0]], "float32")
    same(ours(edges), theirs(edges))


@pytest.mark.parametrize("axis", [-1, None, 1, (1, 2), (2, 1), (-1, 0)])
@pytest.mark.parametrize("invert", [False, True])
def test_normalization(axis: Any, invert: bool) -> None:
    import tensorflow as tf

    data = np.random.default_rng(5).normal(2.0, 3.0, (12, 3, 2)).astype("float32")
    streams = [data, [data[:6], data[6:]], tf.data.Dataset.from_tensor_slices(data).batch(4)]
    for stream in streams[:1] if axis == (-1, 0) else streams:
        ours, theirs = both("Normalization", axis=axis, invert=invert)
        for layer in (ours, theirs):
            layer.adapt(stream)
        same(ours(data), theirs(data), 1e-4)
        same(ours.mean, theirs.mean, 1e-4)
        same(ours.variance, theirs.variance, 1e-4)
        assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]


@pytest.mark.parametrize(
    ("axis", "mean"), [(-1, 2.0), (-1, [1.0, 2.0]), ((1, 2), [1.0, 2.0]), ((1, 2), [[1.0, 2.0]] * 3), (None, 0.5)]
)
def test_normalization_with_given_numbers(axis: Any, mean: Any) -> None:
    x = np.random.default_rng(6).normal(size=(4, 3, 2)).astype("float32")
    variance = (np.asarray(mean) + 1.0).tolist()
    ours, theirs = both("Normalization", axis=axis, mean=mean, variance=variance)
    theirs.build(x.shape)
    same(ours(x), theirs(x))
    assert ours.get_config()["mean"] == theirs.get_config()["mean"]


# ---- sound ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"power_to_db": False},
        {"window": "hamming", "mag_exp": 1.0},
        {"sequence_length": 100, "ref_power": 2.0},
        {"num_mel_bins": 20, "min_freq": 100.0, "max_freq": 3000.0, "top_db": 20.0},
    ],
    ids=str,
)
def test_mel_spectrogram(options: dict[str, Any]) -> None:
    ours, theirs = both(
        "MelSpectrogram",
        **({"fft_length": 256, "sequence_stride": 64, "num_mel_bins": 16, "sampling_rate": 8000} | options),
    )
    x = np.random.default_rng(7).normal(size=(2, 1000)).astype("float32")
    same(ours(x), theirs(x), 2e-3)
    same(ours(x[0]), theirs(x[0]), 2e-3)
    same(ours.linear_to_mel_weight_matrix(), theirs.linear_to_mel_weight_matrix(), 1e-4)


@pytest.mark.parametrize("mode", ["log", "magnitude", "psd", "real", "imag", "angle", "stft"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "same", "expand_dims": True},
        {"window": "hamming", "periodic": True, "scaling": "spectrum", "frame_step": 5},
        {"window": None, "scaling": None, "fft_length": 64},
    ],
    ids=str,
)
def test_stft_spectrogram(mode: str, options: dict[str, Any]) -> None:
    x = np.random.default_rng(8).normal(size=(2, 100, 3)).astype("float32")
    for form, data in (("channels_last", x), ("channels_first", x.swapaxes(1, 2))):
        if form == "channels_first" and options.get("padding") == "same":
            continue
        ours, theirs = both("STFTSpectrogram", mode=mode, frame_length=32, data_format=form, **options)
        mine, other = np.asarray(ours(data)), np.asarray(theirs(data))
        if mode == "angle":  # which is of no meaning where there is no signal, and turns once around
            mine, other = np.sin(mine), np.sin(other)
            assert mine.shape == other.shape
            assert np.mean(np.abs(mine - other) > 1e-2) < 0.02
        else:
            same(mine, other, 5e-4)
        assert ours.compute_output_shape(data.shape) == tuple(theirs.compute_output_shape(data.shape))


# ---- configs and shapes --------------------------------------------------------------------------------------------

DESCRIBED: list[tuple[str, dict[str, Any], tuple[int | None, ...]]] = [
    ("StringLookup", {"vocabulary": ["a"], "output_mode": "count"}, (None, 3)),
    ("StringLookup", {"vocabulary": ["a"], "num_oov_indices": 2, "mask_token": "", "salt": 3}, (None, 3)),
    ("IntegerLookup", {"vocabulary": [4, 2], "output_mode": "one_hot"}, (None, 1)),
    ("IntegerLookup", {"vocabulary": [4, 2], "output_mode": "one_hot"}, (None, 3)),
    ("TextVectorization", {"vocabulary": ["a"], "output_sequence_length": 4, "ngrams": (1, 2)}, (None,)),
    ("TextVectorization", {"vocabulary": ["a"], "output_mode": "multi_hot"}, (None,)),
    ("CategoryEncoding", {"num_tokens": 4}, (None, 3)),
    ("CategoryEncoding", {"num_tokens": 4, "output_mode": "one_hot"}, (None, 1)),
    ("Hashing", {"num_bins": 4, "salt": 3}, (None, 3)),
    ("Hashing", {"num_bins": 4, "output_mode": "multi_hot"}, (None, 3)),
    ("Discretization", {"bin_boundaries": [0.0, 1.0], "output_mode": "one_hot"}, (None, 3)),
    ("Normalization", {"axis": None}, (None, 3)),
    ("MelSpectrogram", {"num_mel_bins": 4, "fft_length": 16, "sequence_stride": 4}, (2, 64)),
    ("STFTSpectrogram", {"frame_length": 8}, (2, 64, 1)),
]


@pytest.mark.parametrize(("name", "options", "shape"), DESCRIBED, ids=str)
def test_configs_go_both_ways(name: str, options: dict[str, Any], shape: tuple[int | None, ...]) -> None:
    ours, theirs = both(name, **options)
    mine, other = ours.get_config(), theirs.get_config()
    assert set(other) <= set(mine) | {"vocabulary_dtype"}
    ignored = {"name", "dtype"}
    kept = {k: v for k, v in mine.items() if k in other and k not in ignored}
    assert json.dumps(kept, sort_keys=True) == json.dumps({k: other[k] for k in kept}, sort_keys=True)
    dtype = (
        "string"
        if name in ("StringLookup", "TextVectorization")
        else "int64"
        if name in ("IntegerLookup", "CategoryEncoding", "Hashing")
        else "float32"
    )
    expected = theirs(keras().Input(batch_shape=shape, dtype=dtype)).shape
    for layer in (getattr(L, name).from_config(other), ours):
        assert layer(L.Input(batch_shape=shape, dtype=dtype)).shape == expected
    getattr(keras().layers, name).from_config(mine)


FILES: list[tuple[str, dict[str, Any], Any]] = [
    ("StringLookup", {"mask_token": ""}, np.array([["b", "é"], ["b", "水"]])),
    ("StringLookup", {"output_mode": "tf_idf"}, np.array([["b", "é"], ["b", "水"]])),
    ("IntegerLookup", {"output_mode": "count"}, np.array([[3, 7], [3, -2]])),
    ("TextVectorization", {"output_sequence_length": 5}, np.array(["to be", "or not É"])),
    ("TextVectorization", {"output_mode": "tf_idf"}, np.array(["to be", "or not É"])),
    ("Discretization", {"num_bins": 3}, np.arange(12, dtype="float32").reshape(4, 3)),
    ("Normalization", {}, np.arange(12, dtype="float32").reshape(4, 3)),
]


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize(("name", "options", "data"), FILES, ids=str)
def test_files_go_both_ways(name: str, options: dict[str, Any], data: np.ndarray, tmp_path: Path) -> None:
    dtype = {"U": "string", "i": "int64", "f": "float32"}[data.dtype.kind]
    models = []
    for module in (polykeras, keras()):
        layer = getattr(module.layers, name)(**options)
        layer.adapt(data)
        x = module.Input(data.shape[1:], dtype=dtype)
        models.append(module.Model(x, layer(x)))
    for i, model in enumerate(models):
        model.save(tmp_path / f"{i}.keras")
    expected = models[0].layers[-1](data)
    for i in range(2):
        same(polykeras.saving.load_model(tmp_path / f"{i}.keras").layers[-1](data), expected)
        same(keras().saving.load_model(tmp_path / f"{i}.keras").layers[-1](data), expected, 1e-5)


# ---- feature spaces ------------------------------------------------------------------------------------------------


def spaces(output_mode: str, **options: Any) -> list[Any]:
    def make(cls: Any) -> Any:
        features = {
            "a": "float_normalized",
            "b": cls.integer_categorical(num_oov_indices=2),
            "c": "string_categorical",
            "d": cls.string_hashed(4),
            "e": cls.float_discretized(3),
            "f": "float",
            "g": "integer_hashed",
            "h": cls.float_rescaled(scale=0.5),
        }
        return cls(features, output_mode, crosses=[("b", "c"), cls.cross(("c", "d"), 5)], **options)

    return [make(polykeras.utils.FeatureSpace), make(keras().utils.FeatureSpace)]


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("output_mode", ["concat", "dict"])
def test_feature_spaces(output_mode: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    data = {
        **{name: rng.normal(size=40).astype("float32") for name in "aefh"},
        **{name: rng.integers(0, 6, 40) for name in "bg"},
        **{name: np.array(some_words(i, 40)) for i, name in enumerate("cd")},
    }
    found = spaces(output_mode, hashing_dim=7)
    for i, made in enumerate(found):
        made.adapt(data)
        made.save(tmp_path / f"{i}.keras")
    new = {name: values[::-1][:9] for name, values in data.items()}
    results = [made(new) for made in found]
    for i in range(2):
        results += [module.saving.load_model(tmp_path / f"{i}.keras")(new) for module in (polykeras, keras())]
    for other in results[1:]:
        if output_mode == "concat":
            same(other, results[0], 1e-5)
        else:
            assert list(other) == list(results[0])
            for name in other:
                same(other[name], results[0][name], 1e-5)
