"""`keras.legacy.saving`: configs that name a class alone, looked up among the classes that a library passes."""

from __future__ import annotations

from typing import Any

import pytest

from polykeras import activations, initializers, layers
from polykeras.legacy.saving import deserialize_keras_object, serialize_keras_object


class Choice:
    """A class of a library's own, which registers nothing."""

    def __init__(self, values: Any = (1,), parent: Choice | None = None) -> None:
        self.values, self.parent = values, parent

    def get_config(self) -> dict[str, Any]:
        return {"values": self.values, "parent": self.parent}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Choice:
        parent = deserialize_keras_object(config["parent"], {"Choice": Choice})
        return cls(config["values"], parent)


def test_objects_of_a_library_come_back() -> None:
    config = serialize_keras_object(Choice([1, 2], Choice([3])))
    inner = {"class_name": "Choice", "config": {"values": [3], "parent": None}}
    assert config == {"class_name": "Choice", "config": {"values": [1, 2], "parent": inner}}
    made = deserialize_keras_object(config, module_objects={"Choice": Choice})
    assert (made.values, made.parent.values) == ([1, 2], [3])
    assert deserialize_keras_object(config, custom_objects={"Choice": Choice}).values == [1, 2]


def test_names_and_other_things() -> None:
    known = {"Choice": Choice, "relu": activations.relu}
    assert deserialize_keras_object("Choice", known).values == (1,)
    assert deserialize_keras_object("relu", known) is activations.relu
    assert serialize_keras_object(activations.relu) == "relu"
    assert serialize_keras_object(None) is deserialize_keras_object(None) is None
    assert deserialize_keras_object(activations.relu) is activations.relu


def test_our_own_classes_need_not_be_passed() -> None:
    config = serialize_keras_object(layers.Dense(3, kernel_initializer=initializers.Constant(2.0)))
    assert config["class_name"] == "Dense"
    made = deserialize_keras_object(config)
    assert isinstance(made, layers.Dense)
    assert made.kernel_initializer.value == 2.0


def test_what_is_not_known_is_an_error() -> None:
    with pytest.raises(ValueError, match="There is no hyperparameter 'Choice'"):
        deserialize_keras_object("Choice", printable_module_name="hyperparameter")
    with pytest.raises(ValueError, match="class_name"):
        deserialize_keras_object({"values": [1]})
    with pytest.raises(ValueError, match="neither `get_config` nor a name"):
        serialize_keras_object(3)
