"""Data sets of folders: what is in them, and what is wrong with arguments."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.folders import sounds, texts
from polykeras.utils import audio_dataset_from_directory, text_dataset_from_directory
from polykeras.utils.data.audio import read_wav


def quiet(path: Path, **options: Any) -> Any:
    return text_dataset_from_directory(path, verbose=False, **options)


def test_texts_and_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = text_dataset_from_directory(texts(tmp_path), batch_size=4, shuffle=False)
    assert capsys.readouterr().out == "Found 9 files belonging to 3 classes.\n"
    assert dataset.class_names == ["a", "b", "c"]
    assert [Path(path).name for path in dataset.file_paths[:3]] == ["0.txt", "1.txt", "2.txt"]
    batches = list(dataset)
    assert batches[0][0].tolist() == ["a 0 é", "a 1 é", "a 2 é", "b 0 é"]
    assert [labels.tolist() for _, labels in batches] == [[0, 0, 0, 1], [1, 1, 2, 2], [2]]
    assert len(dataset) == 3


def test_kinds_of_labels(tmp_path: Path) -> None:
    texts(tmp_path)
    options: dict[str, Any] = {"shuffle": False, "batch_size": None}
    categories = [label.tolist() for _, label in quiet(tmp_path, label_mode="categorical", **options)]
    assert categories[::3] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    two = quiet(tmp_path, label_mode="binary", class_names=["c", "a"], **options)
    assert [label.tolist() for _, label in two] == [[0.0]] * 3 + [[1.0]] * 3
    assert [str(text) for text in quiet(tmp_path, labels=None, max_length=3, **options)][:2] == ["a 0", "a 1"]
    assert [str(text) for text in quiet(tmp_path, label_mode=None, **options)][8] == "c 2 é"
    own = quiet(tmp_path, labels=list(range(9)), **options)
    assert own.class_names == [str(i) for i in range(9)]
    assert [int(label) for _, label in own] == list(range(9))


def test_parts_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts(tmp_path)
    options: dict[str, Any] = {"validation_split": 0.3, "seed": 1}
    train, validation = text_dataset_from_directory(tmp_path, subset="both", **options)
    assert capsys.readouterr().out.splitlines()[1:] == ["Using 7 files for training.", "Using 2 files for validation."]
    assert {*train.file_paths} | {*validation.file_paths} == {*quiet(tmp_path).file_paths}
    assert quiet(tmp_path, subset="training", **options).file_paths == train.file_paths
    assert quiet(tmp_path, subset="validation", **options).file_paths == validation.file_paths
    assert len(quiet(tmp_path, subset="training", validation_split=0.05, seed=1).file_paths) == 9


def test_each_epoch_has_an_order(tmp_path: Path) -> None:
    dataset = quiet(texts(tmp_path), seed=1, batch_size=9)
    (one,), (two,) = ([batch.tolist() for batch, _ in dataset] for _ in range(2))
    assert sorted(one) == sorted(two)
    assert one != two
    for batch, labels in dataset:
        assert ["abc"[label] for label in labels] == [text[0] for text in batch]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "sorted"}, '`labels` must be "inferred"'),
        ({"labels": [1]}, "a label for each of the 9 files"),
        ({"labels": None, "class_names": ["a"]}, "`class_names` is only for"),
        ({"label_mode": "onehot"}, "`label_mode` must be"),
        ({"label_mode": "binary"}, "exactly 2 classes"),
        ({"class_names": ["d"]}, r"names of folders in .*\['a', 'b', 'c'\]"),
        ({"validation_split": 2, "subset": "both", "seed": 1}, "between 0 and 1"),
        ({"validation_split": 0.5}, "both `validation_split` and `subset`"),
        ({"validation_split": 0.5, "subset": "test", "seed": 1}, "`subset` must be"),
        ({"validation_split": 0.5, "subset": "both"}, "Pass a `seed`"),
        ({"validation_split": 0.05, "subset": "both", "seed": 1}, "No validation text files"),
        ({"format": "jax"}, "`format` must be"),
    ],
)
def test_what_is_wrong(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        quiet(texts(tmp_path), **options)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"No text files in .*\.txt"):
        quiet(tmp_path)


def test_sounds(tmp_path: Path) -> None:
    options: dict[str, Any] = {"shuffle": False, "batch_size": 4, "verbose": False}
    sounds(tmp_path)
    padded = [batch for batch, _ in audio_dataset_from_directory(tmp_path, **options)]
    assert [batch.shape for batch in padded] == [(4, 130, 2), (2, 150, 2)]
    assert padded[0][0, 100:].any() == False  # noqa: E712
    fitted = audio_dataset_from_directory(tmp_path, output_sequence_length=120, **options)
    assert [batch.shape for batch, _ in fitted] == [(4, 120, 2), (2, 120, 2)]
    ragged = next(iter(audio_dataset_from_directory(tmp_path, ragged=True, **options)))[0]
    assert [len(sound) for sound in ragged] == [100, 110, 120, 130]
    train, validation = audio_dataset_from_directory(
        tmp_path, subset="both", validation_split=0.5, **options | {"batch_size": None}
    )
    assert (len(train), len(validation)) == (3, 3)
    slower = audio_dataset_from_directory(tmp_path, sampling_rate=4000, **options)
    assert [batch.shape[1] for batch, _ in slower] == [65, 75]
    for wrong in ({"sampling_rate": 0}, {"sampling_rate": 1.5}, {"ragged": True, "output_sequence_length": 3}):
        with pytest.raises(ValueError, match="sampling_rate|not both"):
            audio_dataset_from_directory(tmp_path, **options | wrong)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_numbers_of_any_width(width: int, tmp_path: Path) -> None:
    top = 2 ** (8 * width - 1)
    values = [0, top // 2, -top, top - 1]
    signed = width > 1
    content = b"".join((value + (0 if signed else top)).to_bytes(width, "little", signed=signed) for value in values)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(content)
    samples, rate = read_wav(str(tmp_path / "a.wav"))
    assert rate == 8000
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples[:, 0], [0, 0.5, -1, (top - 1) / top])


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF1234WAVEfmt ")
    with pytest.raises((ValueError, EOFError)):
        read_wav(str(tmp_path / "a.wav"))
