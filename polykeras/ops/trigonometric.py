"""Circular and hyperbolic functions."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "cosh",
    "deg2rad",
    "rad2deg",
    "sinc",
    "sinh",
    "tan",
]

tan = bind(Backend.tan)
arcsin = bind(Backend.arcsin)
arccos = bind(Backend.arccos)
arctan = bind(Backend.arctan)
sinh = bind(Backend.sinh)
cosh = bind(Backend.cosh)
arcsinh = bind(Backend.arcsinh)
arccosh = bind(Backend.arccosh)
arctanh = bind(Backend.arctanh)
deg2rad = bind(Backend.deg2rad)
rad2deg = bind(Backend.rad2deg)
sinc = bind(Backend.sinc)
