"""Models as estimators of scikit-learn, held to its own checks of estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import polykeras as keras
from polykeras.backend import Backend
from polykeras.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer


def network(X: Any, y: Any, loss: str, activation: str | None = None, units: int = 8) -> keras.Model:
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.layers.Dense(units, "relu"), keras.layers.Dense(y.shape[1], activation)])
    made.compile("rmsprop", loss)
    return made


def classifying(X: Any, y: Any, units: int = 8) -> keras.Model:
    return network(X, y, "categorical_crossentropy", "softmax", units)


def fitting(X: Any, y: Any) -> keras.Model:
    return network(X, y, "mse")


QUIET = {"epochs": 1, "verbose": 0}
FAILING = {
    "SKLearnClassifier": {
        "check_classifiers_one_label_sample_weights": "as with Keras's: weights leave one class, and one epoch is short",
        "check_classifiers_classes": "as with Keras's: after one epoch it does not find all classes",
        "check_classifiers_train": "as with Keras's: after one epoch it does not find all classes",
    },
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator",
    [
        SKLearnClassifier(classifying, fit_kwargs=QUIET),
        SKLearnRegressor(fitting, fit_kwargs=QUIET),
        SKLearnTransformer(fitting, fit_kwargs=QUIET),
    ],
    ids=lambda e: type(e).__name__,
)
def test_estimators_pass_scikit_learns_checks(estimator: Any) -> None:
    with keras.use_backend("numpy"):
        results = check_estimator(estimator, on_fail=None)
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert failed.keys() == FAILING.get(type(estimator).__name__, {}).keys(), failed


def test_a_classifier_learns(backend: Backend) -> None:
    X, y = make_classification(80, 4, n_informative=3, n_redundant=0, class_sep=2.0, random_state=0)
    names = np.array(["no", "yes"])[y]
    classifier = SKLearnClassifier(classifying, model_kwargs={"units": 16}, fit_kwargs={"epochs": 60, "verbose": 0})
    pipeline = make_pipeline(StandardScaler(), classifier).fit(X, names)
    assert pipeline.score(X, names) > 0.9
    assert set(pipeline.predict(X)) == {"no", "yes"}
    assert pipeline[-1].decision_function(X).shape == (80, 2)
    assert pipeline[-1].epoch_ == list(range(60))
    assert clone(classifier).get_params()["fit_kwargs"] == classifier.fit_kwargs


def test_a_grid_search_runs() -> None:
    X, y = make_classification(30, 4, random_state=0)
    search = GridSearchCV(
        SKLearnClassifier(classifying, fit_kwargs=QUIET), {"model_kwargs": [{"units": 2}, {"units": 4}]}, cv=2
    ).fit(X, y)
    assert search.best_params_["model_kwargs"]["units"] in (2, 4)


def test_a_model_is_cloned_or_trained_on() -> None:
    X, y = np.ones((4, 2)), np.arange(4.0)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    regressor = SKLearnRegressor(model, fit_kwargs=QUIET).fit(X, y)
    assert regressor.predict(X).shape == (4,)
    assert regressor.model_ is not model
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    warm = SKLearnRegressor(model, warm_start=True, fit_kwargs=QUIET).fit(X, y)
    first = warm.model_
    assert warm.fit(X, y).model_ is first
    assert SKLearnTransformer(model, fit_kwargs=QUIET).fit(X, y).transform(X).shape == (4, 1)


def test_a_model_has_to_be_compiled() -> None:
    regressor = SKLearnRegressor(lambda X, y: keras.Sequential([keras.layers.Dense(1)]))
    with pytest.raises(RuntimeError, match="must be compiled"):
        regressor.fit(np.ones((4, 2)), np.ones(4))
    with pytest.raises(ValueError, match="only one class"):
        SKLearnClassifier(classifying).fit(np.ones((4, 2)), np.ones(4, int))
    with pytest.raises(RuntimeError, match="enable_metadata_routing"):
        regressor.set_fit_request(sample_weight=True)
