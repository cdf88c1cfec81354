"""`polykeras.as_keras`: what `import keras` finds in a process in which polykeras stands for Keras."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polykeras.as_keras.places import LEGACY_PATHS, PRIVATE, PUBLIC, is_module, sources_of

INSTALL = "import polykeras.as_keras; polykeras.as_keras.install()\n"


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python on the numpy backend."""
    env = os.environ | {"POLYKERAS_BACKEND": "numpy"}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=cwd, timeout=120)


def printed(script: str) -> str:
    """Return what a script prints after `install()`."""
    done = run("-c", INSTALL + script)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


IMPORTS = """
import keras, polykeras
from keras import layers, ops, Model
import keras.src.callbacks
from keras.src.layers.rnn.lstm import LSTM
from keras.src.models.functional import Functional
from keras.src.models.sequential import Sequential
from keras.src.losses.losses import MeanSquaredError
from keras.src.saving import register_keras_serializable, serialization_lib
from keras.src.backend import get_keras_mask, standardize_dtype
from keras.src.backend.common.keras_tensor import KerasTensor
from keras.src.backend.tensorflow.numpy import matmul
from keras.src.optimizers.schedules.learning_rate_schedule import ExponentialDecay
from keras.src.api_export import keras_export
from keras._tf_keras.keras.layers import Dense
from keras.src.utils.jax_layer import FlaxLayer, JaxLayer
from keras_core.layers import Dense as OfKerasCore
from keras.layers.core import Dropout
from keras.layers.convolutional import Conv2D
from keras.engine.topology import Layer
from keras.layers import merge
from keras.layers.experimental import preprocessing
from keras.layers.experimental.preprocessing import Rescaling
from keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor
from keras.optimizers.experimental import Adam
from keras.utils import multi_gpu_model
from keras.utils.io_utils import HDF5Matrix
from keras.utils.np_utils import to_categorical
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.merging.base_merge import Merge
from keras.src.layers.pooling.base_pooling import BasePooling
from keras.src.layers.pooling.base_global_pooling import BaseGlobalPooling
from keras.src.backend.common.variables import KerasVariable
from keras.src.utils.image_utils import smart_resize
assert issubclass(Conv2D, BaseConv) and issubclass(layers.Conv2DTranspose, BaseConv)
assert issubclass(layers.Add, Merge) and issubclass(layers.MaxPooling2D, BasePooling)
assert issubclass(layers.GlobalAveragePooling1D, BaseGlobalPooling) and KerasVariable is keras.Variable
assert callable(merge) and Adam is keras.optimizers.Adam
assert preprocessing.Rescaling is Rescaling is layers.Rescaling is layers.experimental.preprocessing.Rescaling
assert layers.Dense is Dense is OfKerasCore is polykeras.layers.Dense
assert LSTM is polykeras.layers.LSTM and Model is polykeras.Model and Layer is polykeras.Layer
assert keras.src.ops.random.uniform is keras.random.uniform is polykeras.random.uniform
assert FlaxLayer is layers.FlaxLayer and JaxLayer is layers.JaxLayer
assert keras.src.callbacks.History is polykeras.callbacks.History
assert serialization_lib.deserialize_keras_object is polykeras.saving.deserialize_keras_object
assert matmul is ops.matmul is polykeras.ops.matmul
assert keras.src.utils.naming.auto_name("MyDense") == "my_dense"
assert keras_export("keras.layers.Mine")(Dense) is Dense
from keras.src.version import __version__ as version_of_src
assert keras.src.__version__ == version_of_src == keras.version()
print(keras.__version__, keras.version(), "Dense" in dir(layers))
"""


def test_libraries_imports_are_answered() -> None:
    version, again, listed = printed(IMPORTS).split()
    assert version == again
    assert version.startswith("3.")
    assert listed == "True"


def test_star_imports_bring_public_names() -> None:
    assert printed(
        "from keras.src.ops import *; from keras.layers import *; print(softmax.__name__, Dense.__name__)"
    ) == ("softmax Dense")


def test_star_imports_bring_public_modules() -> None:
    assert printed(
        "from keras import *; print(layers.Dense.__name__, optimizers.schedules.__name__, ops.nn.__name__)"
    ) == ("Dense keras.optimizers.schedules keras.ops.nn")


@pytest.mark.parametrize(
    "statement",
    [
        "import keras.nothing",
        "import keras.layers.nothing",
        "import keras.src.nothing",
        "import keras.layers.base",  # a module of polykeras that Keras does not have
        "from keras.layers import Nothing",
        "from keras.src.layers import nothing",
        "from keras.src.layers import Nothing",
    ],
)
def test_what_keras_does_not_have_is_an_import_error(statement: str) -> None:
    script = f"try:\n    {statement}\nexcept ImportError as error:\n    print(error)"
    assert "othing" in (text := printed(script)) or "keras.layers.base" in text


def test_a_view_says_what_it_lacks_and_where() -> None:
    text = printed("import keras\ntry: keras.layers.Nothing\nexcept AttributeError as error: print(error)")
    assert text == "module 'keras.layers' has no attribute 'Nothing'"


def test_the_backend_has_the_class_of_variables() -> None:
    assert printed("import keras; from keras import backend; print(backend.Variable is keras.Variable)") == "True"


def test_a_second_call_changes_nothing() -> None:
    assert printed(INSTALL + "import sys; print(sum('Keras' in type(f).__name__ for f in sys.meta_path))") == "1"


SCRIPT = """
import sys, keras
from neighbour import WIDTH
print(sys.argv[1:], __name__, keras.layers.Dense(WIDTH).__class__.__module__)
"""


def test_scripts_and_modules_run_as_under_python_itself(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("WIDTH = 3")
    (tmp_path / "script.py").write_text(SCRIPT)
    by_path = run("-m", "polykeras.as_keras", str(tmp_path / "script.py"), "--epochs", "2")
    assert by_path.stdout.strip() == "['--epochs', '2'] __main__ polykeras.layers.core.dense", by_path.stderr
    env_path = os.environ.get("PYTHONPATH", "")
    by_module = subprocess.run(
        [sys.executable, "-m", "polykeras.as_keras", "-m", "script", "x"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), env_path])},
        timeout=120,
    )
    assert by_module.stdout.strip() == "['x'] __main__ polykeras.layers.core.dense", by_module.stderr


def test_usage() -> None:
    done = run("-m", "polykeras.as_keras")
    assert done.returncode == 2
    assert "script.py" in done.stderr
    assert run("-m", "polykeras.as_keras", "--help").returncode == 0


def test_without_install_nothing_is_found_by_this_finder() -> None:
    done = run("-c", "import sys, polykeras.as_keras; print(any('Keras' in type(f).__name__ for f in sys.meta_path))")
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize("name", sorted(PRIVATE | LEGACY_PATHS.keys()))
def test_each_module_of_the_tables_has_names(name: str) -> None:
    path = f"src.{name}"
    assert is_module(path)
    assert sources_of(path)


def test_tables_name_no_module_twice() -> None:
    assert not PRIVATE & PUBLIC
    assert not LEGACY_PATHS.keys() & PUBLIC
