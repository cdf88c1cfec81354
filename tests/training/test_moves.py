"""Variables move between backends, and threads may use several backends at once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Variable, layers
from polykeras.backend import Backend, use_backend


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32", "uint8", "bool"])
def test_moves_through_all_backends_are_exact(all_backends: list[Backend], dtype: str) -> None:
    bits = np.random.default_rng(0).integers(0, 2**16, 64).astype("uint16")
    data = bits.astype("float32") / 7 if "float" in dtype else bits % 2
    variable = Variable(data, dtype=dtype, trainable=False)
    before = variable.numpy()
    for backend in [*all_backends, *reversed(all_backends)]:
        if dtype in backend.unsupported_dtypes:
            continue
        with use_backend(backend):
            value = variable.value
            assert (backend.dtype(value), variable.location) == (dtype, backend.name)
            np.testing.assert_array_equal(backend.to_numpy(value).astype("float64"), before.astype("float64"))
    np.testing.assert_array_equal(variable.numpy().astype("float64"), before.astype("float64"))


def test_numpy_does_not_move_a_variable(all_backends: list[Backend]) -> None:
    for backend in all_backends:
        with use_backend(backend):
            variable = Variable([1.0])
            variable.assign([2.0])
        for other in all_backends:
            with use_backend(other):
                assert variable.numpy().tolist() == [2.0]
        assert variable.location == backend.name


def test_two_threads_train_two_models_on_two_backends(all_backends: list[Backend]) -> None:
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x.sum(axis=1, keepdims=True)

    def make() -> Any:
        model = polykeras.Sequential([layers.Dense(8, "tanh", input_dim=4), layers.Dropout(0.2), layers.Dense(1)])
        model.compile(optimizer=polykeras.optimizers.SGD(0.05), loss="mse")
        return model

    def train(backend: Backend, model: Any, results: dict[str, Any]) -> None:
        with use_backend(backend):
            results[backend.name] = model.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history["loss"]

    polykeras.random.set_random_seed(1)
    models = {b.name: make() for b in all_backends}
    weights = models[all_backends[0].name].get_weights()
    for model in models.values():
        model.set_weights(weights)
    alone: dict[str, Any] = {}
    twin = {b.name: polykeras.models.clone_model(models[b.name]) for b in all_backends}
    for b in all_backends:
        twin[b.name].set_weights(weights)
        twin[b.name].compile(optimizer=polykeras.optimizers.SGD(0.05), loss="mse")
        for layer, other in zip(twin[b.name].layers, models[b.name].layers, strict=True):
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign(other.seed_generator.state.numpy())
        train(b, twin[b.name], alone)
    together: dict[str, Any] = {}
    threads = [threading.Thread(target=train, args=(b, models[b.name], together)) for b in all_backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together.keys() == alone.keys()
    for name, losses in alone.items():
        np.testing.assert_allclose(together[name], losses, rtol=1e-6)


def test_threads_may_predict_with_one_model(backend: Backend) -> None:
    model = polykeras.Sequential([layers.Dense(8, "tanh", input_dim=4), layers.Dense(1)])
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    expected = model.predict(x, verbose=0)
    problems: list[BaseException] = []

    def work() -> None:
        try:
            with use_backend(backend):
                for _ in range(10):
                    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
