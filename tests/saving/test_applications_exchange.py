"""Networks of Keras 3 and ours: one's files of weights give the other's predictions, also after training."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import applications, ops

pytestmark = [pytest.mark.slow, pytest.mark.keras]

SMALL = {"input_shape": (32, 32, 3), "classes": 10}
# One of each family, as small as it goes, and whether it is trained too. Those with dropout draw other masks than Keras.
CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "ResNet50": (SMALL, True),
    "ResNet50V2": (SMALL, False),
    "VGG16": ({"input_shape": (32, 32, 3), "include_top": False, "pooling": "max"}, False),
    "VGG19": ({"input_shape": (32, 32, 3), "include_top": False, "pooling": "avg"}, False),
    "MobileNet": (SMALL | {"alpha": 0.25}, False),
    "MobileNetV2": (SMALL | {"alpha": 0.35}, True),
    "MobileNetV3Small": (SMALL, False),
    "MobileNetV3Large": (SMALL | {"minimalistic": True, "alpha": 0.75}, False),
    "EfficientNetB0": (SMALL, False),
    "EfficientNetV2B0": (SMALL, False),
    "EfficientNetV2S": (SMALL, False),
    "DenseNet121": (SMALL, False),
    "InceptionV3": ({"input_shape": (75, 75, 3), "classes": 10}, False),
    "InceptionResNetV2": ({"input_shape": (75, 75, 3), "classes": 10}, False),
    "Xception": ({"input_shape": (71, 71, 3), "classes": 10}, False),
    "ConvNeXtTiny": (SMALL, False),
    "NASNetMobile": (SMALL, False),
}


class Keras:
    """Keras's side of the tests: a process that makes one network after the other.

    Attributes:
        folder: where it writes; each network replaces the last one, since together they are large.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = Path(__file__).with_name("applications_keras_side.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program), str(folder)],
            env=os.environ | {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def make(self, *asked: Any) -> tuple[list[Any], dict[str, np.ndarray]]:
        """Return the signature of the network's constructor, and the arrays that came with it."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        signature = json.loads(process.stdout.readline())
        with np.load(self.folder / "results.npz") as file:
            return signature, dict(file)

    def close(self) -> None:
        """End the process, and remove its files."""
        self._process.communicate()
        for path in self.folder.iterdir():
            path.unlink()


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keras]:
    side = Keras(tmp_path_factory.mktemp("applications"))
    yield side
    side.close()


@pytest.mark.parametrize("name", CASES)
def test_weights_of_keras(name: str, keras: Keras) -> None:
    arguments, training = CASES[name]
    signature, expected = keras.make(name, arguments, training)
    make = getattr(applications, name)
    assert [[p.name, p.default] for p in inspect.signature(make).parameters.values()] == signature
    with polykeras.use_backend("torch"):
        for file in ("new.weights.h5", "old.h5"):
            model = make(weights=keras.folder / file, **arguments)
            np.testing.assert_allclose(_scores(model, expected["x"]), expected["y"], rtol=5e-3, atol=1e-4, err_msg=file)
        assert np.ptp(expected["y"], axis=0).max() > 1e-3, "all images look alike: the comparison says little"
        if training:
            model.compile(polykeras.optimizers.SGD(1e-4), "sparse_categorical_crossentropy")
            losses = []
            for _ in range(2):
                model.reset_metrics()
                losses.append(model.train_on_batch(expected["x"], np.arange(len(expected["x"]))))
            np.testing.assert_allclose(losses, expected["losses"], rtol=1e-3)
            np.testing.assert_allclose(_scores(model, expected["x"]), expected["trained"], rtol=1e-2, atol=1e-4)


def _scores(model: Any, x: np.ndarray) -> np.ndarray:
    return ops.convert_to_numpy(model(x, training=False))
