"""Reductions and scans that ignore nan."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]

nansum = bind(Backend.nansum)
nanprod = bind(Backend.nanprod)
nanmean = bind(Backend.nanmean)
nanvar = bind(Backend.nanvar)
nanstd = bind(Backend.nanstd)
nanmax = bind(Backend.nanmax)
nanmin = bind(Backend.nanmin)
nanargmax = bind(Backend.nanargmax)
nanargmin = bind(Backend.nanargmin)
nancumsum = bind(Backend.nancumsum)
nancumprod = bind(Backend.nancumprod)
