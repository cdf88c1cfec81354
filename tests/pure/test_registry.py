"""Which backend is current: the order of the sources, threads, and what is said when a name is wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from polykeras import config
from polykeras.backend import Provider, backends, info, registry
from polykeras.backend.native import Native
from polykeras.backend.registry import backend, load, set_backend, use_backend

ABSENT = "polykeras_no_such_framework"


@pytest.fixture(autouse=True)
def loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """A registry of three false backends, two of them installed; yields the names in the order of loading."""
    loaded: list[str] = []

    def provider(name: str, priority: int, framework: str | None = None) -> Provider:
        def make() -> Any:
            loaded.append(name)
            own: dict[str, Any] = {
                "array_types": lambda: (),
                "set_matmul_precision": lambda precision: None,
                "native": Native(),
            }
            return SimpleNamespace(name=name, version="1.0", holds_values=True, devices=lambda: ["cpu:0"], **own)

        return Provider(framework, make, priority, f'pip install "polykeras[{name}]"')

    known = {"quick": provider("quick", 30, ABSENT), "plain": provider("plain", 0), "asked": provider("asked", -1)}
    for module in (registry, info):
        monkeypatch.setattr(module, "providers", lambda: known)
    monkeypatch.setattr(registry, "_loaded", {})
    monkeypatch.setattr(registry, "_default", None)
    monkeypatch.setattr(registry, "_seed", None)
    monkeypatch.setenv("POLYKERAS_HOME", str(tmp_path))
    for variable in registry.ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)
    token = registry._chosen.set(None)
    config.settings.cache_clear()
    yield loaded
    config.settings.cache_clear()
    registry._chosen.reset(token)


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[str], Path]:
    """Returns a function that writes the config file."""

    def write(text: str) -> Path:
        path = tmp_path / "polykeras.json"
        path.write_text(text, encoding="utf-8")
        return path

    return write


# ---- the order of the sources ------------------------------------------------------------------------------------


def test_default_is_the_installed_backend_of_highest_priority() -> None:
    assert backend() == "plain"  # "quick" comes first but its framework is absent; "asked" must be asked for


def test_config_file_beats_priority(write_config: Callable[[str], Path]) -> None:
    write_config(json.dumps({"backend": "asked"}))
    assert backend() == "asked"


@pytest.mark.parametrize("variable", registry.ENVIRONMENT)
def test_environment_beats_config_file(
    variable: str, write_config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(json.dumps({"backend": "plain"}))
    monkeypatch.setenv(variable, "asked")
    assert backend() == "asked"


def test_own_variable_beats_that_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "plain")
    monkeypatch.setenv("POLYKERAS_BACKEND", "asked")
    assert backend() == "asked"


def test_set_backend_beats_environment_and_use_backend_beats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYKERAS_BACKEND", "plain")
    set_backend("asked")
    assert backend() == "asked"
    with use_backend("plain"):
        assert backend() == "plain"
        with use_backend("asked"):
            assert backend() == "asked"
        assert backend() == "plain"
    assert backend() == "asked"


def test_use_backend_restores_after_an_exception() -> None:
    with pytest.raises(KeyError), use_backend("asked"):
        raise KeyError
    assert backend() == "plain"


def test_a_backend_itself_may_be_given() -> None:
    asked = load("asked")
    with use_backend(asked) as chosen:
        assert chosen is asked
        assert registry.current() is asked
    set_backend(asked)
    assert registry.current() is asked


def test_each_backend_is_loaded_once_and_only_when_used(loads: list[str]) -> None:
    assert loads == []
    with ThreadPoolExecutor(8) as pool:
        instances = list(pool.map(load, ["asked"] * 32))
    assert loads == ["asked"]
    assert all(instance is instances[0] for instance in instances)
    assert [b.name for b in registry.loaded_backends()] == ["asked"]


# ---- threads -----------------------------------------------------------------------------------------------------


def _in_thread(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_a_choice_in_one_thread_leaves_the_others_alone() -> None:
    inside, outside_seen = threading.Event(), threading.Event()

    def other() -> str:
        with use_backend("asked"):
            inside.set()
            assert outside_seen.wait(10)
            return backend()

    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(other)
        assert inside.wait(10)
        assert backend() == "plain"
        outside_seen.set()
        assert result.result() == "asked"


def test_set_backend_in_the_main_thread_is_the_default_of_others() -> None:
    set_backend("asked")
    assert _in_thread(backend) == "asked"


def test_set_backend_in_another_thread_holds_there_alone() -> None:
    def other() -> str:
        set_backend("asked")
        return backend()

    assert _in_thread(other) == "asked"
    assert backend() == "plain"


def test_use_backend_of_the_main_thread_is_not_seen_by_a_new_thread() -> None:
    with use_backend("asked"):
        assert _in_thread(backend) == "plain"


# ---- wrong names -------------------------------------------------------------------------------------------------


def test_unknown_backend_says_what_there_is_and_suggests_a_near_name() -> None:
    with pytest.raises(ValueError, match=r"Unknown backend 'plane'\. Did you mean 'plain'\?") as error:
        set_backend("plane")
    assert "Known: quick, plain, asked" in str(error.value)
    assert "Installed: plain, asked" in str(error.value)


def test_unknown_backend_without_a_near_name() -> None:
    with pytest.raises(ValueError, match="Unknown backend 'xyz'") as error, use_backend("xyz"):
        pass
    assert "Did you mean" not in str(error.value)


@pytest.mark.parametrize(("name", "near"), [("PLAIN", "plain"), ("pl", "plain"), ("qk", "quick"), ("planes", "plain")])
def test_capitals_and_abbreviations_are_understood(name: str, near: str) -> None:
    with pytest.raises(ValueError, match=rf"Unknown backend '{name}'\. Did you mean '{near}'\?"):
        set_backend(name)


def test_absent_framework_gives_the_pip_line() -> None:
    with pytest.raises(ImportError, match=rf"needs {ABSENT}, which is not installed") as error:
        load("quick")
    assert 'pip install "polykeras[quick]"' in str(error.value)
    assert "Installed backends: plain, asked" in str(error.value)


def test_a_failed_choice_changes_nothing() -> None:
    set_backend("asked")
    with pytest.raises(ValueError, match="Unknown backend"):
        set_backend("nothing")
    assert backend() == "asked"


def test_wrong_name_in_the_environment_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYKERAS_BACKEND", "plane")
    with pytest.raises(ValueError, match="Did you mean 'plain'"):
        backend()


# ---- backends() --------------------------------------------------------------------------------------------------


def test_backends_lists_all_without_loading_any(loads: list[str]) -> None:
    rows = {row.name: row for row in backends()}
    assert list(rows) == ["quick", "plain", "asked"]
    assert [row.installed for row in rows.values()] == [False, True, True]
    assert [row.current for row in rows.values()] == [False, False, False]
    assert rows["quick"].install == 'pip install "polykeras[quick]"'
    assert loads == []


def test_backends_marks_the_current_one_and_knows_loaded_ones() -> None:
    with use_backend("asked"):
        rows = {row.name: row for row in backends()}
    assert rows["asked"].current
    assert not rows["plain"].current
    assert rows["asked"].version == "1.0"
    assert rows["asked"].devices == ("cpu:0",)


@pytest.mark.parametrize(
    ("version", "note"),
    [
        ("1.9.9", "older"),
        ("2.6", ""),
        ("2.6.0rc1", ""),
        ("2.13.0+cpu", ""),
        ("2.15.7", ""),
        ("2.16.0.dev2", "newer"),
        ("3.0", "newer"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_a_version_outside_the_tested_range_is_told(version: str, note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> Any:
        own: dict[str, Any] = {
            "array_types": lambda: (),
            "set_matmul_precision": lambda precision: None,
            "native": Native(),
        }
        return SimpleNamespace(name="ours", version=version, holds_values=True, devices=list, **own)

    known = {"ours": Provider(None, make, 1, "pip install ours", tested=("2.6", "2.15"))}
    for module in (registry, info):
        monkeypatch.setattr(module, "providers", lambda: known)
    with use_backend("ours"):
        (row,) = backends()
    assert row.tested == "2.6 to 2.15"
    assert bool(row.note) == bool(note)
    if note:
        assert row.note.startswith(f"ours {version} is {note} than the releases")
        assert "2.6 to 2.15" in row.note


def test_nothing_is_said_of_versions_where_nobody_tells_what_was_tested() -> None:
    assert {(row.tested, row.note) for row in backends()} == {("", "")}


# ---- the config file ---------------------------------------------------------------------------------------------


def test_home_is_moved_by_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.config_path() == tmp_path / "polykeras.json"
    monkeypatch.delenv("POLYKERAS_HOME")
    assert config.config_path() == Path.home() / ".polykeras" / "polykeras.json"


def test_settings_are_read_and_missing_keys_keep_their_defaults(write_config: Callable[[str], Path]) -> None:
    write_config('{"floatx": "float16", "image_data_format": "channels_first"}')
    assert config.floatx() == "float16"
    assert config.image_data_format() == "channels_first"
    assert config.epsilon() == 1e-7


def test_a_missing_file_gives_defaults_and_is_not_made(tmp_path: Path) -> None:
    assert config.settings() == config.Settings()
    assert list(tmp_path.iterdir()) == []


BROKEN = {
    "not json": ('{\n  "floatx": float16\n}', "not valid JSON: line 2, column 13"),
    "not an object": ("[1]", "must hold one JSON object; received list"),
    "unknown key": (
        '{\n  "epsilon": 1e-6,\n  "flotx": "float16"\n}',
        "line 3: unknown key 'flotx'. Known keys: backend",
    ),
    "bad floatx": ('{\n  "floatx": "int8"\n}', "line 2: `floatx` must be one of float16, bfloat16, float32, float64"),
    "bad epsilon": ('{"epsilon": -1}', "line 1: `epsilon` must be a positive number; received -1"),
    "bad layout": ('{"image_data_format": "nhwc"}', "`image_data_format` must be one of channels_last, channels_first"),
    "bad seed": ('{"seed": 1.5}', "`seed` must be an int or null; received 1.5"),
    "bad backend": ('{"backend": 3}', "`backend` must be a backend's name; received 3"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_named_with_its_line(text: str, message: str, write_config: Callable[[str], Path]) -> None:
    path = write_config(text)
    with pytest.raises(ValueError, match="config file") as error:
        config.settings()
    assert str(path) in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("setter", "good", "bad"),
    [
        (config.set_floatx, "float64", "int32"),
        (config.set_epsilon, 1e-3, 0),
        (config.set_epsilon, 1, True),
        (config.set_image_data_format, "channels_first", "NHWC"),
    ],
)
def test_setters_refuse_bad_values_and_keep_the_old(setter: Callable[[Any], None], good: Any, bad: Any) -> None:
    getter = getattr(config, setter.__name__.removeprefix("set_"))
    setter(good)
    with pytest.raises(ValueError, match=setter.__name__):
        setter(bad)
    assert getter() == good


def test_standardize_data_format() -> None:
    assert config.standardize_data_format(None) == "channels_last"
    assert config.standardize_data_format("channels_first") == "channels_first"
    with pytest.raises(ValueError, match="data_format"):
        config.standardize_data_format("channels_middle")
