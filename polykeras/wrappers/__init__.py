"""Models as estimators of scikit-learn, which has to be installed."""

from polykeras.common.lazy import lazy_names
from polykeras.wrappers.estimators import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]
# Keras 2's, which it had in `wrappers.scikit_learn`.
__getattr__, __dir__ = lazy_names(
    __name__, dict.fromkeys(("KerasClassifier", "KerasRegressor"), "polykeras.legacy.scikit_learn")
)
