"""Preprocessing layers in a map over a `tf.data.Dataset`, whatever the backend is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polykeras import layers
from polykeras.backend import Backend

tf = pytest.importorskip("tensorflow")
IMAGES = np.random.default_rng(0).integers(0, 255, (4, 6, 8, 3)).astype("uint8")

SAME = {
    "Resizing": lambda: layers.Resizing(3, 5),
    "CenterCrop": lambda: layers.CenterCrop(4, 4),
    "Rescaling": lambda: layers.Rescaling(1 / 255.0),
    "Pipeline": lambda: layers.Pipeline([layers.Resizing(3, 5), layers.Rescaling(2.0)]),
    "AutoContrast": lambda: layers.AutoContrast(),
    "RandomFlip": lambda: layers.RandomFlip(seed=1),
    "RandomRotation": lambda: layers.RandomRotation(0.2, seed=1),
    "RandomCrop": lambda: layers.RandomCrop(4, 4, seed=1),
    "RandomBrightness": lambda: layers.RandomBrightness(0.2, seed=1),
}


@pytest.mark.parametrize("name", SAME)
def test_a_layer_in_a_map(backend: Backend, name: str) -> None:
    data = tf.data.Dataset.from_tensor_slices(IMAGES).batch(4)
    layer, same = SAME[name](), SAME[name]()
    (found,) = data.map(layer)
    np.testing.assert_allclose(found.numpy(), backend.to_numpy(same(IMAGES)), rtol=1e-4, atol=1e-3)
    (pair,) = data.map(lambda x: (SAME[name]()(x), x[:, 0, 0, 0]))
    np.testing.assert_array_equal(pair[1], IMAGES[:, 0, 0, 0])
    spec = data.map(SAME[name]()).element_spec
    assert tuple(spec.shape)[1:] == found.shape[1:]
    assert spec.dtype == found.dtype


def test_images_with_labels_and_boxes(backend: Backend) -> None:
    data = {
        "images": IMAGES.astype("float32"),
        "labels": np.arange(4.0, dtype="float32"),
        "bounding_boxes": {"boxes": np.tile(np.float32([[[1, 1, 4, 3]]]), (4, 1, 1)), "labels": np.ones((4, 1))},
    }
    layer = layers.RandomFlip("horizontal", seed=3, bounding_box_format="xyxy")
    (found,) = tf.data.Dataset.from_tensor_slices(data).batch(4).map(layer)
    expected = layers.RandomFlip("horizontal", seed=3, bounding_box_format="xyxy")(data)
    np.testing.assert_allclose(found["images"].numpy(), backend.to_numpy(expected["images"]))
    boxes = backend.to_numpy(expected["bounding_boxes"]["boxes"])
    np.testing.assert_allclose(found["bounding_boxes"]["boxes"].numpy(), boxes)


def test_random_numbers_go_on_from_batch_to_batch(backend: Backend) -> None:
    layer = layers.RandomRotation(0.5, seed=1)
    data = tf.data.Dataset.from_tensor_slices(IMAGES[[0, 0, 0, 0]]).batch(1).map(layer)
    first, second, *_ = (x.numpy() for x in data)
    assert not np.allclose(first, second)


SCRIPT = """
import numpy as np, tensorflow as tf
import polykeras as keras
resize = keras.layers.Resizing(3, 5)
normalize = keras.layers.Normalization(mean=1.0, variance=4.0)
data = tf.data.Dataset.from_tensor_slices(np.ones((4, 6, 8, 3), "float32")).batch(2)
def prepare(x):
    if tf.shape(x)[0] > 1:
        x = x * 2.0
    return normalize(resize(x))
for x in data.map(prepare):
    print(x.shape, float(x[0, 0, 0, 0]))
"""


@pytest.mark.slow
@pytest.mark.needs("torch")
def test_a_program_that_loads_no_backend_for_tensorflow(tmp_path: Path) -> None:
    script = tmp_path / "program.py"  # AutoGraph reads the source
    script.write_text(SCRIPT)
    env = os.environ | {"POLYKERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300, env=env)
    assert done.stdout.split("\n")[:2] == ["(2, 3, 5, 3) 0.5"] * 2, done.stderr
