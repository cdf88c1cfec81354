"""Models as scikit-learn estimators. scikit-learn must be installed."""

from polykeras.common.lazy import lazy_names
from polykeras.wrappers.estimators import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]
# The names of Keras 2's `wrappers.scikit_learn`.
__getattr__, __dir__ = lazy_names(
    __name__, dict.fromkeys(("KerasClassifier", "KerasRegressor"), "polykeras.legacy.scikit_learn")
)
