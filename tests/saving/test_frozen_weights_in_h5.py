"""Single frozen weights do not change what an `.h5` file holds."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import polykeras

GAMMA, BETA = [5.0, 6.0], [1.0, 2.0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    layer = polykeras.layers.BatchNormalization(name="norm")
    model = polykeras.Sequential([polykeras.Input((2,)), layer])
    layer.gamma.assign(GAMMA)
    layer.beta.assign(BETA)
    layer.gamma.trainable = False
    model.save(tmp_path / "model.h5")
    return tmp_path / "model.h5"


def read(path: Path) -> list[list[float]]:
    layer = polykeras.saving.load_model(path).layers[0]
    return [polykeras.ops.convert_to_numpy(weight).tolist() for weight in (layer.gamma, layer.beta)]


def test_they_come_back(path: Path) -> None:
    assert read(path) == [GAMMA, BETA]


def test_a_file_with_frozen_weights_last_is_read_by_their_names(path: Path) -> None:  # as Keras writes them
    with h5py.File(path, "r+") as file:
        attributes = file["model_weights/norm"].attrs
        names = list(attributes["weight_names"])
        assert [name.decode().rpartition("/")[2] for name in names] == [
            "gamma",
            "beta",
            "moving_mean",
            "moving_variance",
        ]
        attributes["weight_names"] = [names[1], names[0], *names[2:]]
    assert read(path) == [GAMMA, BETA]


@pytest.mark.keras
def test_keras_reads_them(path: Path) -> None:
    from differential.opponent import keras

    read_by_keras = keras().saving.load_model(path).layers[0]
    np.testing.assert_allclose([read_by_keras.gamma, read_by_keras.beta], [GAMMA, BETA])
