"""Models as estimators of scikit-learn, which has to be installed."""

from polykeras.wrappers.estimators import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]
