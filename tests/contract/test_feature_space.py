"""FeatureSpace: all kinds of features, on every backend, in maps over data sets, in models and in files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import layers as L
from polykeras import ops
from polykeras.backend import Backend
from polykeras.layers.preprocessing.hashes import crossed, fingerprint
from polykeras.utils import FeatureSpace

DATA: dict[str, Any] = {
    "plain": [1.0, 2.0, 6.0],
    "scaled": np.array([1.0, 2.0, 3.0]),
    "number": np.array([7, 9, 9]),
    "word": ["x", "é", "é"],
    "hashed": np.array(["p", "q", "p"]),
    "bin": [0.0, 1.0, 2.0],
}


def space(output_mode: str = "concat") -> FeatureSpace:
    features = {
        "plain": "float_normalized",
        "scaled": FeatureSpace.float_rescaled(scale=2.0, offset=1.0),
        "number": "integer_categorical",
        "word": FeatureSpace.string_categorical(num_oov_indices=2),
        "hashed": FeatureSpace.string_hashed(num_bins=3),
        "bin": FeatureSpace.float_discretized(num_bins=None, bin_boundaries=[0.5, 1.5]),
    }
    made = FeatureSpace(features, output_mode, crosses=[("number", "word"), FeatureSpace.cross(("hashed", "bin"), 4)])
    made.adapt(DATA)
    return made


def host(x: Any) -> Any:
    return np.asarray(ops.convert_to_numpy(x)).tolist()


def rows(bins: Any, count: int) -> np.ndarray:
    return np.eye(count)[np.asarray(bins)]


HASHED = [fingerprint(word.encode()) % 3 for word in "pqp"]
NUMBERS, WORDS, BINS = [2, 1, 1], [3, 2, 2], [0, 1, 2]
"""The places of the values: of equally frequent ones the larger comes first."""

EXPECTED = {
    "bin": rows(BINS, 3),
    "hashed": rows(HASHED, 3),
    "number": rows(NUMBERS, 3),
    "plain": (np.array(DATA["plain"]) - 3.0)[:, None] / np.std(DATA["plain"]),
    "scaled": np.array([[3.0], [5.0], [7.0]]),
    "word": rows(WORDS, 4),
    "hashed_X_bin": rows(crossed([HASHED, BINS], 4), 4),
    "number_X_word": rows(crossed([NUMBERS, WORDS], 32), 32),
}
"""What becomes of each feature, in the order in which they are put together."""


def test_features_side_by_side(backend: Backend) -> None:
    made = space()
    result = made(DATA)
    assert backend.is_tensor(result)
    np.testing.assert_allclose(host(result), np.concatenate(list(EXPECTED.values()), 1), rtol=1e-5)
    columns = {name: np.asarray(values)[:, None] for name, values in DATA.items()}
    assert host(made(columns)) == host(result)
    single = {name: values[1] for name, values in DATA.items()}
    assert host(made(single)) == host(result)[1]


def test_features_by_name(backend: Backend) -> None:
    found = space("dict")(DATA)
    assert list(found) == list(EXPECTED)
    for name, expected in EXPECTED.items():
        np.testing.assert_allclose(host(found[name]), expected, rtol=1e-5)


@pytest.mark.skipif(not find_spec("tensorflow"), reason="TensorFlow is not installed")
@pytest.mark.together
def test_maps_over_tf_data(backend: Backend) -> None:
    import tensorflow as tf

    by_array = host(space()(DATA))
    data = tf.data.Dataset.from_tensor_slices(DATA)
    for form in (data, data.batch(2)):
        made = FeatureSpace({"plain": "float_normalized", "word": "string_categorical"})
        made.adapt(form)
        expected = np.concatenate([EXPECTED["plain"], rows([2, 1, 1], 3)], 1)
        np.testing.assert_allclose(host(made(DATA)), expected, rtol=1e-5)
    mapped = data.batch(2).map(space())
    assert mapped.element_spec.shape.as_list() == [None, len(by_array[0])]
    np.testing.assert_allclose(np.concatenate(list(mapped.as_numpy_iterator())), by_array, rtol=1e-6)
    singles = list(data.map(space()).as_numpy_iterator())
    np.testing.assert_allclose(singles, by_array, rtol=1e-6)
    named = next(data.batch(3).map(space("dict")).as_numpy_iterator())
    for name, expected in EXPECTED.items():
        np.testing.assert_allclose(named[name], expected, rtol=1e-5)


def test_models_take_encoded_or_raw_features(backend: Backend) -> None:
    made = space()
    encoded = made.get_encoded_features()
    assert encoded.shape == (None, sum(x.shape[1] for x in EXPECTED.values()))
    output = L.Dense(1)(encoded)
    trained = polykeras.Model(encoded, output)
    trained.compile("sgd", "mse")
    trained.fit(made(DATA), np.zeros((3, 1)), epochs=2, verbose=0)
    raw = polykeras.Model(made.get_inputs(), output)
    columns = {name: np.asarray(values)[:, None] for name, values in DATA.items()}
    np.testing.assert_allclose(host(raw(columns)), host(trained(made(DATA))), rtol=1e-5)


def test_files(backend: Backend, tmp_path: Path) -> None:
    made = space()
    made.save(tmp_path / "space.keras")
    twin = polykeras.saving.load_model(tmp_path / "space.keras")
    assert host(twin(DATA)) == host(made(DATA))
    assert FeatureSpace.from_config(made.get_config()).get_config().keys() == made.get_config().keys()


def test_a_layer_of_ones_own(backend: Backend) -> None:
    text = L.TextVectorization(output_mode="count")
    made = FeatureSpace({"text": FeatureSpace.feature("string", text, "float")}, output_mode="dict")
    made.adapt({"text": ["a b", "b"]})
    assert host(made({"text": ["b b c"]})["text"]) == [[1, 2, 0]]


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="Unknown kind of feature 'floats'"):
        FeatureSpace({"a": "floats"})
    with pytest.raises(ValueError, match=r"`crosses` names \['c'\]"):
        FeatureSpace({"a": "string_hashed", "b": "string_hashed"}, crosses=[("a", "c")])
    with pytest.raises(ValueError, match="needs `features`"):
        FeatureSpace({})
    with pytest.raises(ValueError, match="not adapted yet"):
        FeatureSpace({"a": "float_normalized"})({"a": [1.0]})
    made = FeatureSpace({"a": "float", "b": FeatureSpace.integer_hashed(3, output_mode="int")})
    with pytest.raises(ValueError, match="cannot be joined with floats"):
        made({"a": [1.0], "b": [1]})
    with pytest.raises(ValueError, match=r"lack the features \['a'\]"):
        FeatureSpace({"a": "float"})({"b": [1.0]})
    with pytest.raises(ValueError, match="takes a dict"):
        FeatureSpace({"a": "float"})([1.0])
    with pytest.raises(ValueError, match="iterated once for each feature"):
        FeatureSpace({"a": "float_normalized", "b": "float_normalized"}).adapt(iter([{"a": 1.0, "b": 2.0}]))
    with pytest.raises(ValueError, match="not integers"):
        FeatureSpace(
            {"a": FeatureSpace.feature("float32", L.Hashing(3, dtype="float32", output_mode="count"), "one_hot")}
        )({"a": [1.0]})


def test_a_data_frame_is_taken_as_the_dict_of_its_columns() -> None:
    frame = pytest.importorskip("pandas").DataFrame({name: list(values) for name, values in DATA.items()})
    made = FeatureSpace({"plain": "float_normalized", "word": "string_categorical"})
    made.adapt(frame)
    expected = FeatureSpace({"plain": "float_normalized", "word": "string_categorical"})
    expected.adapt(DATA)
    assert host(made(DATA)) == host(expected(DATA))
