"""Strangers' files: each of the corpus is refused, in time and in memory, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import polykeras as keras
from polykeras.saving import custom_objects, limits
from saving import corpus

pytest.importorskip("h5py")
pytest.importorskip("safetensors")
pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory as Linux tells it")

corpus.load_attacks()
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """What became of each attack. A process that dies is told, and another one goes on after the attack that did it."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}", "POLYKERAS_BACKEND": "numpy"}
    found: dict[str, Any] = {}
    left = list(corpus.ATTACKS)
    while left:
        command = [sys.executable, "-m", "saving.corpus", *left]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=600)
        begun = None
        for line in map(json.loads, done.stdout.splitlines()):
            begun = line.get("begins", begun)
            if "name" in line:
                found[line["name"]] = line
        assert begun, done.stderr
        if begun not in found:
            found[begun] = {"died": done.returncode, "stderr": done.stderr[-2000:]}
        left = left[left.index(begun) + 1 :]
    return found


@pytest.mark.parametrize("name", corpus.ATTACKS)
def test_a_file_that_is_made_to_do_harm_is_refused(name: str, results: dict[str, Any]) -> None:
    attack, result = corpus.ATTACKS[name], results[name]
    assert "died" not in result, result
    assert "SavedFileError" in result.get("kinds", ()), result
    assert "ValueError" in result["kinds"]
    place = "model_from_json" if attack.suffix == ".config.json" else Path(result["file"]).parent.name
    assert place in result["message"], "the message names the file"
    assert re.search(attack.reason, result["message"]), result["message"]
    assert "MemoryError" not in result["message"], "memory was asked for"
    assert len(result["message"]) < 4000
    assert not result["canary"], "code of the file ran, or something was written outside"
    assert result["events"] == [], "something else was opened or started"
    assert result["unchanged"], "weights of the model that was there"
    assert result["seconds"] < corpus.SECONDS
    assert result["peak"] < corpus.MEMORY


def test_the_files_that_attacks_begin_with_are_read(tmp_path: Path) -> None:
    """So that nothing is refused for another reason than the attack."""
    for suffix in (".keras", ".weights.h5", ".npz", ".safetensors", ".weights.json"):
        path = tmp_path / f"valid{suffix}"
        made = corpus.model()
        (made.save if suffix == ".keras" else made.save_weights)(path)
        loaded = corpus.load(path, corpus.model())
        assert [v.numpy().tobytes() for v in loaded.variables] == [v.numpy().tobytes() for v in made.variables]
    text = json.dumps(corpus.functional(corpus.entry("Dense", {"units": 2})))
    (tmp_path / "valid.config.json").write_text(text)
    assert corpus.load(tmp_path / "valid.config.json", None).outputs[0].shape == (None, 2)


# ---- names -----------------------------------------------------------------------------------------------------


class Dense(keras.layers.Layer):
    """A layer of the user's with the name of a built-in one."""

    def call(self, inputs: Any) -> Any:
        return inputs


def _layer(description: dict[str, Any], **objects: Any) -> Any:
    return keras.saving.deserialize_keras_object(description, custom_objects=objects)


@pytest.fixture
def registered() -> Iterator[type]:
    custom_objects.get_custom_objects()["Mine>Dense"] = Dense
    yield Dense
    del custom_objects.get_custom_objects()["Mine>Dense"]


def test_a_registered_class_does_not_hide_a_built_in_one(registered: type) -> None:
    built_in = corpus.entry("Dense", {"units": 2})
    assert type(_layer(built_in)) is keras.layers.Dense
    assert type(_layer(built_in | {"module": None})) is keras.layers.Dense
    assert keras.activations.get("relu") is keras.activations.relu
    mine = corpus.entry("Dense", {}, "my_package", registered_name="Mine>Dense")
    assert type(_layer(mine)) is registered


def test_a_class_that_is_passed_takes_the_place_of_a_built_in_one() -> None:
    assert type(_layer(corpus.entry("Dense"), Dense=Dense)) is Dense


@pytest.mark.parametrize("module", ["my_package.layers", "os", "kerasx.layers", "__main__"])
def test_a_built_in_class_does_not_take_the_place_of_a_strangers(module: str) -> None:
    with pytest.raises(ValueError, match="neither part of polykeras nor registered"):
        _layer(corpus.entry("Dense", {"units": 2}, module))


@pytest.mark.parametrize(
    "module", ["keras.layers", "keras.src.layers.core.dense", "tf_keras.layers", "polykeras.layers", "", None]
)
def test_a_built_in_class_is_found_by_the_names_of_its_packages(module: str | None) -> None:
    assert type(_layer(corpus.entry("Dense", {"units": 2}, module))) is keras.layers.Dense


# ---- JSON ------------------------------------------------------------------------------------------------------

_TEXTS = st.text(st.sampled_from('[]{}":\\,a\n\u00e9'))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | _TEXTS,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(_TEXTS, part, max_size=4),
)


def _depth(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(_depth, parts), default=0)


def _count(value: Any) -> tuple[int, int]:
    if not isinstance(value, (dict, list)):
        return 0, 0
    inner = [_count(part) for part in (value.values() if isinstance(value, dict) else value)]
    return 1 + sum(a for a, _ in inner), sum(b for _, b in inner) + (len(value) if isinstance(value, dict) else 0)


@given(_JSON, st.sampled_from([1, 2, 5, 2**20]), st.booleans())
def test_json_is_measured_as_it_is(value: Any, block: int, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    before, limits._BLOCK = limits._BLOCK, block
    try:
        assert limits._measure(text) == (_depth(value), *_count(value))
        assert limits.read_json(text, "file", "") == value
    finally:
        limits._BLOCK = before
