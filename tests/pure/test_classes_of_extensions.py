"""Classes of Keras's own further packages, which need not be registered."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from polykeras import layers, saving


class Pool(layers.Layer):
    """A layer that is not registered."""


class Stranger:
    """Has a config, and is neither a layer nor another part of a model."""

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Stranger:
        raise AssertionError("It must not be made.")


@pytest.mark.parametrize(
    ("package", "name", "found"),
    [("keras_hub", "Pool", True), ("keras_hub", "Stranger", False), ("other", "Pool", False)],
)
def test_a_layer_that_is_not_registered(monkeypatch: pytest.MonkeyPatch, package: str, name: str, found: bool) -> None:
    module = f"{package}.src.models.tiny"
    config = saving.serialize_keras_object(Pool()) | {"module": module, "class_name": name, "registered_name": name}
    with pytest.raises(ValueError, match="neither part of polykeras nor registered"):
        saving.deserialize_keras_object(config)  # nothing is imported
    loaded = ModuleType(module)
    loaded.Pool, loaded.Stranger = Pool, Stranger  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module, loaded)
    if found:
        assert type(saving.deserialize_keras_object(config)) is Pool
    else:
        with pytest.raises(ValueError, match="neither part of polykeras nor registered"):
            saving.deserialize_keras_object(config)
