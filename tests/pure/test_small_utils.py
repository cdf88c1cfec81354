"""`pad_sequences`, `Progbar` and `Config`: the expected values are written out."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest

from polykeras.training.callbacks import progress_line
from polykeras.utils import Config, Progbar, pad_sequences

SEQUENCES = [[1], [2, 3], [4, 5, 6], []]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6], [0, 0, 0]]),
        ({"value": -1, "padding": "post"}, [[1, -1, -1], [2, 3, -1], [4, 5, 6], [-1, -1, -1]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6], [0, 0]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5], [0, 0]]),
        ({"maxlen": 5, "padding": "post"}, [[1, 0, 0, 0, 0], [2, 3, 0, 0, 0], [4, 5, 6, 0, 0], [0] * 5]),
        ({"maxlen": 0}, [[], [], [], []]),
    ],
)
def test_sequences_are_padded_and_cut(options: dict[str, Any], expected: list[list[int]]) -> None:
    result = pad_sequences(SEQUENCES, **options)
    assert result.dtype == np.int32
    assert result.tolist() == expected
    assert result.shape == (4, options.get("maxlen", 3))


def test_items_may_be_vectors_and_strings() -> None:
    result = pad_sequences([[[1, 2]], np.ones((3, 2))], dtype="float32")
    assert result.tolist() == [[[0, 0], [0, 0], [1, 2]], [[1, 1]] * 3]
    words = pad_sequences([["a"], ["b", "long"]], dtype=object, value="pad", padding="post")
    assert words.tolist() == [["a", "pad"], ["b", "long"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2],), "number 0 is 1"),
        ((5,), "a list of sequences; received int"),
        (([[1], [[2]]],), r"sequence 1 have shape \(1,\); expected \(\)"),
        (([[1]], None, "int32", "left"), "`padding`"),
        (([[1]], None, "int32", "pre", "left"), "`truncating`"),
        (([[1]], None, "int32", "pre", "pre", "x"), "dtype=object"),
    ],
)
def test_pad_sequences_says_what_is_wrong(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pad_sequences(*arguments)


def test_a_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Progbar(4, stateful_metrics=["last"], unit_name="file")
    bar.update(1, [("mean", 4.0), ("last", 1.0)])
    bar.update(3, [("mean", 1.0), ("last", 2.0)])
    assert capsys.readouterr().out == ""
    assert bar._means() == {"mean": 2.0, "last": 2.0}
    bar.add(1, [("last", 3.0)])
    line = capsys.readouterr().out
    assert re.fullmatch(r"4/4 - \d+s - \d+(s|ms|us)/file - mean: 2.0000 - last: 3.0000\n", line)


def test_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress_line, "can_redraw", lambda: True)
    bar = Progbar(2, width=4, interval=0)
    bar.update(1)
    assert "1/2 ━━──" in capsys.readouterr().out
    bar.update(2, [("loss", np.array([1.0, 2.0]))])
    assert re.fullmatch(r"\r2/2 ━━━━ \d+s \d+\w+/step - loss: 1.5000\n", capsys.readouterr().out)


def test_a_silent_bar_and_one_without_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    Progbar(1, verbose=0).update(1)
    bar = Progbar(None, stateless_metrics=["mean"])
    bar.update(2, [("mean", 1.0), ("other", 1.0)])
    bar.update(4, [("mean", 2.0), ("other", 2.0)])
    assert bar._means() == {"mean": 1.5, "other": 2.0}
    assert capsys.readouterr().out == ""
    bar.update(5, finalize=True)
    assert capsys.readouterr().out.startswith("5/5 - ")
    with pytest.raises(ValueError, match="not both"):
        Progbar(1, stateful_metrics=[], stateless_metrics=[])


def test_config() -> None:
    config = Config(rate=0.1)
    config.seed = 3
    config["name"] = "x"
    config.update(other=1)
    assert config.pop("other") == 1
    assert (config.rate, config["seed"], config.get("none", 7)) == (0.1, 3, 7)
    assert config.as_dict() == dict(config.items()) == {"rate": 0.1, "seed": 3, "name": "x"}
    assert config.to_json() == '{"rate": 0.1, "seed": 3, "name": "x"}'
    assert (list(config), len(config), "seed" in config) == (["name", "rate", "seed"], 3, True)
    assert (list(config.keys()), list(config.values())) == (["rate", "seed", "name"], [0.1, 3, "x"])
    assert repr(config) == "<Config {'rate': 0.1, 'seed': 3, 'name': 'x'}>"
    del config["name"]
    assert copy.deepcopy(config).as_dict() == {"rate": 0.1, "seed": 3}
    with pytest.raises(AttributeError, match="Did you mean 'rate'"):
        config.rates  # noqa: B018


def test_a_frozen_config_does_not_change() -> None:
    config = Config(rate=0.1)
    config.freeze()
    assert config.frozen
    for change in (
        lambda: setattr(config, "rate", 1),
        lambda: config.update(rate=1),
        lambda: config.pop("rate"),
        lambda: config.__setitem__("rate", 1),
        lambda: config.__delitem__("rate"),
    ):
        with pytest.raises(ValueError, match="frozen"):
            change()
    config.unfreeze()
    config.rate = 1
    assert config.rate == 1
    with pytest.raises(AttributeError, match="a name of the class"):
        config.items = 3
