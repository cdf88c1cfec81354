"""Special functions, segments, ranks and distances."""

from __future__ import annotations

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "cdist",
    "erfc",
    "gammainc",
    "in_top_k",
    "lgamma",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
]

erfc = bind(Backend.erfc)
gammainc = bind(Backend.gammainc)
lgamma = bind(Backend.lgamma)

segment_sum = bind(Backend.segment_sum)
segment_max = bind(Backend.segment_max)
segment_min = bind(Backend.segment_min)
segment_prod = bind(Backend.segment_prod)

in_top_k = bind(Backend.in_top_k)
cdist = bind(Backend.cdist)
