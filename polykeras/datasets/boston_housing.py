"""House prices around Boston, 1978."""

from __future__ import annotations

import numpy as np

from polykeras.datasets.common import Split, fetch, shuffled_split


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> Split:
    """Return the prices of 506 houses by 13 features of their surroundings.

    D. Harrison, D. L. Rubinfeld, "Hedonic prices and the demand for clean air", 1978. One of its features is based on
    an assumption about race that no model should learn; `california_housing` has no such feature.

    Args:
        path: the name of the file in the folder of data sets.
        test_split: the fraction of the test data, in [0, 1).
        seed: the seed of the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features float64 `(n, 13)`, prices in 1000 dollars float64 `(n,)`.

    Raises:
        ValueError: if `test_split` is out of range.
    """
    file = fetch(path, "boston_housing.npz", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5")
    with np.load(file, allow_pickle=False) as arrays:
        return shuffled_split(arrays["x"], arrays["y"], test_split, seed)
