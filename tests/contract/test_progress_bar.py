"""What `fit` prints: lines in a pipe and in CI, a bar in a terminal and in a notebook, or nothing."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

from contract.small_model import DATA, X, Y, small_model
from polykeras.backend import Backend
from polykeras.training.callbacks import progress, progress_line

LINE = r"Epoch 1/2 - 3/3 - \d+s - \d+(s|ms|us)/step - loss: [\d.e+-]+ - val_loss: [\d.e+-]+"
BAR = r"3/3 ━{20} \d+s \d+(s|ms|us)/step - loss: [\d.e+-]+ - val_loss: [\d.e+-]+"


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_lines_in_a_pipe(backend: Backend, verbose: Any, capsys: pytest.CaptureFixture[str]) -> None:
    small_model().fit(**DATA | {"verbose": verbose}, epochs=2, validation_data=(X, Y))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(LINE, lines[0])


def test_what_has_no_values_has_no_line_in_a_pipe(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model()
    model.predict(X, batch_size=8)
    assert capsys.readouterr().out == ""
    model.predict(X, batch_size=8, verbose=2)
    assert re.fullmatch(r"3/3 - \d+s - \d+\w+/step\n", capsys.readouterr().out)
    model.evaluate(X, Y, batch_size=8)
    assert re.fullmatch(r"3/3 - \d+s - \d+\w+/step - loss: [\d.e+-]+\n", capsys.readouterr().out)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_line, "can_redraw", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")


def final(line: str) -> str:
    """What a terminal shows in the end."""
    return line.split("\r")[-1].rstrip()


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
    assert re.fullmatch(r"3/3 ━{20} \d+s \d+\w+/step - loss: [\d.e+-]+", final(capsys.readouterr().out))
    model.predict(X, batch_size=8)
    assert re.fullmatch(r"3/3 ━{20} \d+s \d+\w+/step", final(capsys.readouterr().out))


class Clock:
    """Time that passes only when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(progress_line.time, "perf_counter", lambda: self.now)


@pytest.mark.usefixtures("terminal")
def test_bar_is_drawn_ten_times_a_second(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(monkeypatch)
    bar = progress.ProgressDisplay(1, 1, 400)
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
    bar = progress.ProgressDisplay(1, 2, None)
    bar.on_train_begin()
    bar.on_epoch_begin(0)
    for step in range(3):
        clock.now += 70.0
        bar.on_train_batch_end(step, {"loss": 1e-5})
    assert final(capsys.readouterr().out) == "      3/unknown 3:30 70s/step - loss: 1.0000e-05"
    bar.on_epoch_end(0, {"loss": 1e-5, "f1": np.array([0.5, 0.25])})
    end = final(capsys.readouterr().out)
    assert end == "3/3 ━━━━━━━━━━━━━━━━━━━━ 3:30 70s/step - loss: 1.0000e-05 - f1: [0.5000 0.2500]"
    bar.on_epoch_begin(1)
    clock.now += 3 * 3600
    bar.on_train_batch_end(0, {})
    assert "1/3 ━━━━━━────────────── 3:00:00" in capsys.readouterr().out


@pytest.mark.usefixtures("terminal")
def test_bar_where_the_output_knows_ascii_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", output)
    bar = progress.ProgressDisplay(1, 1, 4)
    bar.on_train_batch_end(1, {})
    output.seek(0)
    assert "2/4 ==========.........." in output.read()


@pytest.mark.usefixtures("terminal")
def test_the_bar_of_an_epoch_shows_its_validation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    bar = progress.ProgressDisplay(1, 2, 10, validation_steps=8)
    bar.on_train_begin()

    def pass_over(hook: Any, steps: int, seconds: float) -> list[str]:
        for step in range(steps):
            clock.now += seconds
            hook(step, {"loss": 0.5})
        return [final(line) for line in capsys.readouterr().out.split("\r")[1:]]

    bar.on_epoch_begin(0)
    drawn = pass_over(bar.on_train_batch_end, 10, 2.0)
    assert drawn[4] == " 5/10 ━━━━━━━━━━────────── 10s 2s/step - loss: 0.5000"  # of the validation nothing is known
    bar.on_test_begin()
    drawn = pass_over(bar.on_test_batch_end, 8, 0.5)
    whole = "10/10 ━━━━━━━━━━━━━━━━━━━━ {} 2s/step - validation: {}/8 500ms/step - loss: 0.5000"
    assert drawn == [
        whole.format(f"{left:.0f}s", done) for done, left in enumerate((0.5, 3, 2.5, 2, 1.5, 1, 0.5, 0), 1)
    ]
    bar.on_test_end()
    bar.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.25})
    out = capsys.readouterr().out
    assert final(out) == "10/10 ━━━━━━━━━━━━━━━━━━━━ 24s 2s/step - loss: 0.5000 - val_loss: 0.2500"
    assert len(out.split("\r")[1].strip("\n")) == len(drawn[-1])  # spaces cover what was drawn before
    bar.on_epoch_begin(1)
    drawn = pass_over(bar.on_train_batch_end, 5, 2.0)
    assert drawn[4] == " 5/10 ━━━━━━━━━━────────── 14s 2s/step - loss: 0.5000"  # and 4 s of them for the validation


# ---- where it is printed ---------------------------------------------------------------------------------------------


class Screen(io.StringIO):
    """A standard output that shows what is written as a terminal of 60 columns does, or as a notebook, without end.

    Neither obeys other codes than "\\r" and "\\n" here; notebooks overwrite character by character, as terminals do.
    """

    columns: int | None = 60
    encoding = "utf-8"

    def isatty(self) -> bool:
        return self.columns is not None

    def shown(self) -> list[str]:
        rows, place = [""], 0
        for character in self.getvalue():
            assert character != "\x1b"
            if character == "\n" or place == self.columns:
                rows.append("")
                place = 0
            if character == "\r":
                place = 0
            elif character != "\n":
                rows[-1] = rows[-1][:place] + character + rows[-1][place + 1 :]
                place += 1
        return [row.rstrip() for row in rows]


class Notebook(Screen):
    """What IPython's kernel puts in place of standard output."""

    columns = None


Notebook.__module__ = "ipykernel.iostream"


@pytest.fixture(params=[Screen, Notebook])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    return request.param()


def draw(screen: Screen) -> None:
    """Draw two epochs of many metrics, whose lines become longer and shorter."""
    with redirect_stdout(screen):
        bar = progress.ProgressDisplay(1, 2, 3)
        bar._line._interval = 0.0
        bar.on_train_begin()
        for epoch in range(2):
            bar.on_epoch_begin(epoch)
            for step in range(3):
                bar.on_train_batch_end(step, {f"metric_{i}": 0.5 for i in range(5 - step)})
            bar.on_epoch_end(epoch, {"loss": 0.25})


def test_a_bar_is_one_row(screen: Screen) -> None:
    draw(screen)
    *rows, last = screen.shown()
    assert last == ""
    assert [rows[0], rows[2]] == ["Epoch 1/2", "Epoch 2/2"]
    for row in (rows[1], rows[3]):
        assert re.fullmatch(r"3/3 ━{20} 0s \d+\w+/step - loss: 0.2500", row)
    assert len(rows) == 4
    assert screen.getvalue().count("\r") == 8


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("CI", "1"), ("TERM", "dumb")])
def test_nothing_is_redrawn_where_nobody_looks(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    draw(screen)
    rows = screen.getvalue().splitlines()
    assert len(rows) == 2
    assert re.fullmatch(r"Epoch 1/2 - 3/3 - 0s - \d+\w+/step - loss: 0.2500", rows[0])


def test_a_program_without_standard_output_trains(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", None)
        small_model().fit(**DATA | {"verbose": 1})


def test_silence(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model()
    model.fit(**DATA)
    model.evaluate(**DATA)
    model.predict(X, verbose=0)
    assert capsys.readouterr().out == ""
