"""Checkpoints in Orbax's format: what they hold, that training goes on meanwhile, and that Keras reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polykeras import callbacks, layers, models, optimizers, saving
from polykeras.saving.orbax import complete_steps

pytest.importorskip("orbax.checkpoint")
from orbax.checkpoint import multihost
from orbax.checkpoint.experimental import v1

X, Y = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3), np.linspace(0, 1, 8, dtype="float32")[:, None]


pytestmark = [pytest.mark.usefixtures("backend"), pytest.mark.together]


def _model(units: int = 4, name: str = "hidden") -> Any:
    inner = models.Sequential([layers.Input((units,)), layers.Dense(units, "tanh", name=f"{name}_too")])
    first = layers.Dense(units, name=name)
    made = models.Sequential([layers.Input((3,)), first, layers.Dropout(0.5), layers.BatchNormalization(), inner])
    made.add(layers.Dense(1))
    made.compile(optimizers.Adam(0.01), "mse", metrics=["mae"])
    return made


def _fit(model: Any, *given: Any, epochs: int = 3, **more: Any) -> Any:
    return model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=list(given), **more)


def _values(model: Any) -> list[np.ndarray]:
    return [variable.numpy() for variable in [*model.variables, *model.optimizer.variables]]


def _same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def test_a_loaded_model_goes_on_as_the_saved_one(tmp_path: Path) -> None:
    model = _model()
    _fit(model, callbacks.OrbaxCheckpoint(tmp_path))
    loaded: Any = saving.load_model(tmp_path)
    assert _same(_values(loaded), _values(model))
    assert complete_steps(tmp_path) == [2]
    assert _same(_values(saving.load_model(tmp_path / "2")), _values(model))
    assert saving.load_model(tmp_path, compile=False).optimizer is None
    one, other = (_fit(each).history for each in (model, loaded))
    assert one == other
    assert _same(_values(loaded), _values(model))


def test_weights_go_into_a_model_of_the_same_kind(tmp_path: Path) -> None:
    model, other = _model(), _model()
    _fit(model, callbacks.OrbaxCheckpoint(tmp_path))
    other.load_weights(tmp_path)
    assert _same(_values(other), _values(model))
    larger = _model(5)
    before = [variable.numpy() for variable in larger.variables]
    with pytest.raises(saving.SavedFileError, match=r"kernel.* has the shape \(3, 5\); received \(3, 4\)"):
        larger.load_weights(tmp_path)
    assert _same([variable.numpy() for variable in larger.variables], before)
    with pytest.warns(UserWarning, match=r"left out: .*has the shape"):
        larger.load_weights(tmp_path, skip_mismatch=True)
    assert larger.layers[-1].bias.numpy() == model.layers[-1].bias.numpy()


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({}, [2]),
        ({"max_to_keep": 2}, [1, 2]),
        ({"max_to_keep": None}, [0, 1, 2]),
        ({"save_freq": 4, "max_to_keep": None}, [4]),
        ({"save_freq": 1, "max_to_keep": 3}, [4, 5, 6]),
        ({"save_best_only": True, "monitor": "loss", "mode": "max", "max_to_keep": None}, [0]),
        ({"save_best_only": True, "monitor": "loss", "initial_value_threshold": 0.0}, []),
        ({"save_on_background": False, "max_to_keep": None}, [0, 1, 2]),
    ],
)
def test_which_steps_stay(tmp_path: Path, given: dict[str, Any], steps: list[int]) -> None:
    model = models.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(optimizers.SGD(0.01), "mse")
    _fit(model, callbacks.OrbaxCheckpoint(tmp_path, **given))
    assert complete_steps(tmp_path) == steps
    assert sorted(os.listdir(tmp_path)) == sorted(map(str, steps))


def test_a_run_that_goes_on_counts_on(tmp_path: Path) -> None:
    model = _model()
    _fit(model, callbacks.OrbaxCheckpoint(tmp_path, save_freq=2), epochs=2)
    # What a process that was killed leaves: a step being written, one being removed.
    for name in ("9.orbax-checkpoint-tmp", "8"):
        (tmp_path / name / "pytree").mkdir(parents=True)
    loaded: Any = saving.load_model(tmp_path)
    _fit(loaded, callbacks.OrbaxCheckpoint(tmp_path, save_freq=2), epochs=1)
    assert complete_steps(tmp_path) == [6]


def test_steps_of_an_earlier_run_are_named(tmp_path: Path) -> None:
    _fit(_model(), callbacks.OrbaxCheckpoint(tmp_path))
    with pytest.warns(UserWarning, match=r"holds step 2 of an earlier run, and this run begins with step 0"):
        _fit(_model(), callbacks.OrbaxCheckpoint(tmp_path), epochs=1)
    assert complete_steps(tmp_path) == [0]


def test_weights_alone(tmp_path: Path) -> None:
    model = _model()
    _fit(model, callbacks.OrbaxCheckpoint(tmp_path, save_weights_only=True))
    with pytest.raises(saving.SavedFileError, match=r"holds weights alone\. Build the model in code"):
        saving.load_model(tmp_path)
    loaded = models.clone_model(model)
    names = [layer.name for layer in loaded.layers]
    assert names == [layer.name for layer in model.layers]
    again = _model()
    with pytest.raises(saving.SavedFileError, match="has no value for this variable of the model"):
        again.load_weights(tmp_path)  # its layers have other names, and the checkpoint tells no order


class Held:
    """Orbax's function that saves, which waits in the background until it may go on."""

    def __init__(self, fails: bool = False) -> None:
        self.may = threading.Event()
        self.fails = fails
        self.save = v1.save_checkpointables_async

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        made, held = self.save(*args, **kwargs), self

        class Later:
            def result(self) -> None:
                held.may.wait(30)
                made.result()
                if held.fails:
                    raise OSError("the disk is full")

        return Later()


def test_training_goes_on_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, seen, model = Held(), [], _model()
    monkeypatch.setattr(v1, "save_checkpointables_async", held)
    told = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch), on_epoch_end=lambda epoch, logs: held.may.set()
    )
    saving_at_first = callbacks.OrbaxCheckpoint(tmp_path, save_freq=1, max_to_keep=None)

    class Once(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 0:
                kept.extend(_values(model))

    kept: list[np.ndarray] = []
    saving_at_first.is_time = lambda batch: batch == 0
    _fit(model, Once(), saving_at_first, told, epochs=1)
    assert seen == [0, 1]  # the second step did not wait for the first one's checkpoint
    assert not _same(kept, _values(model))
    assert _same(kept, _values(saving.load_model(tmp_path)))


def test_an_error_in_the_background_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(fails=True)
    held.may.set()
    monkeypatch.setattr(v1, "save_checkpointables_async", held)
    with pytest.raises(OSError, match="the disk is full"):
        _fit(_model(), callbacks.OrbaxCheckpoint(tmp_path), epochs=1)


def test_several_processes_of_jax_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multihost, "process_count", lambda: 2)
    with pytest.raises(NotImplementedError, match="Orbax waits for all 2 processes of JAX"):
        _fit(_model(), callbacks.OrbaxCheckpoint(tmp_path))


@saving.register_keras_serializable("orbax")
class Words(layers.Layer):
    """A layer with a file of its own."""

    words: str = ""

    def call(self, x: Any) -> Any:
        return x

    def save_assets(self, dir_path: str) -> None:
        Path(dir_path, "words.txt").write_text(self.words)

    def load_assets(self, dir_path: str) -> None:
        self.words = Path(dir_path, "words.txt").read_text()


def test_files_of_layers(tmp_path: Path) -> None:
    layer = Words()
    layer.words = "Grüße"
    model = models.Sequential([layers.Input((3,)), layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    _fit(model, callbacks.OrbaxCheckpoint(tmp_path), epochs=1)
    loaded: Any = saving.load_model(tmp_path)
    assert loaded.layers[0].words == "Grüße"


def test_checkpoints_of_strangers(tmp_path: Path) -> None:
    (tmp_path / "0" / "pytree").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no model"):
        saving.load_model(tmp_path)
    (tmp_path / "0" / "_CHECKPOINT_METADATA").write_text("{")
    with pytest.raises(saving.SavedFileError):
        saving.load_model(tmp_path)
    v1.save_checkpointables(tmp_path / "1", {"pytree": {"a": np.ones(2)}, "model_config": {"config": "[" * 9000}})
    with pytest.raises(saving.SavedFileError, match="model_config"):
        saving.load_model(tmp_path)


_IN_KERAS = """
import json, sys
import numpy as np
import keras
keras.utils.set_random_seed(1)
folder, what = sys.argv[1:]
x, y = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3), np.linspace(0, 1, 8, dtype="float32")[:, None]
if what == "write":
    inputs = keras.Input((3,))
    inner = keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(4, name="first")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, name="last")(inner))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(x, y, epochs=2, verbose=0, callbacks=[keras.callbacks.OrbaxCheckpoint(folder)])
else:
    model = keras.saving.load_model(folder)
print(json.dumps([np.sum(model.predict(x, verbose=0)).item(), int(model.optimizer.iterations),
    [float(np.sum(np.abs(v))) for v in [*model.weights, *model.optimizer.variables]]]))
"""


def _keras(folder: Path, what: str) -> list[Any]:
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONWARNINGS": "ignore"}
    ran = subprocess.run(
        [sys.executable, "-c", _IN_KERAS, str(folder), what],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def _ours(model: Any) -> list[Any]:
    found = [*model.weights, *model.optimizer.variables]
    return [
        float(np.sum(model.predict(X, verbose=0))),
        int(model.optimizer.iterations.numpy()),
        [float(np.sum(np.abs(variable.numpy()))) for variable in found],
    ]


def _near(one: list[Any], other: list[Any]) -> None:
    np.testing.assert_allclose(np.hstack(one), np.hstack(other), rtol=1e-5, atol=1e-5)


@pytest.mark.keras
def test_exchange_with_keras(tmp_path: Path) -> None:
    told = _keras(tmp_path / "theirs", "write")
    model: Any = saving.load_model(tmp_path / "theirs")
    _near(_ours(model), told)
    _fit(model, callbacks.OrbaxCheckpoint(tmp_path / "ours"), epochs=1)
    _near(_keras(tmp_path / "ours", "read"), _ours(model))
