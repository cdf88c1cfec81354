"""What `fit` prints: lines in a pipe, a bar in a terminal, or nothing."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest

from contract.small_model import DATA, X, Y, small_model
from polykeras.backend import Backend
from polykeras.training.callbacks import progress

LINE = r"Epoch 1/2 - 3/3 {} \d+(s|ms|us)/step - loss: [\d.e+-]+ - val_loss: [\d.e+-]+"
BAR = r"3/3 ━{20} \d+s \d+(s|ms|us)/step - loss: [\d.e+-]+ - val_loss: [\d.e+-]+"


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_lines_in_a_pipe(backend: Backend, verbose: Any, capsys: pytest.CaptureFixture[str]) -> None:
    small_model().fit(**DATA | {"verbose": verbose}, epochs=2, validation_data=(X, Y))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(LINE.format(r"- \d+s -" if verbose == 2 else r"━{20} \d+s"), lines[0])


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_can_redraw", lambda: True)


def final(line: str) -> str:
    """What a terminal shows in the end."""
    return line.split("\r")[-1].replace("\x1b[K", "")


@pytest.mark.usefixtures("terminal")
def test_bar_of_epochs(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    small_model().fit(**DATA | {"verbose": 1}, epochs=2, validation_data=(X, Y))
    lines = [final(line) for line in capsys.readouterr().out.split("\n")]
    assert lines[0] == "Epoch 1/2"
    assert re.fullmatch(BAR, lines[1])
    assert lines[2] == "Epoch 2/2"
    assert re.fullmatch(BAR, lines[3])
    assert lines[4:] == [""]


@pytest.mark.usefixtures("terminal")
def test_bar_of_evaluate_and_predict(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model()
    model.evaluate(X, Y, batch_size=8)
    assert re.fullmatch(r"3/3 ━{20} \d+s \d+\w+/step - loss: [\d.e+-]+", final(capsys.readouterr().out[:-1]))
    model.predict(X, batch_size=8)
    assert re.fullmatch(r"3/3 ━{20} \d+s \d+\w+/step", final(capsys.readouterr().out[:-1]))


class Clock:
    """Time that passes only when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(progress.time, "perf_counter", lambda: self.now)


@pytest.mark.usefixtures("terminal")
def test_bar_is_drawn_ten_times_a_second(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(monkeypatch)
    (bar,) = progress.make_progress(1, 1, 400)
    bar.on_train_begin()
    bar.on_epoch_begin(0)
    clock.now += 50.0  # compiling
    bar.on_train_batch_end(0, {"loss": 1.0})
    for step in range(1, 201):
        clock.now += 1 / 64
        bar.on_train_batch_end(step, {"loss": 1.0})
    drawn = capsys.readouterr().out.split("\r")[1:]
    assert len(drawn) == 1 + 28  # of the 31 tenths of a second, which seven steps exceed
    # The first step, which compiles, tells nothing of the time to come.
    assert final(drawn[0]) == "  1/400 ──────────────────── 50s 50s/step - loss: 1.0000"
    assert final(drawn[-1]) == "197/400 ━━━━━━━━━─────────── 3s 16ms/step - loss: 1.0000"


@pytest.mark.usefixtures("terminal")
def test_bar_without_a_known_end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(monkeypatch)
    (bar,) = progress.make_progress(1, 2, None)
    bar.on_train_begin()
    bar.on_epoch_begin(0)
    for step in range(3):
        clock.now += 70.0
        bar.on_train_batch_end(step, {"loss": 1e-5})
    assert final(capsys.readouterr().out) == "      3/unknown 3:30 70s/step - loss: 1.0000e-05"
    bar.on_epoch_end(0, {"loss": 1e-5, "f1": np.array([0.5, 0.25])})
    end = final(capsys.readouterr().out[:-1])
    assert end == "3/3 ━━━━━━━━━━━━━━━━━━━━ 3:30 70s/step - loss: 1.0000e-05 - f1: [0.5000 0.2500]"
    bar.on_epoch_begin(1)
    clock.now += 3 * 3600
    bar.on_train_batch_end(0, {})
    assert "1/3 ━━━━━━────────────── 3:00:00" in capsys.readouterr().out


@pytest.mark.usefixtures("terminal")
def test_bar_where_the_output_knows_ascii_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", output)
    (bar,) = progress.make_progress(1, 1, 4)
    bar.on_train_batch_end(1, {})
    output.seek(0)
    assert "2/4 ==========.........." in output.read()


def test_silence(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model()
    model.fit(**DATA)
    model.evaluate(**DATA)
    model.predict(X, verbose=0)
    assert capsys.readouterr().out == ""
