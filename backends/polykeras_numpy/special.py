"""The error function and its inverse, in pure NumPy.

Sources: W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23 (1969),
with the coefficients of his program CALERF. The inverse starts from M. Giles, "Approximating the erfinv function", GPU
Computing Gems 2 (2011), and is refined by Halley's method.
"""

from __future__ import annotations

from typing import Any

import numpy as np

TWO_OVER_SQRT_PI = 1.1283791670955126

# erf(x) = x * P(x**2) / Q(x**2) for |x| <= 0.46875; the highest power first.
_SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)  # fmt: skip
# erfc(x) = exp(-x**2) * P(x) / Q(x) for 0.46875 <= x <= 4.
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
# erfc(x) = exp(-x**2) / x * (1 / sqrt(pi) - z * P(z) / Q(z)) with z = 1 / x**2, for x >= 4.
_LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
     2.33520497626869185e-3),
)  # fmt: skip
# erfinv(x) = x * P(w - 2.5) for w = -log(1 - x**2) < 5, x * Q(sqrt(w) - 3) beyond.
_CENTRE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
    0.246640727, 1.50140941,
)  # fmt: skip
_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
    1.00167406, 2.83297682,
)  # fmt: skip


def _polynomial(coefficients: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    total = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        total *= x
        total += c
    return total


def _ratio(parts: tuple[tuple[float, ...], tuple[float, ...]], x: np.ndarray) -> np.ndarray:
    return _polynomial(parts[0], x) / _polynomial(parts[1], x)


def _erf_small(x: np.ndarray) -> np.ndarray:
    return x * _ratio(_SMALL, x * x)


def _erfc_large(x: np.ndarray) -> np.ndarray:
    """Return erfc(x) for x >= 0.46875; nan stays nan."""
    x = np.minimum(x, 30)  # exp(-900) is 0, and below no infinity meets another one
    rounded = np.trunc(x * 16) / 16  # exp(-x**2) as a product; the argument of the first factor is exact
    exponential = np.exp(-rounded * rounded) * np.exp(-(x - rounded) * (x + rounded))
    far = x > 4
    near = np.where(far, 4, x)
    z = 1 / np.square(np.where(far, x, 4))
    tail = (TWO_OVER_SQRT_PI / 2 - z * _ratio(_LARGE, z)) / np.where(far, x, 4)
    return exponential * np.where(far, tail, _ratio(_MIDDLE, near))


def _working(x: Any) -> np.ndarray:
    return np.asarray(x, np.float64 if x.dtype == np.float64 else np.float32)


def erf(x: Any) -> np.ndarray:
    """Return the error function of a float array, in its dtype."""
    with np.errstate(all="ignore"):
        y = _working(x)
        size = np.abs(y)
        small = _erf_small(np.clip(y, -0.5, 0.5))
        large = np.copysign(1 - _erfc_large(np.maximum(size, 0.46875)), y)
        return np.where(size <= 0.46875, small, large).astype(x.dtype)


def erfinv(x: Any) -> np.ndarray:
    """Return the inverse error function of a float array, in its dtype."""
    with np.errstate(all="ignore"):
        y = np.asarray(x, np.float64)  # float32 has too few digits for the refinement
        size = np.abs(y)
        w = -np.log((1 - y) * (1 + y))
        inside = size < 1
        w = np.where(inside, w, 1)
        root = np.sqrt(np.maximum(w, 5)) - 3
        z = size * np.where(w < 5, _polynomial(_CENTRE, w - 2.5), _polynomial(_TAIL, root))
        # Closer to 1 than float32 resolves, the leading term of erfc, exp(-z**2) / (z * sqrt(pi)), is more accurate.
        z = np.where(w > 16, np.sqrt(w + np.log(2 / np.sqrt(np.pi)) - np.log(z)), z)
        for _ in range(3 if x.dtype == np.float64 else 1):
            small = z <= 0.46875
            distance = np.where(
                small, _erf_small(np.minimum(z, 0.5)) - size, (1 - size) - _erfc_large(np.maximum(z, 0.46875))
            )
            step = distance / (TWO_OVER_SQRT_PI * np.exp(-z * z))
            z = z - step / (1 + z * step)
        edge = np.where(size == 1, np.inf, np.nan)
        return np.copysign(np.where(inside, z, edge), y).astype(x.dtype)
