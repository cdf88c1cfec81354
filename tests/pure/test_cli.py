"""The command `polykeras`: what each command prints, and its exit status. Backends meet in `tests/parity`."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import polykeras as keras
from polykeras.cli import COMMANDS, _parser, doctor, main
from polykeras.cli.bench import _compare
from polykeras.cli.data import prepared_experiment
from polykeras.cli.differences import difference
from polykeras.cli.models import Experiment
from polykeras.cli.texts import print_json, size, table

ROOT = Path(__file__).parents[2]
SCRIPT = """
import numpy as np
import polykeras as keras
from polykeras import layers
from neighbour import WIDTH

def small():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(WIDTH, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model

def secret():
    return keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x * 2)])

@keras.saving.register_keras_serializable("mine")
class Double(layers.Layer):
    def call(self, inputs):
        return 2 * inputs

def doubling():
    return keras.Sequential([keras.Input((4,)), Double()])

def broken():
    return 1 / 0

def number():
    return 3

def four():
    return 1, 2, 3, 4

def nothing():
    small()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script, which is current."""
    (tmp_path / "neighbour.py").write_text("WIDTH = 8")
    (tmp_path / "nets.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "neighbour", raising=False)  # that of another test
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that is to end with 0; returns what it prints."""
    assert main(arguments) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that cannot be run; returns its line on stderr."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("polykeras: ")
    assert printed.err.count("\n") == 1
    return printed.err


# ---- the command itself ----------------------------------------------------------------------------------------------


def processed(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=120)


def test_the_entry_points() -> None:
    module = processed("-m", "polykeras", "--version")
    assert module.stdout == f"polykeras {keras.version()}\n", module.stderr
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    path, _, name = project["scripts"]["polykeras"].partition(":")
    script = processed("-c", f"import sys; from {path} import {name}; sys.exit({name}())", "show", "nothing.keras")
    assert (script.returncode, script.stdout) == (2, "")
    assert script.stderr.startswith("polykeras: There is no file 'nothing.keras'.")


def test_the_package_does_not_load_it() -> None:
    done = processed("-c", "import sys, polykeras; print([m for m in sys.modules if m.startswith('polykeras.cli')])")
    assert done.stdout.strip() == "[]", done.stderr


def test_without_arguments_it_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    assert "usage: polykeras" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*filter(None, [command]), "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: polykeras {command}".strip() in text
    assert all(name in text for name in COMMANDS) or command


def test_the_page_shows_commands_and_options_that_there_are() -> None:
    page = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    shown = [line.split() for line in re.findall(r"^\$ polykeras (.*)$", page, re.MULTILINE)]
    assert {command for command, *_ in shown} == set(COMMANDS)
    for arguments in shown:
        assert arguments[0] == "as-keras" or _parser().parse_args(arguments).command == arguments[0]
    options = {name for action in _parser()._actions for name in _names(action)}
    named = set(re.findall(r"`(--[\w-]+)", page))
    assert len(named) > 10
    assert named - options == set()


def _names(action: argparse.Action) -> list[str]:
    """Return the options of an action, and of the commands that it has."""
    commands = action.choices.values() if isinstance(action.choices, dict) else ()
    return [*action.option_strings, *(name for parser in commands for part in parser._actions for name in _names(part))]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "Unknown command 'nothing'. Known: doctor, show"),
        (["shwo", "m.keras"], "Unknown command 'shwo'. Did you mean 'show'?"),
        (["--nothing"], "COMMAND"),
        (["show"], "MODEL"),
        (["show", "m.keras", "--wrong"], "--wrong (`polykeras show --help` explains the arguments)"),
        (["bench", "m.keras"], "polykeras: There is no file 'm.keras'"),
        (["bench", "m.keras", "--rounds", "0"], "expected an int, 1 or greater; received '0'"),
        (["show", "m.keras"], "There is no file 'm.keras'"),
        (["show", "nets.py"], "script.py:function"),
        (["show", "other.py:small"], "There is no script 'other.py'"),
        (["show", "nets.py:large"], "It has small, secret, Double, doubling, broken, number, four, nothing."),
        (["show", "nets.py:broken"], "nets.py:24: ZeroDivisionError: division by zero"),
        (["show", "nets.py:number"], "nets.py:number returned 'int'; expected a model"),
        (["show", "nets.py:nothing"], "nets.py:nothing returned None; does it lack a `return model`?"),
        (["show", "."], "The folder '.' holds no model: there is no config.json in it."),
        (["show", "nets.py:four"], "returned 4 values"),
        (["parity", "nets.py:small", "--backends", "numpi,numpy"], "Unknown backend 'numpi'. Did you mean 'numpy'?"),
        (["parity", "nets.py:small", "--backends", "numpy"], "Expected 2 backends or more"),
        (["as-keras"], "expected script.py or -m module"),
        (["as-keras", "other.py"], "there is no script 'other.py'"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refusal(capsys, *arguments)


def test_a_traceback_is_shown_where_it_is_asked_for(folder: Path) -> None:
    (folder / "broken.keras").write_text("nothing")
    with pytest.raises(keras.saving.SavedFileError, match="zip"):
        main(["show", "broken.keras", "--traceback"])


def test_warnings_are_one_line(folder: Path) -> None:
    program = "import warnings; warnings.warn('two\\nlines'); raise SystemExit"
    (folder / "warns.py").write_text(f"def f():\n    {program.replace('; ', chr(10) + '    ')}")
    done = processed("-m", "polykeras", "show", "warns.py:f")
    assert done.stderr == "polykeras: warning: two lines\n"


def test_as_keras_runs_a_script(folder: Path) -> None:
    (folder / "old.py").write_text("import sys, keras\nprint(keras.layers.Dense.__module__, sys.argv[1:])\nsys.exit(5)")
    done = processed("-m", "polykeras", "as-keras", "old.py", "--help", "x", POLYKERAS_BACKEND="numpy")
    assert done.stdout.strip() == "polykeras.layers.core.dense ['--help', 'x']", done.stderr
    assert done.returncode == 5


def test_scripts_may_import_keras(folder: Path) -> None:
    (folder / "old.py").write_text(
        "import keras\ndef f(): return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])"
    )
    done = processed("-m", "polykeras", "show", "old.py:f", "--as-keras", "--json")
    assert json.loads(done.stdout)["sizes"][0]["parameters"] == 3, done.stderr


# ---- show ------------------------------------------------------------------------------------------------------------


def test_show_tells_layers_and_sizes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "convert", "nets.py:small", "m.keras")
    text = run(capsys, "show", "m.keras")
    assert "dense" in text
    assert ["trainable", "float32", "4", "67", "268", "bytes"] in [line.split() for line in text.splitlines()]
    report = json.loads(run(capsys, "show", "m.keras", "--json"))
    assert report["sizes"][0] == {"kind": "trainable", "dtype": "float32", "arrays": 4, "parameters": 67, "bytes": 268}
    assert report["file_bytes"] == os.path.getsize("m.keras")
    assert [layer["parameters"] for layer in report["layers"]] == [40, 27]


def test_show_lists_weights(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "convert", "nets.py:small", "m.npz")
    report = json.loads(run(capsys, "show", "m.npz", "--json"))
    assert report["arrays"]["layers/dense/vars/0"] == {"dtype": "float32", "shape": [4, 8]}
    assert "layers/dense/vars/0" in run(capsys, "show", "m.npz")
    assert "--plot" in refusal(capsys, "show", "m.npz", "--plot", "p.png")


def test_show_prints_a_program(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with keras.use_backend("numpy"):
        text = run(capsys, "show", "nets.py:small", "--program", "train")
        assert text.endswith("on numpy\n# it runs as plain Python: nothing is compiled\n")
        report = json.loads(run(capsys, "show", "nets.py:small", "--program", "predict", "--json"))
        assert report["step"] == "predict"
        assert report["program"].startswith("# predict_step of model 'sequential")
        run(capsys, "convert", "nets.py:small", "m.npz")
        assert "--program" in refusal(capsys, "show", "m.npz", "--program", "train")


def test_show_draws(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "p.png" in run(capsys, "show", "nets.py:small", "--plot", "p.png")
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")


def test_code_in_files_is_not_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("secret.keras", "secret.json"):
        run(capsys, "convert", "nets.py:secret", name)
        assert "--unsafe" in refusal(capsys, "show", name)
        assert "Lambda" in run(capsys, "show", name, "--unsafe")


def test_a_script_registers_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with keras.saving.CustomObjectScope({}):
        run(capsys, "convert", "nets.py:doubling", "m.keras")
        keras.saving.get_custom_objects().pop("mine>Double")
        assert "Double" in refusal(capsys, "show", "m.keras")
        assert "Double" in run(capsys, "show", "m.keras", "--register", "nets.py")
        keras.saving.get_custom_objects().pop("mine>Double")


# ---- convert ---------------------------------------------------------------------------------------------------------

MODELS = ("a.keras", "a.h5", "a.hdf5", "a_folder")
WEIGHTS = ("a.weights.h5", "a.npz", "a.safetensors", "a.weights.json")


@pytest.mark.filterwarnings("ignore:.*optimizer's state is not loaded")  # which .h5 has for a trained one alone
def test_each_model_becomes_each_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "convert", "nets.py:small", "first.keras")
    expected = keras.saving.load_model("first.keras").get_weights()
    for source in MODELS:
        run(capsys, "convert", "first.keras", source)
        for target in MODELS:
            made = f"from_{source.replace('.', '_')}_{target}"
            run(capsys, "convert", source, made)
            for array, other in zip(keras.saving.load_model(made).get_weights(), expected, strict=True):
                np.testing.assert_array_equal(array, other)


def test_each_file_of_weights_becomes_each_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "convert", "nets.py:small", "first.keras")
    run(capsys, "convert", "first.keras", "first.json")
    expected = keras.saving.load_model("first.keras").get_weights()
    for source in WEIGHTS:
        assert "left out: layers" in run(capsys, "convert", "first.keras", source)
        for target in WEIGHTS:
            made = f"from_{source.replace('.', '_')}_{target}"
            run(capsys, "convert", source, made)
            model = f"{made}.keras"
            assert "made up" not in run(capsys, "convert", made, model, "--model", "first.json")
            for array, other in zip(keras.saving.load_model(model).get_weights(), expected, strict=True):
                np.testing.assert_array_equal(array, other)


def test_an_architecture_becomes_a_model_of_new_weights(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "left out: weights" in run(capsys, "convert", "nets.py:small", "m.json")
    assert "made up: weights" in run(capsys, "convert", "m.json", "m.keras")
    assert "made up: weights" in run(capsys, "convert", "m.json", "m.npz")
    assert keras.saving.load_model("m.keras").count_params() == 67


def test_convert_reports_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = json.loads(run(capsys, "convert", "nets.py:small", "m.weights.json", "--json"))
    assert (report["kind"], report["arrays"]) == ("weights", 4)
    assert report["bytes"] == sum(path.stat().st_size for path in Path().glob("m*.weights.*"))


def test_convert_refuses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "convert", "nets.py:small", "m.npz")
    before = Path("m.npz").read_bytes()
    assert "--force" in refusal(capsys, "convert", "nets.py:small", "m.npz")
    assert Path("m.npz").read_bytes() == before
    assert "--model" in refusal(capsys, "convert", "m.npz", "m.keras")
    assert ".safetensors" in refusal(capsys, "convert", "m.npz", "m.bin")
    assert "There is no file 'n.npz'" in refusal(capsys, "convert", "n.npz", "o.npz")
    assert "--max-shard-size" in refusal(capsys, "convert", "m.npz", "o.npz", "--max-shard-size", "1")
    assert "no place" in refusal(capsys, "convert", "m.npz", "m.keras", "--model", "nets.py:secret")
    assert not Path("m.keras").exists()
    run(capsys, "convert", "nets.py:small", "m.npz", "--force")


def test_weights_of_keras_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = np.arange(8, dtype="float32").reshape(4, 2)
    with h5py.File("old.h5", "w") as file:
        file.attrs.update({"layer_names": [b"dense"], "backend": b"tensorflow", "keras_version": b"2.2.4"})
        group = file.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        group["dense/kernel:0"], group["dense/bias:0"] = kernel, np.ones(2, "float32")
    Path("one.py").write_text(
        "import polykeras as keras\ndef f(): return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])"
    )
    assert "--model" in refusal(capsys, "convert", "old.h5", "new.keras")
    assert "old.h5 (weights)" in run(capsys, "convert", "old.h5", "new.keras", "--model", "one.py:f")
    np.testing.assert_array_equal(keras.saving.load_model("new.keras").get_weights()[0], kernel)


# ---- doctor ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def only_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing else was installed: frameworks take long to load."""
    known = [info for info in keras.backends() if info.name == "numpy" or not info.installed]
    monkeypatch.setattr(doctor, "backends", lambda: known)
    monkeypatch.setenv("POLYKERAS_BACKEND", "numpy")


def examined(capsys: pytest.CaptureFixture[str], status: int) -> dict[str, Any]:
    assert main(["doctor", "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_doctor_tells_what_is_there(only_numpy: None, capsys: pytest.CaptureFixture[str]) -> None:
    report = examined(capsys, 0)
    assert report["problems"] == []
    assert report["default_backend"]["chosen_by"] == "the environment variable POLYKERAS_BACKEND"
    found = report["backends"]["numpy"]
    assert (found["works"], found["version"], found["devices"]) == (True, np.__version__, ["cpu:0"])
    assert {part["needs"]: part["version"] for part in report["parts"]}["h5py"] == h5py.__version__
    text = run(capsys, "doctor")
    assert "Everything that is configured works." in text
    assert "default backend: numpy" in text


def test_doctor_finds_a_broken_config_file(
    only_numpy: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "polykeras.json").write_text('{"backend": "numpy",\n "floatx": "float99"}')
    monkeypatch.setenv("POLYKERAS_HOME", str(tmp_path))
    (problem,) = examined(capsys, 1)["problems"]
    assert "polykeras.json, line 2" in problem


def test_doctor_finds_a_default_that_there_is_not(
    only_numpy: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POLYKERAS_BACKEND", "numpie")
    report = examined(capsys, 1)
    assert report["backends"]["numpy"]["works"]
    assert "POLYKERAS_BACKEND. Unknown backend 'numpie'. Did you mean 'numpy'?" in report["problems"][0]


def test_doctor_finds_a_framework_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "brittle.py").write_text("raise ImportError('libbrittle.so: cannot open')")
    (tmp_path / "brittle_backend.py").write_text(
        "from polykeras.backend import Provider\n"
        "def load():\n    import brittle\n"
        "provider = Provider(framework='brittle', load=load)"
    )
    info = tmp_path / "brittle-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brittle\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[polykeras.backends]\nbrittle = brittle_backend:provider\n")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = processed("-m", "polykeras", "doctor", "--json", PYTHONPATH=path)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["problems"] == ["Backend 'brittle' is installed but does not work: libbrittle.so: cannot open"]


def test_doctor_names_extras_that_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for _, _, distribution, extra in doctor.PARTS:
        assert not extra or any(line.startswith(distribution) for line in extras[extra]), (distribution, extra)


# ---- data that are drawn ---------------------------------------------------------------------------------------------


def drawn(model: Any, x: Any = None, y: Any = None, **options: Any) -> Experiment:
    """Return what a command would draw for a model."""
    from polykeras.cli import data

    given = {"model": "m", "batch_size": 8, "samples": 16, "length": 5, "seed": 0} | options
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load_experiment", lambda *_: Experiment(model, x, y))
        return prepared_experiment(argparse.Namespace(**given))[0]


def test_inputs_are_drawn_from_what_the_model_says() -> None:
    words, numbers = keras.Input((None,), dtype="int32", name="words"), keras.Input((3,), name="numbers")
    found = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(7, 2)(words))
    model = keras.Model({"words": words, "numbers": numbers}, keras.layers.concatenate([found, numbers]))
    experiment = drawn(model)
    assert {name: (x.shape, x.dtype.name) for name, x in experiment.x.items()} == {
        "words": ((16, 5), "int32"),
        "numbers": ((16, 3), "float32"),
    }
    assert set(np.unique(experiment.x["words"])) == set(range(7))
    assert experiment.y.shape == (16, 5)
    assert experiment.model.compiled


@pytest.mark.parametrize(
    ("loss", "shape", "values"),
    [
        ("sparse_categorical_crossentropy", (16,), {0, 1, 2}),
        (keras.losses.SparseCategoricalCrossentropy(), (16,), {0, 1, 2}),
        (keras.losses.CategoricalCrossentropy(), (16, 3), {0, 1}),
        (keras.losses.binary_crossentropy, (16, 3), {0, 1}),
        ("mse", (16, 3), None),
        (lambda y, y_pred: keras.ops.mean(y - y_pred), (16, 3), None),
    ],
)
def test_labels_fit_the_loss(loss: Any, shape: tuple[int, ...], values: set[int] | None) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", loss)
    labels = drawn(model).y
    assert labels.shape == shape
    assert set(np.unique(labels)) == values if values else len(np.unique(labels)) == 48


def test_labels_of_several_outputs_fit_each_loss() -> None:
    inputs = keras.Input((4,))
    outputs = {name: keras.layers.Dense(2, "softmax", name=name)(inputs) for name in ("b", "a")}
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"a": "mse", "b": "sparse_categorical_crossentropy"})
    assert {name: y.shape for name, y in drawn(model).y.items()} == {"a": (16, 2), "b": (16,)}


def test_data_that_are_given_are_used() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    x = np.ones((6, 3), "float32")
    experiment = drawn(Own(), x)
    assert experiment.x is x or np.array_equal(experiment.x, x)
    assert experiment.y.shape == (6, 2)


def test_a_fixed_batch_is_kept() -> None:
    model = keras.Sequential([keras.Input(batch_shape=(5, 4)), keras.layers.Dense(2)])
    assert drawn(model).x.shape == (15, 4)


# ---- what is computed and printed ------------------------------------------------------------------------------------


def test_differences_are_relative_to_the_largest() -> None:
    expected = [("a", np.array([1.0, 4.0])), ("b", np.array([0.0, 1e-9]))]
    same = difference(expected, expected)
    assert (same.error, same.where) == (0.0, "")
    found = difference([("a", np.array([1.0, 4.4])), ("b", np.array([0.0, 2e-9]))], expected)
    assert (found.where, found.here, found.reference) == ("a[1]", 4.4, 4.0)
    assert found.error == pytest.approx(0.1)
    noise = difference([("a", np.array([1.0, 4.0])), ("b", np.array([0.0, 2e-9]))], expected)
    assert noise.error == pytest.approx(1e-9 / 0.4)


@pytest.mark.parametrize("here", [[np.nan, 1.0], [np.inf, 1.0], [1.0, 1.0, 1.0]])
def test_what_cannot_be_compared_parts(here: list[float]) -> None:
    reference = [("a", np.array([2.0, 1.0]))]
    assert difference([("a", np.array(here))], reference).error == np.inf
    assert difference([], reference).error == np.inf
    imaginary = difference([("a", np.array([1 + 3j]))], [("a", np.array([1 + 2j]))])
    assert (imaginary.where, imaginary.error) == ("a[0, 1]", 0.5)
    both = [("a", np.array([np.nan, np.inf, 1.0]))]
    assert difference(both, both).error == 0


def test_the_fastest_is_found_within_rounds() -> None:
    # The second round was disturbed as a whole: that makes no difference to the ratios.
    rows: dict[str, Any] = {
        "a": {"train": [1.0, 5.0, 1.0], "predict": [1.0], "first": 4.0, "load": 1.0},
        "b": {"train": [2.0, 10.0, 2.0], "predict": [0.5], "first": 1.0, "load": 3.0},
    }
    assert _compare(rows) == {"train": "a", "predict": "b", "first": "b", "load": "a"}
    assert [rows[name]["train_ratio"] for name in "ab"] == [1.0, 2.0]
    assert [rows[name]["train_median"] for name in "ab"] == [1.0, 2.0]


def test_texts(capsys: pytest.CaptureFixture[str]) -> None:
    assert table(("a", "b"), [("long", "1"), ("x", "22")], right=(1,)) == "a      b\n----  --\nlong   1\nx     22"
    assert [size(n) for n in (7, 1536, 5 * 2**20)] == ["7 bytes", "1.5 KB", "5.0 MB"]
    print_json({"a": [float("inf"), 1.5], "b": (float("nan"),)})
    assert json.loads(capsys.readouterr().out) == {"a": ["inf", 1.5], "b": ["nan"]}
