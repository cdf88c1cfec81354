"""Image classifiers: the networks that Keras makes, what goes into them and comes out, and what they refuse."""

from __future__ import annotations

import hashlib
import inspect
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import data
from polykeras import applications, layers, ops, utils
from polykeras.applications import imagenet_utils

# Recorded from Keras 3.15.1: the model's name, its parameters, its layers, and digests of the layers' names and of the
# weights' shapes, both in their order.
RECORDED = (
    ("ConvNeXtBase", "convnext_base", 88_591_464, 261, "a37bfac5c69a84dc", "02b1aab2910bd1bc"),
    ("ConvNeXtLarge", "convnext_large", 197_767_336, 261, "1aa56b6c023a9d98", "c1eec76a68cf870e"),
    ("ConvNeXtSmall", "convnext_small", 50_223_688, 261, "dfd1f42dd0d10c15", "0d86864cc5314f7d"),
    ("ConvNeXtTiny", "convnext_tiny", 28_589_128, 135, "a20b4ada36fdc8d9", "f9ca336b8b253070"),
    ("ConvNeXtXLarge", "convnext_xlarge", 350_196_968, 261, "6913f5c410f2b3fe", "c1f65223c040087a"),
    ("DenseNet121", "densenet121", 8_062_504, 429, "cc5636a449fe1916", "15304c19485e64ee"),
    ("DenseNet169", "densenet169", 14_307_880, 597, "639c81b2afb1b3e7", "b1e84ee4a3344e14"),
    ("DenseNet201", "densenet201", 20_242_984, 709, "b75a1544879d5477", "ba6c0c011bba09f9"),
    ("EfficientNetB0", "efficientnetb0", 5_330_571, 240, "7cf19367d2ee1f0e", "aade06c1ca6755c2"),
    ("EfficientNetB1", "efficientnetb1", 7_856_239, 342, "a4fcc4e105f9cfd8", "7c7711159721373d"),
    ("EfficientNetB2", "efficientnetb2", 9_177_569, 342, "a4fcc4e105f9cfd8", "7944db6bb89e6a53"),
    ("EfficientNetB3", "efficientnetb3", 12_320_535, 387, "30010b147551463c", "c4e23ca9ac2a1f57"),
    ("EfficientNetB4", "efficientnetb4", 19_466_823, 477, "9664c71373dcab1f", "78b9c91dda81ecf3"),
    ("EfficientNetB5", "efficientnetb5", 30_562_527, 579, "7cf0c46bb53af428", "2272fd3c58691888"),
    ("EfficientNetB6", "efficientnetb6", 43_265_143, 669, "3301485359902784", "2014cb5a6a7b06cc"),
    ("EfficientNetB7", "efficientnetb7", 66_658_687, 816, "27a71c8071212cc2", "404c29284951e1b1"),
    ("EfficientNetV2B0", "efficientnetv2-b0", 7_200_312, 273, "dd7ad1b5eec2e7ff", "0ec96faadada7fd5"),
    ("EfficientNetV2B1", "efficientnetv2-b1", 8_212_124, 337, "967d9da578b0e731", "87eea1e9880c5041"),
    ("EfficientNetV2B2", "efficientnetv2-b2", 10_178_374, 352, "6febea67313ef468", "6c07424ce6fdcdc1"),
    ("EfficientNetV2B3", "efficientnetv2-b3", 14_467_622, 412, "84dc391d70a33fad", "c0cc6c0b14eafaab"),
    ("EfficientNetV2L", "efficientnetv2-l", 119_027_848, 1031, "265bab3010a5b312", "3b5d46ad46221169"),
    ("EfficientNetV2M", "efficientnetv2-m", 54_431_388, 743, "ccc89a45ead57912", "084ae5e8c8b0d115"),
    ("EfficientNetV2S", "efficientnetv2-s", 21_612_360, 516, "4ae37617110890a6", "0ac747dad63fb50d"),
    ("InceptionResNetV2", "inception_resnet_v2", 55_873_736, 782, "45e8663620a51f78", "84a8d8c0d9865fff"),
    ("InceptionV3", "inception_v3", 23_851_784, 313, "21d32daafca798d9", "135eb5ace4f06d99"),
    ("MobileNet", "mobilenet_1.00_224", 4_253_864, 91, "42b219e63a8dbe22", "30f71b14a65b1e31"),
    ("MobileNetV2", "mobilenetv2_1.00_224", 3_538_984, 156, "c012b6e1f9c8c7c5", "1c64bf383fdb54b9"),
    ("MobileNetV3Large", "MobileNetV3Large", 5_507_432, 194, "714073e60b994a34", "ffb7d9ebc4da17d5"),
    ("MobileNetV3Small", "MobileNetV3Small", 2_554_968, 164, "775bfb33f6f6bda1", "0544f5b086e56b49"),
    ("NASNetLarge", "nasnet_large", 88_949_818, 1041, "430d5cc571d5d878", "be1d9573304a3a5f"),
    ("NASNetMobile", "nasnet_mobile", 5_326_716, 771, "726ef9113a330e0a", "bed7166e13f896a4"),
    ("ResNet101", "resnet101", 44_707_176, 347, "dfec9a3331590a22", "b2646003ef7e9dcc"),
    ("ResNet101V2", "resnet101v2", 44_675_560, 379, "abf91098868253b8", "b40132047b3ba10f"),
    ("ResNet152", "resnet152", 60_419_944, 517, "eac14d8894720065", "ae4590af3c1c8d83"),
    ("ResNet152V2", "resnet152v2", 60_380_648, 566, "38caa8bfcf8f36fc", "4cc1785c3b49ac93"),
    ("ResNet50", "resnet50", 25_636_712, 177, "bb97e61fb3ad0d7d", "2bf66d895683f494"),
    ("ResNet50V2", "resnet50v2", 25_613_800, 192, "cef3fe1280b548c1", "f3daa21c44627f2c"),
    ("VGG16", "vgg16", 138_357_544, 23, "6ba21e72e9d82565", "4e4e5cfeda2b8891"),
    ("VGG19", "vgg19", 143_667_240, 26, "4d24e159bf723006", "c1715c81a2fadabd"),
    ("Xception", "xception", 22_910_480, 134, "a65ec06ca9bedd25", "9033e32a6f50020d"),
)

CLASSIFIERS = [row[0] for row in RECORDED]
FAMILIES = sorted(name for name in applications.__all__ if inspect.ismodule(getattr(applications, name)))


@pytest.fixture(autouse=True)
def numpy_backend() -> Any:
    with polykeras.use_backend("numpy"):
        yield


def digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@pytest.mark.parametrize("row", RECORDED, ids=CLASSIFIERS)
def test_layers_and_weights_are_those_of_keras(row: tuple[Any, ...]) -> None:
    utils.clear_session()
    model = getattr(applications, row[0])(weights=None)
    names = [layer.name for layer in model.layers]
    shapes = ["x".join(map(str, weight.shape)) for weight in model.weights]
    assert row[1:] == (model.name, model.count_params(), len(names), digest(names), digest(shapes))


def test_all_names_are_there() -> None:
    assert sorted(n for n in applications.__all__ if n not in FAMILIES) == sorted(CLASSIFIERS)
    for family in FAMILIES:
        module = getattr(applications, family)
        assert callable(module.preprocess_input), family
        assert callable(module.decode_predictions), family
    assert applications.resnet50.ResNet50 is applications.resnet.ResNet50 is applications.ResNet50


def test_they_are_loaded_when_they_are_first_named() -> None:
    code = (
        "import sys, polykeras; assert not [m for m in sys.modules if m.startswith('polykeras.applications')]; "
        "assert 'applications' in dir(polykeras); assert polykeras.applications.VGG16.__name__ == 'VGG16'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "LayerScale", "config": {"init_values": 0.5, "projection_dim": 3}},
        {"class_name": "CustomScaleLayer", "config": {"scale": 0.5}},
    ],
)
def test_configs_name_their_layers(config: dict[str, Any]) -> None:
    code = f"import polykeras; print(polykeras.layers.deserialize({config!r}).get_config())"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert str(config["config"])[1:-1] in shown


# ---- the ends --------------------------------------------------------------------------------------------------


def test_without_the_classifier() -> None:
    make = applications.MobileNetV2
    assert make(weights=None, include_top=False).output_shape == (None, None, None, 1280)
    assert make(weights=None, include_top=False, input_shape=(64, 32, 3)).output_shape == (None, 2, 1, 1280)
    x = data(2, 32, 32, 3)
    features = make(weights=None, include_top=False, input_shape=(32, 32, 3))
    for pooling, reduced in (("avg", np.mean), ("max", np.max)):
        model = make(weights=None, include_top=False, input_shape=(32, 32, 3), pooling=pooling)
        model.set_weights(features.get_weights())
        expected = reduced(ops.convert_to_numpy(features(x)), axis=(1, 2))
        np.testing.assert_allclose(ops.convert_to_numpy(model(x)), expected, rtol=1e-5, atol=1e-6)


def test_the_classifier_is_as_asked() -> None:
    model = applications.ResNet50(
        weights=None, input_shape=(32, 32, 1), classes=4, classifier_activation=None, name="own"
    )
    assert (model.name, model.input_shape, model.output_shape) == ("own", (None, 32, 32, 1), (None, 4))
    assert model.layers[-1].activation.__name__ == "linear"


def test_an_input_of_ones_own() -> None:
    images = layers.Input((40, 40, 3), dtype="uint8")
    scaled = layers.Rescaling(1 / 255)(images)
    model = applications.MobileNet(weights=None, alpha=0.25, input_tensor=scaled, include_top=False, pooling="avg")
    assert model.inputs[0] is images
    assert [type(layer).__name__ for layer in model.layers[:3]] == ["InputLayer", "Rescaling", "Conv2D"]
    assert model.predict(np.full((1, 40, 40, 3), 200, "uint8"), verbose=0).shape == (1, 256)


def test_channels_first() -> None:
    model = applications.EfficientNetB0(weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg")
    x = data(1, 32, 32, 3)
    expected = ops.convert_to_numpy(model(x))
    polykeras.config.set_image_data_format("channels_first")
    try:
        first = applications.EfficientNetB0(weights=None, include_top=False, input_shape=(3, 32, 32), pooling="avg")
        first.set_weights(model.get_weights())
        found = ops.convert_to_numpy(first(x.transpose(0, 3, 1, 2)))
        for family in (applications.ConvNeXtTiny, applications.NASNetMobile):
            with pytest.raises(ValueError, match="channels last"):
                family(weights=None)
    finally:
        polykeras.config.set_image_data_format("channels_last")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": "nowhere.h5"}, "path of a file that exists; received 'nowhere.h5'"),
        ({"weights": "imagenet", "classes": 10}, "has 1000 classes; received classes=10"),
        ({"weights": "imagenet", "classifier_activation": "relu"}, "'softmax' or None; received 'relu'"),
        ({"weights": "imagenet", "input_shape": (64, 64, 3)}, r"takes images of the shape \(224, 224, 3\)"),
        ({"weights": "imagenet", "input_shape": (64, 64, 1), "include_top": False}, "three channels"),
        ({"weights": None, "input_shape": (31, 64, 3)}, "at least 32"),
        ({"weights": None, "input_shape": (None, 64, 3)}, "must be known"),
        ({"weights": None, "input_shape": (64, 64)}, "with three sizes"),
        ({"weights": None, "input_tensor": np.zeros((1, 32, 32, 3))}, "must be symbolic"),
    ],
)
def test_mistakes(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        applications.ResNet50(**arguments)


@pytest.mark.parametrize("make", [applications.MobileNetV2, applications.MobileNetV3Small])
def test_an_input_and_another_shape(make: Any) -> None:
    with pytest.raises(ValueError, match=r"\(64, 64, 3\) is not that of `input_tensor`, which has \(32, 32, 3\)"):
        make(weights=None, input_tensor=layers.Input((32, 32, 3)), input_shape=(64, 64, 3))


def test_cells_know_their_sizes() -> None:
    """Keras leaves the sizes of NASNetLarge unknown here, and fails on images."""
    model = applications.NASNetLarge(weights=None, include_top=False)
    assert (model.input_shape, model.output_shape) == ((None, 331, 331, 3), (None, 11, 11, 4032))


def test_unusual_channels() -> None:
    with pytest.warns(UserWarning, match="1 or 3 channels; received 4"):
        applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 4))


# ---- weights ---------------------------------------------------------------------------------------------------


def test_weights_from_a_file(tmp_path: Path) -> None:
    asked = {"include_top": False, "pooling": "avg", "input_shape": (32, 32, 3), "alpha": 0.25}
    model = applications.MobileNet(weights=None, **asked)
    path = tmp_path / "own.weights.h5"
    model.save_weights(path)
    again = applications.MobileNet(weights=path, **asked)
    for found, expected in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


STORE = "https://storage.googleapis.com/tensorflow/keras-applications/"


# Addresses and digests as Keras 3.15.1 asks for them.
@pytest.mark.parametrize(
    ("name", "arguments", "saved_as", "address", "file_hash"),
    [
        (
            "ResNet50",
            {},
            "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
            f"{STORE}resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5",
            "2cb95161c43110f7111970584f804107",
        ),
        (
            "MobileNetV2",
            {"alpha": 0.35, "input_shape": (96, 96, 3), "include_top": False},
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5",
            f"{STORE}mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5",
            None,
        ),
        (
            "MobileNet",
            {"alpha": 0.25, "input_shape": (128, 128, 3)},
            "mobilenet_2_5_128_tf.h5",
            f"{STORE}mobilenet/mobilenet_2_5_128_tf.h5",
            None,
        ),
        (
            "MobileNetV3Small",
            {"minimalistic": True, "include_top": False, "input_shape": (224, 224, 3)},
            "weights_mobilenet_v3_small_minimalistic_224_1.0_float_no_top_v2.h5",
            f"{STORE}mobilenet_v3/weights_mobilenet_v3_small_minimalistic_224_1.0_float_no_top_v2.h5",
            "cde8136e733e811080d9fcd8a252f7e4",
        ),
        (
            "EfficientNetB0",
            {"include_top": False},
            "efficientnetb0_notop.h5",
            "https://storage.googleapis.com/keras-applications/efficientnetb0_notop.h5",
            "50bc09e76180e00e4465e1a485ddc09d",
        ),
        (
            "EfficientNetV2S",
            {},
            "efficientnetv2-s.h5",
            f"{STORE}efficientnet_v2/efficientnetv2-s.h5",
            "e1d88a8495beba45748fedd0cecbe016",
        ),
        (
            "ConvNeXtTiny",
            {"include_top": False},
            "convnext_tiny_notop.h5",
            f"{STORE}convnext/convnext_tiny_notop.h5",
            "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        ),
        (
            "NASNetMobile",
            {"include_top": False},
            "nasnet_mobile_no_top.h5",
            f"{STORE}nasnet/NASNet-mobile-no-top.h5",
            "1ed92395b5b598bdda52abe5c0dbfd63",
        ),
    ],
)
def test_published_weights(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    arguments: dict[str, Any],
    saved_as: str,
    address: str,
    file_hash: str | None,
) -> None:
    fetched: list[Any] = []
    loaded: list[Any] = []

    def get_file(fname: str, origin: str, **options: Any) -> str:
        fetched.append((fname, origin, options))
        return "the copy"

    monkeypatch.setattr(utils, "get_file", get_file, raising=False)
    monkeypatch.setattr(polykeras.Functional, "load_weights", lambda self, path: loaded.append(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(applications, name)(**arguments)
    assert fetched == [(saved_as, address, {"cache_subdir": "models", "file_hash": file_hash})]
    assert loaded == ["the copy"]


def test_published_weights_of_another_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "get_file", lambda fname, origin, **options: fname, raising=False)
    monkeypatch.setattr(polykeras.Functional, "load_weights", lambda self, path: None)
    for make in (applications.MobileNet, applications.MobileNetV2, applications.MobileNetV3Large):
        with pytest.warns(UserWarning, match="224"):
            make(include_top=False, input_shape=(64, 64, 3))
    for make, arguments in (
        (applications.MobileNet, {"alpha": 0.3}),
        (applications.MobileNet, {"depth_multiplier": 2}),
        (applications.MobileNetV2, {"alpha": 0.3}),
        (applications.MobileNetV3Small, {"alpha": 0.5}),
    ):
        with pytest.raises(ValueError, match="published"):
            make(**arguments)


# ---- pixels and classes ----------------------------------------------------------------------------------------

PIXELS = np.array([[[0.0, 127.5, 255.0], [51.0, 102.0, 204.0]]], "float32")
# By the formulas of the networks' papers and first programs, by hand.
SCALED = {
    "tf": [[[-1.0, 0.0, 1.0], [-0.6, -0.2, 0.6]]],
    "caffe": [[[151.061, 10.721, -123.68], [100.061, -14.779, -72.68]]],
    "torch": [
        [
            [-0.485 / 0.229, (0.5 - 0.456) / 0.224, (1.0 - 0.406) / 0.225],
            [(0.2 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0.8 - 0.406) / 0.225],
        ]
    ],
}
MODES = {
    "caffe": ["imagenet_utils", "resnet", "resnet50", "vgg16", "vgg19"],
    "tf": ["inception_resnet_v2", "inception_v3", "mobilenet", "mobilenet_v2", "nasnet", "resnet_v2", "xception"],
    "torch": ["densenet"],
    None: ["convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3"],
}


@pytest.mark.parametrize("mode", SCALED)
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("kind", ["host", "array", "symbol"])
def test_pixels(mode: str, batch: bool, data_format: str, kind: str) -> None:
    def laid_out(x: Any) -> np.ndarray:
        x = np.asarray(x, "float32")
        x = x.transpose(2, 0, 1) if data_format == "channels_first" else x
        return x[None].repeat(2, 0) if batch else x

    x: Any = laid_out(PIXELS).copy()
    if kind == "symbol":
        images = layers.Input(batch_shape=x.shape)
        model = polykeras.Model(images, imagenet_utils.preprocess_input(images, data_format, mode))
        found = model(x)
    else:
        x = ops.convert_to_tensor(x) if kind == "array" else x
        found = imagenet_utils.preprocess_input(x, data_format, mode)
    found = ops.convert_to_numpy(found)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, laid_out(SCALED[mode]), rtol=1e-5, atol=1e-5)


def test_pixels_of_other_kinds() -> None:
    integers = PIXELS.astype("uint8")
    assert imagenet_utils.preprocess_input(integers, mode="tf").dtype == "float32"
    np.testing.assert_array_equal(integers, PIXELS.astype("uint8"))
    floats = PIXELS.astype("float64")
    assert imagenet_utils.preprocess_input(floats, mode="tf") is floats, "Keras writes over arrays of floats"
    for arguments, message in (
        ({"mode": "pytorch"}, "one of caffe, tf, torch; received 'pytorch'"),
        ({"data_format": "first"}, "received 'first'"),
    ):
        with pytest.raises(ValueError, match=message):
            imagenet_utils.preprocess_input(PIXELS, **arguments)
    with pytest.raises(ValueError, match="3 axes"):
        imagenet_utils.preprocess_input(np.zeros((2, 2)))


def test_each_family_has_its_mode() -> None:
    assert sorted(family for families in MODES.values() for family in families) == FAMILIES
    for mode, families in MODES.items():
        expected = PIXELS if mode is None else SCALED[mode]
        for family in families:
            found = getattr(applications, family).preprocess_input(PIXELS.copy())
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=family)


def test_classes_have_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    path.write_text(json.dumps({str(i): [f"n{i:05}", f"class {i}"] for i in range(1000)}), encoding="utf-8")
    monkeypatch.setattr(utils, "get_file", lambda *args, **options: str(path), raising=False)
    imagenet_utils._class_names.cache_clear()
    scores = np.zeros((2, 1000), "float32")
    scores[0, [7, 3]] = 0.7, 0.3
    scores[1, 999] = 1.0
    try:
        first, second = applications.vgg16.decode_predictions(ops.convert_to_tensor(scores), top=2)
    finally:
        imagenet_utils._class_names.cache_clear()
    assert first == [("n00007", "class 7", np.float32(0.7)), ("n00003", "class 3", np.float32(0.3))]
    assert second[0] == ("n00999", "class 999", 1.0)
    with pytest.raises(ValueError, match=r"\(samples, 1000\); received \(2, 10\)"):
        imagenet_utils.decode_predictions(scores[:, :10])
