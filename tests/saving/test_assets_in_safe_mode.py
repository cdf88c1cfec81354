"""Files within a `.keras` archive are read in safe mode, although a config may name no file outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import polykeras as keras
from polykeras import layers, saving
from polykeras.as_keras.private import in_safe_mode


@saving.register_keras_serializable("tests")
class Words(layers.Layer):
    """Reads its words from a file, and in safe mode from none that a config names, as KerasHub's tokenizers do."""

    def __init__(self, words: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words: list[str] = []
        if isinstance(words, str):
            self.read(words)
        elif words is not None:
            self.words = list(words)

    def read(self, path: str) -> None:
        if in_safe_mode():
            raise ValueError("not in safe mode")
        self.words = Path(path).read_text().split()

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"words": None}

    def save_assets(self, folder: str) -> None:
        Path(folder, "words").write_text(" ".join(self.words))

    def load_assets(self, folder: str) -> None:
        self.read(str(Path(folder, "words")))


def test_assets_are_read(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2,)), Words(["a", "b"])])
    model.save(tmp_path / "model.keras")
    assert saving.load_model(tmp_path / "model.keras").layers[-1].words == ["a", "b"]
    config = saving.serialize_keras_object(Words())
    config["config"]["words"] = str(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="not in safe mode"):
        saving.deserialize_keras_object(config)
