"""Preprocessing of Keras 2: the code that Keras still carries gives the same from the same seeds."""

from __future__ import annotations

import inspect
import json
import random
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from differential.opponent import keras
from helpers.folders import pictures
from polykeras import preprocessing, utils

pytestmark = [
    pytest.mark.slow,
    pytest.mark.keras,
    # Keras calls SciPy by an older name.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def modules(name: str) -> tuple[Any, ModuleType]:
    """Return our module of preprocessing and Keras's."""
    keras()
    return getattr(preprocessing, name), import_module(f"keras.src.legacy.preprocessing.{name}")


def both(name: str, call: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Return what a function gives with our module and with Keras's, from the same seeds."""
    results = []
    for module in modules(name):
        np.random.seed(3)
        random.seed(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.append(call(module))
    return results[0], results[1]


def assert_equal(ours: Any, theirs: Any, rtol: float = 0) -> None:
    """Hold arrays in tuples and lists against each other."""
    if isinstance(theirs, (tuple, list)):
        assert type(ours) is type(theirs)
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_equal(one, other, rtol)
        return
    one, other = np.asarray(ours), np.asarray(theirs)
    assert (one.dtype, one.shape) == (other.dtype, other.shape)
    if one.dtype.kind in "fc":
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)
    else:
        assert one.tolist() == other.tolist()


# ---- texts ---------------------------------------------------------------------------------------------------------

TEXTS = ["The cat sat on the mat.", "A dog, a cat & a bird", "", "Rain! Rain? rain\tgo-away", "the the the unseen"]
TOKENIZERS: list[dict[str, Any]] = [
    {},
    {"num_words": 4},
    {"oov_token": "<oov>"},
    {"num_words": 5, "oov_token": "<oov>"},
    {"char_level": True, "num_words": 8},
    {"lower": False, "filters": "a", "split": "t"},
    {"analyzer": lambda text: text.split("a")},
]


@pytest.mark.parametrize("options", TOKENIZERS)
def test_tokenizers(options: dict[str, Any]) -> None:
    def run(module: Any) -> list[Any]:
        tokenizer = module.Tokenizer(**options)
        tokenizer.fit_on_texts(TEXTS[:3])
        tokenizer.fit_on_texts(TEXTS[3:4])
        tokenizer.fit_on_texts([["List", "of", "cat"]] if "analyzer" not in options else [])
        sequences = tokenizer.texts_to_sequences([*TEXTS, "entirely new"])
        found = [sequences, tokenizer.sequences_to_texts([*sequences, [1, 99]])]
        found += [tokenizer.texts_to_matrix(TEXTS, mode).tolist() for mode in ("binary", "count", "freq", "tfidf")]
        config = tokenizer.get_config()
        tables = {name: json.loads(config.pop(name)) for name in [*config] if name.startswith(("word_", "index_"))}
        again = module.tokenizer_from_json(tokenizer.to_json())
        return [*found, config, tables, list(tokenizer.word_counts.items()), again.texts_to_sequences(TEXTS)]

    ours, theirs = both("text", run)
    assert ours == theirs


def test_tokenizers_of_keras_are_read() -> None:
    ours, theirs = modules("text")
    tokenizer = theirs.Tokenizer(num_words=6, oov_token="x")
    tokenizer.fit_on_texts(TEXTS)
    read = ours.tokenizer_from_json(tokenizer.to_json())
    assert read.texts_to_sequences(TEXTS) == tokenizer.texts_to_sequences(TEXTS)
    assert read.texts_to_matrix(TEXTS, "tfidf").tolist() == tokenizer.texts_to_matrix(TEXTS, "tfidf").tolist()


def test_sequences_as_documents() -> None:
    def run(module: Any) -> Any:
        tokenizer = module.Tokenizer(num_words=5)
        tokenizer.fit_on_sequences([[1, 2, 2], [2, 7]])
        return [tokenizer.document_count, tokenizer.sequences_to_matrix([[1, 2], [], [2, 9, 2]], "tfidf").tolist()]

    ours, theirs = both("text", run)
    assert ours == theirs


@pytest.mark.parametrize("text", TEXTS)
def test_words_and_hashes(text: str) -> None:
    def run(module: Any) -> Any:
        return [
            module.text_to_word_sequence(text),
            module.text_to_word_sequence(text, filters="t", lower=False, split="a"),
            module.one_hot(text, 50),
            module.hashing_trick(text, 50, "md5"),
            module.hashing_trick(text, 50, len),
            module.hashing_trick(text, 50, None, analyzer=list),
        ]

    ours, theirs = both("text", run)
    assert ours == theirs


# ---- sequences -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sampling_rate": 2, "stride": 3, "batch_size": 4},
        {"start_index": 5, "end_index": 20, "reverse": True},
        {"shuffle": True, "batch_size": 5},
    ],
)
def test_generators_of_windows(options: dict[str, Any]) -> None:
    def run(module: Any) -> Any:
        data = np.arange(60).reshape(30, 2)
        generator = module.TimeseriesGenerator(data, np.arange(30), 6, **options)
        return [generator[i] for i in range(len(generator))]

    ours, theirs = both("sequence", run)
    assert_equal(ours, theirs)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window_size": 1, "negative_samples": 0},
        {"categorical": True, "negative_samples": 2.5, "shuffle": False},
        {"sampling_table": np.linspace(0, 1, 10), "seed": 4},
    ],
)
def test_skipgrams(options: dict[str, Any]) -> None:
    ours, theirs = both("sequence", lambda module: module.skipgrams([1, 5, 0, 3, 9, 2, 2], 10, **options))
    assert ours == theirs


def test_sampling_tables() -> None:
    ours, theirs = both("sequence", lambda module: module.make_sampling_table(50, 1e-3))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


# ---- images --------------------------------------------------------------------------------------------------------

IMAGES = np.random.default_rng(0).uniform(0, 255, (7, 8, 6, 3)).astype("float32")
FIRST = IMAGES.transpose(0, 3, 1, 2)

FUNCTIONS: dict[str, Callable[[Any, np.ndarray, dict[str, int]], Any]] = {
    "affine": lambda m, x, axes: m.apply_affine_transform(x, 20, 1.5, -2, 10, 0.8, 1.1, **axes),
    "affine, order 3, wrapped": lambda m, x, axes: m.apply_affine_transform(x, 50, fill_mode="wrap", order=3, **axes),
    "shift, constant": lambda m, x, axes: m.apply_affine_transform(x, tx=3, fill_mode="constant", cval=7.0, **axes),
    "nothing": lambda m, x, axes: m.apply_affine_transform(x, **axes),
    "rotation": lambda m, x, axes: m.random_rotation(x, 40, **axes),
    "shift": lambda m, x, axes: m.random_shift(x, 0.4, 0.2, **axes),
    "shear": lambda m, x, axes: m.random_shear(x, 30, fill_mode="reflect", **axes),
    "zoom": lambda m, x, axes: m.random_zoom(x, (0.5, 1.5), interpolation_order=0, **axes),
    "channel shift": lambda m, x, axes: m.random_channel_shift(x, 50, axes["channel_axis"]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("row_axis", "col_axis", "channel_axis"), [(0, 1, 2), (1, 2, 0), (1, 0, 2), (2, 1, 0)], ids=str
)
def test_functions(name: str, row_axis: int, col_axis: int, channel_axis: int) -> None:
    axes = {"row_axis": row_axis, "col_axis": col_axis, "channel_axis": channel_axis}
    x = IMAGES[0] if channel_axis == 2 else FIRST[0]
    ours, theirs = both("image", lambda module: FUNCTIONS[name](module, x, axes))
    assert_equal(ours, theirs, 1e-5)


@pytest.mark.parametrize("x", [IMAGES[0], IMAGES[0] / 255, IMAGES[0] - 100], ids=["bytes", "shares", "signed"])
@pytest.mark.parametrize("scale", [False, True])
def test_brightness(x: np.ndarray, scale: bool) -> None:
    ours, theirs = both("image", lambda module: module.random_brightness(x, (0.3, 1.4), scale))
    assert_equal(ours, theirs, 1e-5)


GENERATORS: list[dict[str, Any]] = [
    {},
    {"rotation_range": 30, "width_shift_range": 0.3, "height_shift_range": 0.2, "zoom_range": 0.4, "shear_range": 9},
    {"width_shift_range": 3, "height_shift_range": [-2, 0, 5], "zoom_range": [0.5, 0.9], "fill_mode": "constant"},
    {"horizontal_flip": True, "vertical_flip": True, "channel_shift_range": 30.0, "rescale": 1 / 255},
    {"brightness_range": (0.5, 1.5), "preprocessing_function": lambda x: x * 2 - 1},
    {"samplewise_std_normalization": True},
    {"featurewise_std_normalization": True, "rescale": 0.1},
    {"zca_whitening": True},
    {"data_format": "channels_first", "horizontal_flip": True, "rotation_range": 20, "featurewise_center": True},
]


@pytest.mark.parametrize("options", GENERATORS)
def test_flows_of_arrays(options: dict[str, Any]) -> None:
    x = FIRST if "data_format" in options else IMAGES
    y, weights = np.arange(7), np.linspace(0, 1, 7)

    def run(module: Any) -> Any:
        generator = module.ImageDataGenerator(**options)
        generator.fit(x)
        found = [generator.random_transform(x[0], seed=5), generator.standardize(x[1].copy())]
        flow = generator.flow(x, y, batch_size=3, seed=1, sample_weight=weights)
        found += [next(flow) for _ in range(5)] + [flow[i] for i in range(len(flow))]
        flow.on_epoch_end()
        flow.reset()
        found += [flow[0], next(flow)]
        found += [next(generator.flow(x, batch_size=9, shuffle=False)), next(generator.flow((x, [y, y * 2]), y))]
        generator.fit(x, augment=True, rounds=2, seed=8)
        return [*found, next(generator.flow(x, y, seed=4))]

    ours, theirs = both("image", run)
    assert_equal(ours, theirs, 2e-3 if "zca_whitening" in options else 2e-5)


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_parts_of_arrays(subset: str) -> None:
    def run(module: Any) -> Any:
        generator = module.ImageDataGenerator(validation_split=0.4)
        return next(generator.flow(IMAGES, np.arange(7) % 2, shuffle=False, subset=subset))

    ours, theirs = both("image", run)
    assert_equal(ours, theirs)


FOLDERS: list[dict[str, Any]] = [
    {},
    {"class_mode": "sparse", "color_mode": "grayscale", "batch_size": 3, "seed": 2},
    {"class_mode": "binary", "interpolation": "bilinear", "classes": ["b", "a"], "shuffle": False},
    {"class_mode": "input", "color_mode": "rgba", "keep_aspect_ratio": True, "interpolation": "bicubic"},
    {"class_mode": None, "subset": "training"},
    {"class_mode": "sparse", "subset": "validation"},
]


@pytest.mark.parametrize("options", FOLDERS)
def test_flows_of_folders(options: dict[str, Any], tmp_path: Path) -> None:
    pictures(tmp_path)

    def run(module: Any) -> Any:
        generator = module.ImageDataGenerator(rescale=1 / 255, rotation_range=20, validation_split=0.5)
        flow = generator.flow_from_directory(str(tmp_path), target_size=(8, 10), **options)
        known = [flow.filenames, flow.filepaths, sorted(flow.class_indices.items()), flow.classes, flow.samples]
        return [*known, flow.num_classes, flow.image_shape, [next(flow) for _ in range(3)], flow[0]]

    ours, theirs = both("image", run)
    assert_equal(ours, theirs, 2e-5)


FRAMES: list[dict[str, Any]] = [
    {},
    {"class_mode": "sparse", "classes": ["z", "x"]},
    {"class_mode": "binary", "y_col": "two"},
    {"class_mode": "raw", "y_col": ["number", "weight"]},
    {"class_mode": "raw", "y_col": "number", "weight_col": "weight"},
    {"class_mode": "multi_output", "y_col": ["number", "weight"]},
    {"class_mode": "categorical", "y_col": "several"},
    {"class_mode": "categorical", "y_col": "several", "classes": ["x", "y"]},
    {"class_mode": None, "subset": "validation"},
    {"class_mode": "sparse", "subset": "training", "validate_filenames": False},
]


@pytest.mark.parametrize("options", FRAMES)
def test_flows_of_frames(options: dict[str, Any], tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pictures(tmp_path)
    frame = pandas.DataFrame(
        {
            "filename": ["a/0.PNG", "b/1.bmp", "none.png", "a/deeper/2.PNG", "b/notes.txt", "b/3.PNG"],
            "class": ["x", "y", "x", "z", "y", "x"],
            "two": ["x", "y", "y", "x", "x", "y"],
            "several": [["x", "z"], ["y"], ["x"], ["z"], ["z"], ("x", "y")],
            "number": [0, 1, 2, 3, 4, 5],
            "weight": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
        }
    )
    if options.get("validate_filenames") is False:
        frame = frame.iloc[[0, 1, 3, 5]]

    def run(module: Any) -> Any:
        generator = module.ImageDataGenerator(rescale=1 / 255, validation_split=0.5)
        flow = generator.flow_from_dataframe(frame, str(tmp_path), target_size=(8, 10), seed=6, **options)
        return [flow.filenames, getattr(flow, "class_indices", None) == {}, flow[0], next(flow), flow.samples]

    ours, theirs = both("image", run)
    assert_equal(ours, theirs, 1e-6)


@pytest.mark.parametrize("name", ["text", "sequence", "image"])
def test_same_signatures(name: str) -> None:
    ours, theirs = modules(name)
    classes = [
        "Iterator",
        "DirectoryIterator",
        "DataFrameIterator",
        "NumpyArrayIterator",
        "ImageDataGenerator",
        "Tokenizer",
    ]
    functions = [n for n, value in vars(theirs).items() if inspect.isfunction(value) and hasattr(ours, n)]
    pairs = [(getattr(ours, n), getattr(theirs, n)) for n in [*functions, *classes] if hasattr(theirs, n)]
    pairs += [
        (getattr(getattr(ours, c), m), member)
        for c in classes
        for m, member in vars(getattr(theirs, c, object)).items()
        if inspect.isfunction(member) and not m.startswith("_") and m != "get_classes"
    ]
    assert len(functions) >= 2
    for one, other in pairs:
        assert [(p.name, p.default) for p in inspect.signature(one).parameters.values()] == [
            (p.name, p.default) for p in inspect.signature(other).parameters.values()
        ], one


# ---- data sets of image files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"label_mode": "categorical", "interpolation": "nearest", "batch_size": 3},
        {"label_mode": "binary", "interpolation": "bicubic", "data_format": "channels_first"},
        {"labels": None, "interpolation": "area", "batch_size": None},
        {"interpolation": "lanczos3", "crop_to_aspect_ratio": True},
        {"color_mode": "rgba", "interpolation": "lanczos5", "image_size": 9},
        {"validation_split": 0.5, "subset": "both"},
    ],
)
def test_data_sets_of_images(options: dict[str, Any], tmp_path: Path) -> None:
    pictures(tmp_path)
    arguments = {"image_size": (8, 10), "shuffle": False, "verbose": False} | options
    ours, theirs = (
        module.image_dataset_from_directory(str(tmp_path), **arguments) for module in (utils, keras().utils)
    )
    for one, other in zip(ours, theirs, strict=True) if isinstance(theirs, list) else [(ours, theirs)]:
        assert (one.class_names, one.file_paths) == (other.class_names, other.file_paths)
        for batch, expected in zip(one, other, strict=True):
            parts = zip(batch, expected, strict=True) if isinstance(expected, tuple) else [(batch, expected)]
            for part, wanted in parts:
                assert part.dtype == wanted.dtype.as_numpy_dtype
                # TensorFlow takes the cubic kernel from a table of 1024 values.
                table = options.get("interpolation") == "bicubic"
                np.testing.assert_allclose(part, wanted, rtol=1e-5, atol=0.2 if table else 2e-3)
