"""The programs of steps as text, on each backend."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import polykeras as keras
from polykeras import debug, fast, layers
from polykeras.backend import Backend

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = np.arange(8) % 3
KINDS: tuple[Literal["train", "test", "predict"], ...] = ("train", "test", "predict")
# What multiplies matrices, by the language of the program: StableHLO, HLO and what XLA calls, torch's, TensorFlow's.
PRODUCT = re.compile(r"dot_general|\bdot\(|\baddmm_\d+\(|\bmm_\d+\(|__onednn|MatMul\(|fusion\(|custom-call\(")


def make_model(*more: Any, **compiled: Any) -> keras.Sequential:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, "relu", name="hidden"), *more, layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], **compiled)
    return model


@pytest.mark.parametrize("stage", ["traced", "compiled"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_program_of_a_batch(backend: Backend, kind: Any, stage: Any) -> None:
    model = make_model(layers.Dropout(0.5))
    before = [np.array(variable) for variable in model.variables]
    y = None if kind == "predict" else Y
    text = debug.program(model, kind, X, y, stage=stage)
    first, *rest = text.splitlines()
    assert first == f"# {kind}_step of model {model.name!r} on {backend.name}"
    if not backend.execution.compiles:
        assert rest == ["# it runs as plain Python: nothing is compiled"]
        return
    assert rest[0] == f"# argument 0: {model.name}/hidden/kernel float32[4, 5]"
    assert re.search(r"^# argument \d+: of the batch, float32\[8, 4\]$", text, re.MULTILINE)
    assert ("of the batch, int" in text) == (kind != "predict")
    body = [line for line in rest if not line.startswith("#")]
    assert any(map(PRODUCT.search, body)), text
    assert str(Path(debug.__file__).parent) not in text
    # Nothing of the model changed.
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert model.optimizer.iterations.numpy() == 0


def test_after_fit_no_batch_is_needed(backend: Backend) -> None:
    model = make_model()
    with pytest.raises(ValueError, match="expected a batch, since the train step .* has not run on"):
        debug.program(model)
    model.fit(X, Y, batch_size=4, epochs=1, validation_data=(X, Y), verbose=0)
    weights = model.get_weights()
    for kind in ("train", "test"):
        text = debug.program(model, kind)
        assert f"{kind}_step" in text
        assert ("of the batch, float32[4, 4]" in text) == backend.execution.compiles
    with pytest.raises(ValueError, match="the predict step"):
        debug.program(model, "predict")
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    model.fit(X, Y, batch_size=4, epochs=1, verbose=0)  # and it goes on as before


def test_training_goes_on_with_the_same_numbers(backend: Backend) -> None:
    def losses(looks: bool) -> list[float]:
        keras.utils.set_random_seed(0)
        model = make_model(layers.Dropout(0.5))
        found = []
        for _ in range(3):
            if looks:
                debug.program(model, "train", X, Y)
            found += model.fit(X, Y, batch_size=4, verbose=0).history["loss"]
        return found

    assert losses(True) == losses(False)


def test_plain_python_is_said(backend: Backend) -> None:
    text = debug.program(make_model(run_eagerly=True), "train", X, Y)
    assert text.endswith("# it runs as plain Python: nothing is compiled")


@pytest.mark.needs("torch")
def test_on_torch_without_a_recorder_nothing_is_recorded() -> None:
    with keras.use_backend("torch"), fast.off():
        text = debug.program(make_model(), "train", X, Y)
    assert text.endswith("# it runs as plain Python: nothing is compiled")


@pytest.mark.needs("torch")
def test_the_program_on_torch_is_python() -> None:
    """The source that is shown does what the step does."""
    import torch

    with keras.use_backend("torch"):
        model = make_model()
        text = debug.program(model, "predict", X, stage="compiled")
        weights = [torch.tensor(np.array(variable)) for variable in model.variables]
        known = {name: getattr(torch, name.rpartition("_")[0]) for name in re.findall(r"\b([a-z]+_\d+)\(", text)}
        assert len(known) > 1
        exec(text, known)
        (outputs,) = known["program"]([*weights, torch.tensor(X)])
        np.testing.assert_allclose(outputs, model.predict(X, verbose=0), rtol=1e-6)
        traced, compiled = (debug.program(model, "train", X, Y, stage=stage) for stage in ("traced", "compiled"))
    for text in (traced, compiled):
        compile(text, "program", "exec")
    assert ("clone_" in traced, "clone_" in compiled) == (True, False)  # new weights take the memory of the old ones
    assert ("del t" in traced, "del t" in compiled) == (False, True)


@pytest.mark.needs("tensorflow")
def test_what_tensorflow_does_not_give_to_xla_is_listed() -> None:
    with keras.use_backend("tensorflow"):
        model = make_model()
        assert "HloModule" in debug.program(model, "train", X, Y)
        assert re.search(r"^    \S+ = MatMul\(.+\)$", debug.program(model, "predict", X), re.MULTILINE)


def test_words_that_are_none_are_refused() -> None:
    with keras.use_backend("numpy"):
        model = make_model()
        with pytest.raises(ValueError, match="expected kind to be one of train, test, predict; received 'fit'"):
            debug.program(model, "fit", X, Y)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="expected stage to be one of traced, compiled; received 'hlo'"):
            debug.program(model, "train", X, Y, stage="hlo")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="You must call `compile"):
            debug.program(keras.Sequential([layers.Dense(1)]), "train", X, Y)
