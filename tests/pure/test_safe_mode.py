"""Whether configs may hold code, as libraries ask by Keras's private names."""

from __future__ import annotations

from typing import Any

import pytest

from polykeras import layers, saving
from polykeras.as_keras.files import SafeModeScope
from polykeras.as_keras.private import in_safe_mode
from polykeras.common.settings import settings

seen: list[bool] = []


@saving.register_keras_serializable("tests")
class Asking(layers.Layer):
    """Notes whether it is read from a config in safe mode."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Asking:
        seen.append(in_safe_mode())
        return cls(**config)


def test_outside_of_files_nothing_is_refused() -> None:
    assert not in_safe_mode()
    seen.clear()
    layer = Asking.from_config(Asking().get_config())
    config = saving.serialize_keras_object(layer)
    saving.deserialize_keras_object(config)
    saving.deserialize_keras_object(config, safe_mode=False)
    saving.deserialize_keras_object([config], custom_objects={"x": 1})
    assert seen == [False, True, False, True]
    assert not in_safe_mode()


def test_what_is_decided_further_out_counts() -> None:
    config = saving.serialize_keras_object(Asking())
    seen.clear()
    with SafeModeScope(True):
        assert in_safe_mode()
        saving.deserialize_keras_object(config, safe_mode=False)
    with SafeModeScope(False):
        assert not in_safe_mode()
        saving.deserialize_keras_object(config)
    assert seen == [True, False]


def test_code_is_refused_within_a_load_in_safe_mode() -> None:
    double = saving.serialize_keras_object(layers.Lambda(lambda x: 2 * x))
    with SafeModeScope(True), pytest.raises(ValueError, match="safe_mode=False"):
        saving.deserialize_keras_object(double, safe_mode=False)
    assert saving.deserialize_keras_object(double, safe_mode=False).function(2) == 4


def test_none_decides_nothing() -> None:
    from polykeras.as_keras.files import SafeModeScope
    from polykeras.saving.lambdas import is_code_allowed, is_code_decided

    with SafeModeScope(None):
        assert not is_code_allowed()
        assert not is_code_decided()


def test_what_the_process_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "unsafe_deserialization", True)
    with SafeModeScope(True):
        assert not in_safe_mode()
