"""House prices in California, 1990."""

from __future__ import annotations

import numpy as np

from polykeras.datasets.common import Split, fetch, shuffled_split


def load_data(
    version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> Split:
    """Return the median house price of 20,640 districts by 8 features.

    R. K. Pace, R. Barry, "Sparse Spatial Autoregressions", 1997.

    Args:
        version: `"large"`, or `"small"` for the first 600 districts.
        path: the name of the file in the folder of data sets.
        test_split: the fraction of the test data, in [0, 1).
        seed: the seed of the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features `(n, 8)`, prices in dollars `(n,)`.

    Raises:
        ValueError: if the version is unknown, or `test_split` is out of range.
    """
    if version not in ("large", "small"):
        raise ValueError(f'california_housing: `version` must be "large" or "small"; received {version!r}.')
    file = fetch(path, "california_housing.npz", "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f")
    rows = 600 if version == "small" else None
    with np.load(file, allow_pickle=False) as arrays:
        return shuffled_split(arrays["x"][:rows], arrays["y"][:rows], test_split, seed)
