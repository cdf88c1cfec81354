"""What optimizers and layers did in Keras 2 under names that Keras 3 has not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import polykeras
from polykeras import layers, models, ops, optimizers, utils, wrappers
from polykeras.backend import Backend, use_backend

X = np.arange(12, dtype="float32").reshape(6, 2)
Y = X.sum(-1, keepdims=True)


# ---- optimizers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: optimizers.SGD(0.1), lambda: optimizers.LossScaleOptimizer("sgd")])
def test_minimize_is_a_step_down_the_gradient(backend: Backend, make: Any) -> None:
    optimizer = make()
    optimizer.learning_rate = 0.1
    w, b = polykeras.Variable([1.0, -2.0]), polykeras.Variable(3.0)
    for given in ([w, b], lambda: (w, b)):
        optimizer.minimize(lambda: ops.sum(w * w) + 5 * b, given)
    np.testing.assert_allclose(w.numpy(), np.array([1, -2]) * 0.8**2, rtol=1e-5)  # w - 0.1 * 2 w, twice
    np.testing.assert_allclose(b.numpy(), 3 - 2 * 0.1 * 5, rtol=1e-5)
    assert int(optimizer.iterations) == 2


@pytest.mark.needs("tensorflow")
@pytest.mark.parametrize("make", [lambda: optimizers.SGD(0.1), lambda: optimizers.LossScaleOptimizer("sgd")])
def test_minimize_takes_tapes(make: Any) -> None:
    import tensorflow as tf

    with use_backend("tensorflow"):
        optimizer = make()
        optimizer.learning_rate = 0.1
        w = polykeras.Variable([1.0, -2.0])
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w * w)
        optimizer.minimize(loss, [w], tape=tape)
        optimizer.minimize(lambda: tf.reduce_sum(w * w), [w], tape=tf.GradientTape())
        np.testing.assert_allclose(w.numpy(), np.array([1, -2]) * 0.8**2, rtol=1e-5)


def test_mistakes_of_minimize() -> None:
    with use_backend("numpy"):
        with pytest.raises(ValueError, match="a function that computes the loss, or a loss and the `tape`"):
            optimizers.SGD().minimize(1.0, [polykeras.Variable(1.0)])
        with pytest.raises(ValueError, match="no variables"):
            optimizers.SGD().minimize(lambda: 1.0, [])


# ---- layers ----------------------------------------------------------------------------------------------------------


class Watching(layers.Layer):
    """Notes the mean and the largest number of its inputs."""

    def call(self, x: Any) -> Any:
        self.add_metric(x, name="middle", aggregation="mean")
        self.add_metric(ops.max(x), name="largest")
        return x


class Own(models.Model):
    """A model that notes something in its `call`."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1, kernel_initializer="ones")

    def call(self, x: Any) -> Any:
        self.add_metric(x, name="middle", aggregation="mean")
        self.add_metric(ops.max(x), name="largest")
        return self.dense(x)


def functional() -> Any:
    x = layers.Input((2,))
    return models.Model(x, layers.Dense(1)(Watching()(x)))


@pytest.mark.parametrize("make", [functional, Own], ids=["in a graph", "in a subclass"])
def test_metrics_of_layers_are_in_the_logs(backend: Backend, make: Any) -> None:
    model = make()
    model.compile(optimizers.SGD(0.0), "mse")
    logs = model.fit(X, Y, batch_size=2, epochs=2, shuffle=False, verbose=0, validation_data=(X[:2], Y[:2])).history
    assert logs["middle"] == pytest.approx([X.mean()] * 2)
    assert logs["largest"] == pytest.approx([np.mean([3, 7, 11])] * 2)  # the means of those of each batch
    assert [logs["val_middle"], logs["val_largest"]] == [[1.5, 1.5], [3.0, 3.0]]
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["largest"] == X.max()
    assert {"middle", "largest"} <= set(model.metrics_names)


def test_shapes_of_layers_in_graphs() -> None:
    with use_backend("numpy"):
        first, both, alone = layers.Dense(3), layers.Concatenate(), layers.Dense(3)
        x, y = layers.Input((2,)), layers.Input((4,))
        models.Model([x, y], both([first(x), y]))
        assert (first.input_shape, first.output_shape) == ((None, 2), (None, 3))
        assert both.input_shape == [(None, 3), (None, 4)]
        assert not hasattr(alone, "input_shape")
        alone.input_shape = (7,)  # as libraries do
        assert alone.input_shape == (7,)
        assert layers.Lambda(lambda x: x, output_shape=(2,))(x).shape == (None, 2)


A, B = np.array([[1.0, 2.0]], "float32"), np.array([[3.0, 5.0]], "float32")
MERGES: dict[Any, list[list[float]]] = {
    "sum": [[4, 7]],
    "mul": [[3, 10]],
    "concat": [[1, 2, 3, 5]],
    "ave": [[2, 3.5]],
    "max": [[3, 5]],
    "dot": [[13]],
    "cos": [[13 / np.sqrt(5 * 34)]],
    (lambda pair: pair[0] - pair[1]): [[-2, -3]],
}


@pytest.mark.parametrize("mode", MERGES)
def test_merge(backend: Backend, mode: Any) -> None:
    with pytest.warns(DeprecationWarning, match="merge is a name of Keras 1 or 2"):
        found = layers.merge([ops.convert_to_tensor(A), ops.convert_to_tensor(B)], mode=mode)
    np.testing.assert_allclose(ops.convert_to_numpy(found), MERGES[mode], rtol=1e-5)


def test_a_wrong_merge() -> None:
    with pytest.raises(ValueError, match="a mode among sum, mul, .*received 'minus'"):
        layers.merge([A, B], mode="minus")


def test_layers_that_were_experimental() -> None:
    assert layers.experimental.preprocessing.Rescaling is layers.Rescaling


def test_metrics_come_third_in_keras_2() -> None:
    with use_backend("numpy"):
        model = functional()
        with pytest.warns(DeprecationWarning, match="the third argument was `metrics`") as caught:
            model.compile("sgd", "mse", ["mae"], [2.0])
        assert caught[0].filename == __file__
        assert "mae" in model.evaluate(X, Y, verbose=0, return_dict=True)
        assert model.get_compile_config()["loss_weights"] == [2.0]
        model.compile("sgd", "mse", [2.0], ["mae"])  # as today
        with pytest.raises(ValueError, match=r"a number for each output as `loss_weights`; received \['mae'\]"):
            model.compile("sgd", "mse", loss_weights=["mae"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: utils.HDF5Matrix("a.h5", "x"), r"h5py.File\('a.h5'\)\['x'\]"),
        (lambda: utils.multi_gpu_model(None, gpus=2), "train the model itself"),
        (lambda: polykeras.backend.get_session(), "convert_to_numpy"),
        (lambda: polykeras.backend.set_session(None), "leave it out"),
    ],
)
def test_what_is_gone_says_what_to_do(call: Any, message: str) -> None:
    with pytest.raises(NotImplementedError, match=message):
        call()


# ---- estimators ------------------------------------------------------------------------------------------------------


def network(units: int = 4, outputs: int = 1, loss: str = "mse") -> Any:
    end = {"mse": None, "binary_crossentropy": "sigmoid"}.get(loss, "softmax")
    model = models.Sequential([layers.Dense(units, "tanh"), layers.Dense(outputs, end)])
    model.compile(optimizers.Adam(0.05), loss)
    return model


@pytest.mark.filterwarnings("ignore:Keras.* is a name of Keras 2:DeprecationWarning")
@pytest.mark.parametrize(
    ("outputs", "loss", "labels"),
    [
        (1, "binary_crossentropy", ["a", "b"]),
        (3, "categorical_crossentropy", [2, 5, 7]),
        (3, "sparse_categorical_crossentropy", ["x", "y", "z"]),
    ],
)
def test_classifiers_of_keras_2(outputs: int, loss: str, labels: list[Any]) -> None:
    x = np.random.default_rng(0).normal(size=(90, 3)).astype("float32")
    y = np.asarray(labels)[x[:, : len(labels)].argmax(-1)]
    polykeras.utils.set_random_seed(0)
    with use_backend("numpy"):
        classifier = wrappers.KerasClassifier(network, outputs=outputs, loss=loss, epochs=60, verbose=0)
        assert len(classifier.fit(x, y).epoch) == 60
        assert set(classifier.predict(x)) == set(labels)
        assert classifier.score(x, y) > 0.9
        assert classifier.predict_proba(x).shape == (90, len(labels))
        np.testing.assert_allclose(classifier.predict_proba(x).sum(-1), 1, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Keras.* is a name of Keras 2:DeprecationWarning")
def test_regressors_of_keras_2_are_searched() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2)).astype("float32")
    polykeras.utils.set_random_seed(0)
    with use_backend("numpy"):
        search = GridSearchCV(
            wrappers.KerasRegressor(build_fn=network, verbose=0), {"units": [1, 8], "epochs": [1, 60]}, cv=2
        )
        search.fit(x, x.sum(-1))
    assert search.best_params_["epochs"] == 60
    assert search.best_score_ > 0.8


def test_mistakes_with_estimators_of_keras_2() -> None:
    with pytest.warns(DeprecationWarning, match="KerasRegressor is a name of Keras 2; use SKLearn"):
        regressor = wrappers.KerasRegressor(network, units=3)
    with pytest.raises(ValueError, match="neither `build_fn` nor the model takes `nothing`"):
        regressor.set_params(nothing=1)
    with pytest.raises(ValueError, match="needs `build_fn`"), pytest.warns(DeprecationWarning, match="KerasClassifier"):
        wrappers.KerasClassifier()
