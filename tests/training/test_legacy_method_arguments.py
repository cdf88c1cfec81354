"""Arguments of methods and callbacks that Keras 1 and 2 had: each call does what today's does, and says so once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from polykeras import callbacks, layers, models, saving
from polykeras.backend import Backend, use_backend
from polykeras.legacy.method_arguments import ARGUMENTS

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
Y = X.sum(-1, keepdims=True)


def model_of(**compiled: Any) -> Any:
    model = models.Sequential([layers.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", **compiled)
    return model


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    while True:
        for start in range(0, 20, 4):
            yield X[start : start + 4], Y[start : start + 4]


def trained(**how: Any) -> Callable[[Any], Any]:
    return lambda model: model.fit(X, Y, verbose=0, shuffle=False, **how).history


def by_generator(**how: Any) -> Callable[[Any], Any]:
    return lambda model: model.fit_generator(batches(), verbose=0, **how).history


FETCHING = {"workers": 4, "use_multiprocessing": True, "max_queue_size": 20}
METHODS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], str]] = {
    "fit nb_epoch": (trained(nb_epoch=3), trained(epochs=3), "fit: .*nb_epoch: epochs[.]"),
    "fit by place": (
        lambda m: m.fit(X, Y, 5, nb_epoch=2, verbose=0, shuffle=False).history,
        trained(batch_size=5, epochs=2),
        "nb_epoch",
    ),
    "fit workers": (trained(**FETCHING), trained(), "workers: no longer needed; use_multiprocessing: no longer needed"),
    "evaluate": (
        lambda m: m.evaluate(X, Y, verbose=0, **FETCHING),
        lambda m: m.evaluate(X, Y, verbose=0),
        "evaluate: .*max_queue_size",
    ),
    "predict": (
        lambda m: m.predict(X, verbose=0, **FETCHING).tolist(),
        lambda m: m.predict(X, verbose=0).tolist(),
        "predict: .*workers",
    ),
    "train_on_batch": (
        lambda m: m.train_on_batch(X, Y, reset_metrics=True),
        lambda m: m.train_on_batch(X, Y),
        "reset_metrics: no longer needed",
    ),
    "fit_generator": (
        by_generator(samples_per_epoch=10, nb_epoch=2, nb_worker=3, max_q_size=4, pickle_safe=True),
        by_generator(steps_per_epoch=3, epochs=2),
        "samples_per_epoch: steps_per_epoch=3, since batches hold 4; nb_epoch: epochs",
    ),
    "fit_generator validation": (
        lambda m: by_generator(steps_per_epoch=1, validation_data=batches(), nb_val_samples=8)(m),
        lambda m: by_generator(steps_per_epoch=1, validation_data=batches(), validation_steps=2)(m),
        "nb_val_samples: validation_steps=2",
    ),
    "fit_generator validation of arrays": (
        by_generator(steps_per_epoch=1, validation_data=(X, Y), nb_val_samples=20),
        by_generator(steps_per_epoch=1, validation_data=(X, Y)),
        "nb_val_samples: not needed for arrays",
    ),
    "evaluate_generator": (
        lambda m: m.evaluate_generator(batches(), val_samples=20),
        lambda m: m.evaluate(batches(), steps=5, verbose=0),
        "val_samples: steps=5",
    ),
    "predict_generator": (
        lambda m: m.predict_generator((x for x, _ in batches()), val_samples=8).tolist(),
        lambda m: m.predict(X[:8], batch_size=4, verbose=0).tolist(),
        "val_samples: steps=2",
    ),
}


@pytest.mark.filterwarnings("ignore:.*is a method of Keras 2:DeprecationWarning")
@pytest.mark.parametrize("case", METHODS)
def test_methods_do_what_they_do_today(backend: Backend, case: str) -> None:
    old, today, message = METHODS[case]
    with pytest.warns(DeprecationWarning, match=message) as caught:
        found = old(model_of())
    assert [w.filename for w in caught if "under names of Keras" in str(w.message)] == [__file__]
    assert found == today(model_of())


def test_compile() -> None:
    with use_backend("numpy"), pytest.warns(DeprecationWarning, match="compile: .*sample_weight_mode: no longer"):
        model = model_of(sample_weight_mode=None, experimental_steps_per_execution=2, target_tensors=None)
    assert model.steps_per_execution == 2


def test_files_of_weights(tmp_path: Path) -> None:
    with use_backend("numpy"):
        model, other = model_of(), model_of()
        with pytest.warns(DeprecationWarning, match="save_weights: .*save_format: no longer needed"):
            model.save_weights(tmp_path / "w.h5", save_format="h5")
        other.set_weights([np.zeros((3, 1)), np.ones(1)])
        other.load_weights(tmp_path / "w.h5")
        assert [w.tolist() for w in other.get_weights()] == [w.tolist() for w in model.get_weights()]
        checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}.hdf5", save_weights_only=True)
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[checkpoint])
        other.load_weights(tmp_path / "2.hdf5", by_name=False)
        assert [w.tolist() for w in other.get_weights()] == [w.tolist() for w in model.get_weights()]
    with h5py.File(tmp_path / "w.h5") as file:  # the form of Keras 2's weights: groups by layer, listed in attributes
        (name,) = file.attrs["layer_names"]
        assert [file[name][w].shape for w in file[name].attrs["weight_names"]] == [(3, 1), (1,)]
        assert "model_config" not in file.attrs


def test_only_models_have_files_of_keras_2(tmp_path: Path) -> None:
    layer = layers.Dense(1)
    with use_backend("numpy"):
        layer.build((None, 3))
        with pytest.raises(ValueError, match="Let the name end in '.weights.h5'"):
            saving.save_weights(layer, tmp_path / "w.h5")


ERRORS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "nothing": (lambda m: m.fit(X, Y, nothing=1), "unexpected keyword argument 'nothing'"),
    "a near one": (lambda m: m.fit(X, Y, epoch=1), r"^Sequential\.fit\(\) got .* 'epoch'\. Did you mean 'epochs'\?"),
    "a near one of compile": (
        lambda m: m.compile(metric=[]),
        r"compile\(\) got .* 'metric'\. Did you mean 'metrics'\?",
    ),
    "another method's": (lambda m: m.predict(X, nb_epoch=1), "unexpected keyword argument 'nb_epoch'"),
    "both": (lambda m: m.fit(X, Y, epochs=1, nb_epoch=1), "`nb_epoch` is Keras 1's or 2's name of `epochs`; both"),
    "twice": (lambda m: m.fit(X, x=X, nb_epoch=1), "fit"),
    "too many": (lambda m: m.predict(X, 1, 0, 1, None, 1, workers=1), "predict"),
    "no reset": (lambda m: m.train_on_batch(X, Y, reset_metrics=False), "accepts only True here; received False"),
    "targets": (lambda m: m.compile("sgd", "mse", target_tensors=[1]), "accepts only None here"),
    "a callback's": (
        lambda m: callbacks.ModelCheckpoint("w.keras", monitr=1),
        r"^ModelCheckpoint\(\) got .* Did you mean 'monitor'\?",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_no_keras_knew_is_an_error(case: str) -> None:
    call, message = ERRORS[case]
    with use_backend("numpy"), pytest.raises(TypeError, match=message):
        call(model_of())


CALLBACKS: dict[str, tuple[type, dict[str, Any], dict[str, Any], str]] = {
    "plateau": (callbacks.ReduceLROnPlateau, {"epsilon": 0.5}, {"min_delta": 0.5}, "epsilon: min_delta"),
    "tensorboard": (
        callbacks.TensorBoard,
        {"batch_size": 32, "write_grads": True},
        {},
        "write_grads: no longer needed",
    ),
    "progress": (callbacks.ProgbarLogger, {"count_mode": "steps"}, {}, "count_mode: no longer needed"),
}


@pytest.mark.parametrize("case", CALLBACKS)
def test_callbacks_are_those_of_today(case: str) -> None:
    cls, old, today, message = CALLBACKS[case]
    with pytest.warns(DeprecationWarning, match=message) as caught:
        found = cls(**old)
    assert [w.filename for w in caught] == [__file__]
    plain = {name: value for name, value in vars(cls(**today)).items() if isinstance(value, (int, float, str))}
    assert {name: vars(found)[name] for name in plain} == plain
    assert found.get_state() == cls(**today).get_state()  # of a run that goes on


def test_a_subclass_hands_them_on() -> None:
    class Own(callbacks.ReduceLROnPlateau):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)

    with pytest.warns(DeprecationWarning, match="epsilon: min_delta"):
        assert Own(epsilon=0.25).min_delta == 0.25


# By tf.keras 2: it saves when `period` epochs have gone by since it saved or compared last.
@pytest.mark.parametrize(("period", "epochs"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), (3, [3]), (6, [])])
def test_checkpoints_by_periods(tmp_path: Path, period: int, epochs: list[int]) -> None:
    with pytest.warns(DeprecationWarning, match="ModelCheckpoint: .*period: an attribute"):
        checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras", period=period)
    with use_backend("numpy"):
        model_of().fit(X, Y, epochs=5, verbose=0, callbacks=[checkpoint])
    assert sorted(int(file.stem) for file in tmp_path.iterdir()) == epochs


def test_what_is_said_of_wrong_periods() -> None:
    with pytest.raises(ValueError, match="ModelCheckpoint: `period` must be a positive int; received 0"):
        callbacks.ModelCheckpoint("w.keras", period=0)


def test_signatures_are_those_of_today() -> None:
    for name in ("compile", "fit", "evaluate", "predict", "train_on_batch", "test_on_batch"):
        assert inspect.signature(getattr(models.Model, name)).parameters.keys().isdisjoint(ARGUMENTS[name])
        assert "kwargs" not in inspect.signature(getattr(models.Model, name)).parameters
    assert list(inspect.signature(callbacks.ReduceLROnPlateau).parameters)[:3] == ["monitor", "factor", "patience"]
