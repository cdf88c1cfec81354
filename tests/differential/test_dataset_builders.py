"""Builders of data sets: Keras's give the same samples, labels, files and parts of the same folders and arrays."""

from __future__ import annotations

import inspect
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from differential.opponent import keras
from helpers.folders import sounds, texts
from polykeras import utils

pytestmark = [pytest.mark.slow, pytest.mark.keras]


def arrays(batch: Any) -> list[Any]:
    """Return the parts of an element as lists, texts decoded."""
    parts = batch if isinstance(batch, tuple) else (batch,)
    found = [np.asarray(part) for part in parts]
    return [
        np.vectorize(lambda text: text.decode() if isinstance(text, bytes) else text)(part).tolist()
        if part.dtype.kind in "OSU"
        else (part.dtype.name, part.tolist())
        for part in found
    ]


def assert_same(ours: Any, theirs: Any) -> None:
    """Hold the elements, and what is known of them, against each other."""
    if isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
        return
    assert [arrays(batch) for batch in ours] == [arrays(batch) for batch in theirs]
    for name in ("class_names", "file_paths"):
        if hasattr(theirs, name):
            assert getattr(ours, name) == getattr(theirs, name)


FOLDERS: list[dict[str, Any]] = [
    {},
    {"label_mode": "categorical", "batch_size": 4},
    {"label_mode": None},
    {"labels": None, "batch_size": None},
    {"label_mode": "binary", "class_names": ["b", "a"]},
    {"validation_split": 0.4, "subset": "training"},
    {"validation_split": 0.4, "subset": "validation"},
    {"validation_split": 0.4, "subset": "both"},
]


@pytest.mark.parametrize("options", FOLDERS)
def test_folders_in_order(options: dict[str, Any], tmp_path: Path) -> None:
    for kind, write in (("text", texts), ("audio", sounds)):
        (tmp_path / kind).mkdir()
        folder = write(tmp_path / kind)
        name = f"{kind}_dataset_from_directory"
        ours, theirs = (
            getattr(module, name)(str(folder), shuffle=False, verbose=False, **options)
            for module in (utils, keras().utils)
        )
        assert type(ours) is type(theirs) or not isinstance(theirs, (list, tuple))
        assert_same(ours, theirs)


@pytest.mark.parametrize("options", [{"output_sequence_length": 120}, {"batch_size": 1, "ragged": True}])
def test_lengths_of_sounds(options: dict[str, Any], tmp_path: Path) -> None:
    ours, theirs = (
        list(module.audio_dataset_from_directory(str(sounds(tmp_path)), shuffle=False, verbose=False, **options))
        for module in (utils, keras().utils)
    )
    for (x, y), (expected, labels) in zip(ours, theirs, strict=True):
        assert y.tolist() == labels.numpy().tolist()
        assert x.tolist() == (expected.to_list() if "ragged" in options else expected.numpy().tolist())


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_files_of_a_seed(subset: str, tmp_path: Path) -> None:
    """The order within an epoch is that of another generator, which files a part has is not."""
    options: dict[str, Any] = {"validation_split": 0.4, "subset": subset, "seed": 7, "verbose": False, "batch_size": 9}
    ours, theirs = (
        sorted(arrays(batch)[0])
        for module in (utils, keras().utils)
        for batch in module.text_dataset_from_directory(str(texts(tmp_path / module.__name__)), **options)
    )
    assert ours == theirs


SERIES: list[dict[str, Any]] = [
    {},
    {"sequence_stride": 3, "batch_size": 4},
    {"sampling_rate": 2, "batch_size": None},
    {"start_index": 5, "end_index": 20},
    {"sequence_stride": 2, "sampling_rate": 3, "start_index": 2},
]


@pytest.mark.parametrize("options", SERIES)
@pytest.mark.parametrize("targets", [None, "all", "some"])
def test_windows(options: dict[str, Any], targets: str | None) -> None:
    data = np.random.default_rng(0).normal(size=(30, 2)).astype("float32")
    # Keras looks for targets that are not there where data begin later and targets end early.
    end = 30 if targets == "all" or "start_index" in options else 12
    labels = None if targets is None else np.arange(30)[:end]
    ours, theirs = (
        module.timeseries_dataset_from_array(data, labels, 4, **options) for module in (utils, keras().utils)
    )
    assert_same(ours, theirs)


@pytest.mark.parametrize("sizes", [(0.3, None), (None, 4), (3, 5), (0.25, 0.5)])
@pytest.mark.parametrize("shuffle", [False, True])
def test_parts(sizes: tuple[Any, Any], shuffle: bool) -> None:
    state = random.getstate()
    for data in (np.arange(24).reshape(12, 2), (np.arange(12), np.arange(12.0) * 2), [np.arange(12)]):
        ours, theirs = (
            module.split_dataset(data, *sizes, shuffle=shuffle, seed=3, **options)
            for module, options in ((utils, {}), (keras().utils, {"preferred_backend": "tensorflow"}))
        )
        assert_same(ours, theirs)
    random.setstate(state)


def test_data_of_tensorflow_are_split_and_made() -> None:
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((np.arange(12), np.ones((12, 3)))).batch(5)
    assert_same(utils.split_dataset(data, 7), keras().utils.split_dataset(data, 7))
    windows = utils.timeseries_dataset_from_array(np.arange(9.0), np.arange(9), 3, batch_size=4)
    assert_same(windows, windows.to("tensorflow"))
    assert windows.to("tensorflow").element_spec[0].shape.as_list() == [None, 3]
    with pytest.raises(ValueError, match="has no data sets; expected one of: tensorflow"):
        windows.to("numpy")


@pytest.mark.parametrize(
    "name",
    [
        "Config",
        "Progbar",
        "audio_dataset_from_directory",
        "get_file",
        "pad_sequences",
        "split_dataset",
        "text_dataset_from_directory",
        "timeseries_dataset_from_array",
    ],
)
def test_same_signatures(name: str) -> None:
    def arguments(module: Any) -> list[Any]:
        parameters = inspect.signature(getattr(module, name)).parameters.values()
        return [(p.name, p.default, p.kind) for p in parameters]

    assert arguments(utils) == arguments(keras().utils)


@pytest.mark.parametrize(
    ("sequences", "options"),
    [
        ([[1], [2, 3], [4, 5, 6]], {}),
        ([[1], [2, 3], []], {"maxlen": 2, "padding": "post", "value": 9}),
        ([[1, 2, 3], [2, 3]], {"maxlen": 1, "truncating": "post", "dtype": "float64"}),
        ([[[1, 2]], [[3, 4], [5, 6]]], {}),
        (np.arange(6).reshape(2, 3), {"maxlen": 2}),
        ([["a"], ["bc", "d"]], {"dtype": object, "value": "x"}),
        ([["a"], ["bc", "d"]], {"dtype": "U2", "value": "xyz"}),
    ],
)
def test_padded_sequences(sequences: Any, options: dict[str, Any]) -> None:
    ours, theirs = (module.pad_sequences(sequences, **options) for module in (utils, keras().utils))
    assert ours.dtype == theirs.dtype
    assert ours.tolist() == theirs.tolist()
