"""Arithmetic: remainders, rounding, signs, clipping and whole numbers."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "absolute",
    "ceil",
    "clip",
    "copysign",
    "divide_no_nan",
    "fabs",
    "float_power",
    "fmax",
    "fmin",
    "fmod",
    "gcd",
    "heaviside",
    "lcm",
    "mod",
    "nan_to_num",
    "nextafter",
    "signbit",
    "true_divide",
    "trunc",
]

absolute = bind(Backend.absolute)
fabs = bind(Backend.fabs)
signbit = bind(Backend.signbit)
copysign = bind(Backend.copysign)
heaviside = bind(Backend.heaviside)
true_divide = bind(Backend.true_divide)
divide_no_nan = bind(Backend.divide_no_nan)
float_power = bind(Backend.float_power)
mod = bind(Backend.mod)
fmod = bind(Backend.fmod)
gcd = bind(Backend.gcd)
lcm = bind(Backend.lcm)
ceil = bind(Backend.ceil)
trunc = bind(Backend.trunc)
nextafter = bind(Backend.nextafter)
clip = bind(Backend.clip)
fmax = bind(Backend.fmax)
fmin = bind(Backend.fmin)
nan_to_num = bind(Backend.nan_to_num)
