"""What `Model.quantize` says that it did, and what quantized weights weigh."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers as L
from polykeras.backend import Backend
from polykeras.quantizers import QuantizationReport


def model_of() -> Any:
    inner = keras.Sequential([L.Input((6,)), L.Dense(4, L.ReLU(name="cut"), name="inside")], name="inner")
    return keras.Sequential([L.Input((6,)), inner, L.Dropout(0.1, name="drop"), L.Dense(2, name="out")], name="outer")


def test_a_report_of_all_layers(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    model = model_of()
    report = model.quantize("int8", filters=lambda layer: layer.name != "out")
    assert report.mode == "int8"
    assert [(path.rpartition("/")[2], *rest) for path, *rest in report.quantized] == [
        ("inside", "int8", "int8_from_float32")
    ]
    assert {path.rpartition("/")[2]: why for path, why in report.skipped} == {
        "cut": "no quantize support",
        "drop": "no quantize support",
        "out": "filtered out",
    }
    assert (report.num_quantized, report.num_skipped) == (1, 3)
    assert repr(report) == "QuantizationReport(mode='int8', quantized=1, skipped=3)"
    assert capsys.readouterr().out.strip() == report.render()
    # What is quantized stays, so that the rest can follow in another mode.
    again = model.quantize("int4", verbose=False)
    assert capsys.readouterr().out == ""
    assert again.skipped_by_reason(QuantizationReport.SKIP_ALREADY_QUANTIZED) == [report.quantized[0][0]]
    assert [mode for _, mode, _ in again.quantized] == ["int4"]
    assert model._quantization_report is again
    model.predict(np.zeros((2, 6), "float32"), verbose=0)


def test_text() -> None:
    report = QuantizationReport("int8")
    assert report.summary_warning() is None
    assert report.render().splitlines() == ["quantize('int8')", "Quantized: 0", "Left unchanged: 0"]
    report.add_quantized("block/a", "int8", "int8_from_float32")
    for name in "bcd":
        report.add_skipped(name, QuantizationReport.SKIP_NO_SUPPORT)
    report.add_skipped("e", QuantizationReport.SKIP_OUTSIDE_STRUCTURE)
    assert "3 layers" in (report.summary_warning() or "")
    assert "'b' (no quantize support), 'c' (no quantize support), ..." in (report.summary_warning(max_examples=2) or "")
    assert "  block/a: int8_from_float32 (int8)" in report.render().splitlines()
    assert "  e: outside quantization structure" in report.render().splitlines()


# Bytes: the codes; the scales, zero points and block numbers, if any. Keras 3.16's nightly counts the same.
SIZES = {
    "int8": [6 * 4 + 4 * 4, 4 * 2 + 4 * 2],
    "int4": [6 * 2 + 4 * 4 + 4 + 4 * 6, 4 * 1 + 4 * 2 + 2 + 4 * 4],
    "ternary": [6 * 1 + 4, 4 * 1 + 4],
    "float8": [4 * 24, 4 * 8],
}


@pytest.mark.parametrize("mode", SIZES)
def test_sizes(mode: str, backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    model = model_of()
    assert model.quantization_summary(verbose=False).splitlines()[-1] == "There are none."
    model.quantize(mode, verbose=False)
    text = model.quantization_summary()
    assert capsys.readouterr().out == text + "\n"
    assert [int(line.split(", ")[1].split()[0]) for line in text.splitlines() if "stored as" in line] == SIZES[mode]
    total = sum(SIZES[mode])
    assert "Layers: 2. Numbers: 32." in text
    assert f"Stored in {total} bytes; as float32 in 128 bytes, {128 / total:.2f} times" in text
    assert ("the float weight" in text) == (mode == "float8")
