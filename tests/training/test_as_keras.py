"""`polykeras.as_keras` with each framework: a script of Keras's trains, `tf.keras` is the same, and the true Keras stays."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from polykeras.as_keras.places import PRIVATE, PUBLIC
from polykeras.backend import Backend
from polykeras.common.release import KERAS_RELEASE

FIT = """
import numpy as np
import keras
from keras.src.layers.core.dense import Dense

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((3,)), Dense(4, activation="relu"), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.05), "mse")
x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
losses = model.fit(x, x.sum(-1, keepdims=True), epochs=20, verbose=0).history["loss"]
assert losses[-1] < 0.5 * losses[0], losses
print(keras.backend.backend(), keras.config.backend() if hasattr(keras.config, "backend") else "")
"""
TENSORFLOW = """
import tensorflow as tf
import keras, polykeras, sys
from tensorflow import keras as other
from tensorflow.keras.layers import Dense
from tensorflow.keras import backend as K
from tensorflow.python.keras.regularizers import l2
import tensorflow.keras.layers as tfl
assert tf.keras.Model is keras.Model is polykeras.Model is other.Model
assert Dense is tfl.Dense is polykeras.layers.Dense
assert l2 is polykeras.regularizers.l2
assert tf.keras.__version__ == keras.__version__
assert not [name for name, module in sys.modules.items() if name.startswith("keras") and "polykeras" not in getattr(module, "__file__", "polykeras")]
assert float(tf.nn.relu(tf.constant(-1.0))) == 0.0
print("same")
"""


def run(script: str, install: str, **env: str) -> str:
    """Return what a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", install + script],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | env,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


INSTALL = "import polykeras.as_keras; polykeras.as_keras.install()\n"


@pytest.mark.slow
def test_a_script_of_keras_trains(backend: Backend) -> None:
    assert run(FIT, INSTALL, KERAS_BACKEND=backend.name).split()[0] == backend.name


TAPE = """
model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(1)])
optimizer = tf.keras.optimizers.SGD(0.1)
with tf.GradientTape() as tape:
    loss = tf.reduce_mean(model(tf.ones((2, 3))) ** 2)
gradients = tape.gradient(loss, model.trainable_variables)
optimizer.apply_gradients(zip(gradients, model.trainable_variables))
print(tf.keras.backend.backend())
"""
ORDERS = {
    "TensorFlow": f"import tensorflow as tf\n{TAPE}",
    "Keras first": f"import keras, tensorflow as tf\n{TAPE}",
    "from TensorFlow": f"from tensorflow import keras\nimport tensorflow as tf\n{TAPE}",
}


@pytest.mark.slow
@pytest.mark.needs("tensorflow")
@pytest.mark.parametrize("order", ORDERS)
def test_a_program_of_tensorflow_runs_on_it_where_nothing_is_said(order: str, tmp_path: Path) -> None:
    assert run(ORDERS[order], INSTALL, POLYKERAS_HOME=str(tmp_path)).split()[-1] == "tensorflow"


@pytest.mark.slow
@pytest.mark.needs("tensorflow")
def test_what_was_said_counts_before_what_is_imported(tmp_path: Path) -> None:
    script = "import tensorflow as tf\nimport keras\nprint(keras.backend.backend())"
    assert run(script, INSTALL, KERAS_BACKEND="numpy") == "numpy"
    assert (
        run(f"import polykeras; polykeras.set_backend('numpy')\n{script}", INSTALL, POLYKERAS_HOME=str(tmp_path))
        == "numpy"
    )
    (tmp_path / "polykeras.json").write_text('{"backend": "numpy"}')
    assert run(script, INSTALL, POLYKERAS_HOME=str(tmp_path)) == "numpy"


def test_keras_has_a_file() -> None:
    script = "import keras, os; print(os.path.basename(os.path.dirname(keras.__file__)))"
    assert run(script, INSTALL, POLYKERAS_BACKEND="numpy") == "polykeras"


@pytest.mark.slow
@pytest.mark.needs("tensorflow")
@pytest.mark.parametrize("install", [INSTALL, f"import tensorflow\n{INSTALL}"], ids=["before", "after"])
def test_tf_keras_is_the_same(install: str) -> None:
    assert run(TENSORFLOW, install, POLYKERAS_BACKEND="tensorflow") == "same"


def digest(folder: Path) -> str:
    """Return a hash of all sources in a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()


@pytest.mark.keras
def test_the_true_keras_is_untouched() -> None:
    spec = find_spec("keras")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    before = digest(folder)
    run(FIT, INSTALL, KERAS_BACKEND="numpy")
    assert digest(folder) == before
    assert run("import keras; print(keras.layers.Dense.__module__)", "", KERAS_BACKEND="numpy").startswith("keras.src.")


MODULES = """
from importlib import import_module
import keras
def exists(name):
    try:
        import_module(name)
        return True
    except ModuleNotFoundError:
        parent, _, last = name.rpartition(".")
        return hasattr(import_module(parent), last)  # as `keras.src.backend.nn`, a module of the current backend
print(keras.__version__)
print(sorted(name for name in PUBLIC if not exists("keras." + name)))
print(sorted(name for name in PRIVATE if not exists("keras.src." + name)))
"""


@pytest.mark.keras
def test_modules_in_the_tables_are_keras_s() -> None:
    tables = f"PUBLIC = {sorted(PUBLIC)}\nPRIVATE = {sorted(PRIVATE)}\n"
    version, public, private = run(MODULES, tables, KERAS_BACKEND="numpy").splitlines()
    assert version.split(".")[:2] == KERAS_RELEASE.split(".")[:2]
    assert public == "['preprocessing.text']"  # in `tf.keras` alone
    assert private == "['layers.rnn.dropout_rnn_cell_mixin']"  # in Keras 2 alone


LISTED = """
import pkgutil, keras
print(*sorted(name[6:] for _, name, package in pkgutil.walk_packages(keras.__path__, "keras.")
              if package and not name.startswith(("keras.src", "keras._tf_keras"))))
"""


@pytest.mark.keras
def test_all_public_modules_of_keras_are_in_the_table() -> None:
    found = set(run(LISTED, "", KERAS_BACKEND="numpy").split())
    assert found == PUBLIC - {"preprocessing.text"}
