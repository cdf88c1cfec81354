"""Order statistics, histograms, correlation and differences."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "bincount",
    "corrcoef",
    "correlate",
    "cov",
    "diff",
    "digitize",
    "histogram",
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
    "trapezoid",
]

quantile = bind(Backend.quantile)
nanquantile = bind(Backend.nanquantile)
percentile = bind(Backend.percentile)
nanpercentile = bind(Backend.nanpercentile)
median = bind(Backend.median)
nanmedian = bind(Backend.nanmedian)
digitize = bind(Backend.digitize)
bincount = bind(Backend.bincount)
histogram = bind(Backend.histogram)
corrcoef = bind(Backend.corrcoef)
cov = bind(Backend.cov)
correlate = bind(Backend.correlate)
diff = bind(Backend.diff)
trapezoid = bind(Backend.trapezoid)
