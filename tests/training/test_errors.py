"""Every mistake of a user is named: what was expected, what came, where, and how to mend it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers
from polykeras.backend import Backend

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = (X[:, :1] > 0).astype("float32")


def model(*tail: Any, loss: Any = "mse", **kwargs: Any) -> keras.Model:
    """Return a small compiled model with one output a sample, or with the layers given."""
    made = keras.Sequential([keras.Input((3,)), *(tail or [layers.Dense(1, name="out")])])
    made.compile("sgd", loss, **kwargs)
    return made


def fails(words: str, kind: type[Exception] = ValueError) -> Any:
    """Expect an error whose message, notes included, holds all of the words, in order."""
    pattern = ".*".join(map(re.escape, words.split(" ... ")))
    return pytest.raises(kind, match=f"(?s){pattern}")


def message(call: Callable[[], Any]) -> str:
    """Return the message and the notes of the error that a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  (the caller looks at the words)
        call()
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


# ---- inputs ----------------------------------------------------------------------------------------------------


def test_wrong_rank_names_the_layer(backend: Backend) -> None:
    layer = layers.Conv1D(4, 3, name="listen")
    with fails("'listen' (Conv1D) ... 3 axes ... received 2 ... The axes are (batch, steps, channels). `x[None]` adds"):
        layer(X)
    image = np.ones((8, 8), "float32")
    with fails("4 axes (ndim=4); received 2 ... The axes are (batch, height, width, channels). `x[None]` adds an axis"):
        layers.Conv2D(4, 3)(image)
    first = layers.MaxPooling2D(data_format="channels_first")
    text = message(lambda: first(np.ones((1, 1, 8, 8, 1), "float32")))
    assert "The axes are (batch, channels, height, width)." in text
    assert "x[None]" not in text  # there is none to add


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN])
@pytest.mark.parametrize("symbolic", [True, False])
def test_wrong_rank_names_the_recurrent_layer_and_not_its_cell(kind: Any, symbolic: bool, backend: Backend) -> None:
    layer = kind(4, name="read")
    x = keras.Input((3,)) if symbolic else X
    with fails(f"'read' ({kind.__name__}) ... expected 3 axes ... received 2 ... axes are (batch, time, features)"):
        layer(x)
    assert not layer.cell.built
    assert layer(X[None]).shape == (1, 4)  # nothing is left of the attempt


def test_one_sample_in_place_of_a_batch(backend: Backend) -> None:
    with fails("expected shape (None, 3); received (3,). None is the number of samples; ... x[:1] or x[None]"):
        model()(X[0])
    with fails("received (3,). None is the number of samples; ... x[:1] or x[None]"):
        model().predict(X[0])
    assert "number of samples" not in message(lambda: model()(X[:, :2]))


def test_wrong_width_names_the_layer(backend: Backend) -> None:
    layer = layers.Dense(4, name="look")
    layer(X)
    with fails("'look' (Dense) ... axis -1 ... 3 ... received 5"):
        layer(np.ones((2, 5), "float32"))


def test_wrong_width_of_a_model_names_its_layer(backend: Backend) -> None:
    with fails("Layer 'out' (Dense) ... expected axis -1 to have size 3; received 2 (full shape (8, 2))"):
        model().fit(X[:, :2], Y, verbose=0)


def test_strings_are_refused(backend: Backend) -> None:
    with fails("x: expected numbers ... received dtype"):
        model().fit(np.array([["a", "b", "c"]] * 8), Y, verbose=0)


def test_unsupported_dtype(backend: Backend) -> None:
    if not backend.unsupported_dtypes:
        pytest.skip(f"{backend.name} has all dtypes")
    dtype, reason = next(iter(backend.unsupported_dtypes.items()))
    text = message(lambda: keras.ops.zeros((2,), dtype=dtype))
    assert dtype in text
    assert reason.split(".")[0][:20] in text


def test_unknown_dtype(backend: Backend) -> None:
    with fails("Unknown dtype 'float31' ... float32"):
        keras.ops.zeros((2,), dtype="float31")


# ---- data ------------------------------------------------------------------------------------------------------


def test_unequal_lengths(backend: Backend) -> None:
    with fails("same number of samples ... x: 8 ... y: 6"):
        model().fit(X, Y[:6], verbose=0)


def test_nan(backend: Backend) -> None:
    bad = X.copy()
    bad[5, 1] = np.nan
    with fails("x contains nan in 1 of 8 samples (row 5) ... set_check_data(False)"):
        model().fit(bad, Y, verbose=0)
    keras.config.set_check_data(False)
    try:
        with pytest.warns(RuntimeWarning, match="the loss is nan from epoch 1 on"):
            model().fit(bad, Y, verbose=0)
    finally:
        keras.config.set_check_data(True)


def test_empty_data(backend: Backend) -> None:
    with fails("The data are empty: x, y with 0 samples"):
        model().fit(X[:0], Y[:0], verbose=0)
    with fails("No data: x is None"):
        model().fit(verbose=0)
    with fails("The data are empty"):
        model().fit(iter([]), verbose=0)


def test_labels_of_the_wrong_shape(backend: Backend) -> None:
    text = message(lambda: model(layers.Dense(3, name="out")).fit(X, np.ones((8, 4)), verbose=0))
    assert "labels and predictions must have the same shape" in text
    assert "(8, 4)" in text
    assert "(8, 3)" in text
    assert "'out'" in text, "the output is named"


def test_labels_that_are_broadcast_are_told(backend: Backend) -> None:
    several = model()
    with pytest.warns(UserWarning, match=r"mean_squared_error: labels of shape \(8, 4\) .* \(8, 1\) are broadcast"):
        found = several.evaluate(X, np.arange(32.0).reshape(8, 4), verbose=0)
    errors = np.arange(32.0).reshape(8, 4) - several.predict(X, verbose=0)
    np.testing.assert_allclose(found, np.mean(errors**2), rtol=1e-5)


def test_class_numbers_out_of_range(backend: Backend) -> None:
    several = model(layers.Dense(3, activation="softmax", name="kind"), loss="sparse_categorical_crossentropy")
    with fails("'kind' are out of range ... expected values from 0 to 2; received 0 to 3"):
        several.fit(X, np.array([0, 1, 2, 3] * 2), verbose=0)
    with fails("-1"):
        several.fit(X, np.array([0, 1, 2, -1] * 2), verbose=0)


def test_binary_labels_out_of_range(backend: Backend) -> None:
    with fails("out of range for binary_crossentropy ... from 0 to 1; received -1 to 1"):
        model(layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy").fit(X, 2 * Y - 1, verbose=0)


def test_generator_that_ends_early(backend: Backend) -> None:
    def batches() -> Any:
        yield X[:4], Y[:4]
        yield X[4:], Y[4:]

    m = model()
    before = m.get_weights()
    warns = pytest.warns(UserWarning, match="ran out: 3 steps of epoch 1 were asked for and 2 came")
    with warns, fails("gave 2 batches to the epochs before and none to this one"):
        m.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0)
    assert any((a != b).any() for a, b in zip(before, m.get_weights(), strict=True)), "the steps done count"


def test_an_error_in_a_generator_is_raised(backend: Backend) -> None:
    def batches() -> Any:
        yield X[:4], Y[:4]
        raise OSError("the disk is gone")

    with fails("the disk is gone", OSError):
        model().fit(batches(), verbose=0)


@pytest.mark.parametrize("size", [0, -4, 2.5, "32", True])
def test_batch_size(backend: Backend, size: Any) -> None:
    with fails(f"`batch_size` must be a positive int; received {size!r}"):
        model().fit(X, Y, batch_size=size, verbose=0)


# ---- models ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [0, -1, 1.5, None, "ten"])
def test_units(backend: Backend, units: Any) -> None:
    with fails(f"Dense: `units` must be a positive int; received {units!r}"):
        layers.Dense(units)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: keras.losses.get("mean_square_error"), "Unknown loss ... Did you mean 'mean_squared_error'?"),
        (lambda: keras.optimizers.get("adamm"), "Unknown optimizer 'adamm' ... Did you mean 'adam'?"),
        (lambda: keras.metrics.get("precison"), "Unknown metric 'precison' ... Did you mean 'precision'?"),
        (lambda: keras.activations.get("sigmoyd"), "Unknown activation ... 'sigmoyd' ... Did you mean 'sigmoid'?"),
        (lambda: layers.Dense(2, activation="rellu"), "'rellu' ... Did you mean 'relu'?"),
        (lambda: model(loss="bineary_crossentropy"), "Did you mean 'binary_crossentropy'?"),
        (lambda: model(metrics=["accurcy"]), "'accurcy'"),
        (lambda: layers.Dense(2, kernel_initializer="he_norml"), "Did you mean 'he_normal'?"),
        (lambda: keras.use_backend("jaxx").__enter__(), "Unknown backend 'jaxx' ... 'jax'? ... Known: ... Installed: "),
    ],
)
def test_misspelt_names(backend: Backend, call: Callable[[], Any], words: str) -> None:
    with fails(words):
        call()


def test_fit_before_compile(backend: Backend) -> None:
    m = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    for method in ("fit", "evaluate", "train_on_batch"):
        with fails(f"You must call `compile()` before `{method}()` ... model.compile("):
            getattr(m, method)(X, Y)


def test_layer_before_it_can_be_built(backend: Backend) -> None:
    with fails("has no weights yet ... build(input_shape)"):
        layers.Dense(2).count_params()
    with fails("size is unknown ... (None, None) ... Input(shape="):
        layers.Dense(2)(keras.Input((None,)))
    m = keras.Sequential([layers.Dense(2)])
    with fails("input shape is not known ... input_shape=", AttributeError):
        m.output_shape  # noqa: B018
    with fails("does not implement `call`", NotImplementedError):
        layers.Layer()(X)


def test_disconnected_graph(backend: Backend) -> None:
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    with fails("disconnected ... 'b' ... not among the inputs ['a']"):
        keras.Model(a, layers.add([a, b]))
    with fails("must be symbolic tensors ... received"):
        keras.Model(X, X)


def test_duplicate_names(backend: Backend) -> None:
    with fails("Two layers ... the name 'twin'"):
        keras.Sequential([layers.Dense(2, name="twin"), layers.Dense(2, name="twin")])
    x = keras.Input((3,))
    with fails("Two layers ... the name 'twin'"):
        keras.Model(x, layers.Dense(2, name="twin")(layers.Dense(2, name="twin")(x)))


def test_unknown_argument_of_a_layer(backend: Backend) -> None:
    with fails("Dense got unexpected argument(s): colour", TypeError):
        layers.Dense(2, colour="red")
    with fails("argument(s): activaton. Did you mean 'activation'? It takes units", TypeError):
        layers.Dense(2, activaton="relu")
    with fails("Did you mean 'trainable'?", TypeError):  # an argument of all layers
        layers.Dense(2, trainble=False)


def test_a_missing_argument_of_a_layer_names_the_class_that_was_called(backend: Backend) -> None:
    with pytest.raises(TypeError, match=r"^Conv2D\(\) missing 1 required positional argument: 'kernel_size'"):
        layers.Conv2D(16)

    class Mine(layers.Conv2D):
        def __init__(self) -> None:
            super().__init__(16)

    with pytest.raises(TypeError, match=r"^Conv\.__init__\(\) missing"):  # nothing is missing in `Mine()`
        Mine()


def test_classes_of_losses_and_metrics_are_called_as_in_keras(backend: Backend) -> None:
    history = []
    for call in (lambda cls: cls, lambda cls: cls()):
        keras.utils.set_random_seed(0)
        m = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
        m.compile(
            "sgd",
            call(keras.losses.MeanSquaredError),
            metrics=[call(keras.metrics.MeanAbsoluteError)],
            weighted_metrics=[call(keras.metrics.MeanSquaredError)],
        )
        history.append(m.fit(X, Y, epochs=2, verbose=0).history)
    assert history[0] == history[1]
    assert set(history[0]) == {"loss", "mean_absolute_error", "mean_squared_error"}
    for given in (keras.metrics.MeanIoU, "MeanIoU"):
        with fails("MeanIoU ... num_classes ... MeanIoU was given as a class or a name ... MeanIoU(...)", TypeError):
            m.compile("sgd", "mse", metrics=[given])


def test_no_loss(backend: Backend) -> None:
    with fails("no loss to minimise ... `loss=`"):
        model(loss=None).fit(X, Y, verbose=0)
    assert model(loss=None).evaluate(X, verbose=0) == 0.0


def test_no_labels(backend: Backend) -> None:
    for call in (lambda: model().fit(X, verbose=0), lambda: model().evaluate(X), lambda: model().train_on_batch(X)):
        with fails("loss 'mse' needs labels; received y=None ... `fit(x, y)` ... batches `(x, y)`"):
            call()
    with fails("needs labels ... batches `(x, y)`"):
        model().fit(iter([X]), verbose=0)


def test_an_error_in_a_layer_says_which(backend: Backend) -> None:
    class Broken(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return keras.ops.reshape(inputs, (-1, 7))

    text = message(lambda: model(Broken(name="culprit"), layers.Dense(1)).fit(X, Y, verbose=0))
    assert "culprit" in text


def test_nothing_changes_where_a_step_fails(backend: Backend) -> None:
    m = model()
    m.fit(X, Y, verbose=0)
    before = [v.numpy() for v in (*m.variables, *m.optimizer.variables)]
    with pytest.raises(ValueError, match="the same shape"):
        m.fit(X, np.ones((8, 4, 2)), verbose=0)
    after = [v.numpy() for v in (*m.variables, *m.optimizer.variables)]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    m.fit(X, Y, verbose=0)


# ---- backends and configuration ----------------------------------------------------------------------------------


def _run(code: str, home: Path, **environment: str) -> str:
    command = [sys.executable, "-c", code]
    environment = {"POLYKERAS_HOME": str(home), "PATH": "", **environment}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode != 0
    return run.stderr


def test_broken_config_file(tmp_path: Path) -> None:
    (tmp_path / "polykeras.json").write_text('{\n  "backend": "numpy",\n  "floatx": float32\n}')
    text = _run("import polykeras; polykeras.ops.zeros((2,))", tmp_path)
    assert str(tmp_path / "polykeras.json") in text
    assert "line 3" in text


def test_unknown_key_in_the_config_file(tmp_path: Path) -> None:
    (tmp_path / "polykeras.json").write_text('{\n  "floatx": "float32",\n  "bakcend": "numpy"\n}')
    text = _run("import polykeras; polykeras.ops.zeros((2,))", tmp_path)
    assert "line 3" in text
    assert "unknown key 'bakcend'" in text


def test_backend_that_is_not_installed(tmp_path: Path) -> None:
    hide = (
        "import importlib.util as util; found = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'jax' else found(name, package)\n"
    )
    text = _run(hide + "import polykeras; polykeras.set_backend('jax')", tmp_path)
    assert "needs jax, which is not installed" in text
    assert 'pip install "polykeras[jax]"' in text
    assert "Installed backends:" in text


def test_a_mistake_that_another_shape_brings_to_light_loses_nothing(backend: Backend) -> None:
    class Particular(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            if data[0].shape[0] != 8:
                raise ValueError("eight at a time")
            return super().train_step(data)

    made = Particular([keras.Input((3,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    made.fit(X, Y, verbose=0)
    weights = made.get_weights()
    told = message(lambda: made.train_on_batch(X[:4], Y[:4]))
    assert "eight at a time" in told
    assert "may be those of no step" not in told
    for now, before in zip(made.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, before)
