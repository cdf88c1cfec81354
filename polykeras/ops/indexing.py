"""Indexing by arrays, sorting and searching."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "argsort",
    "get_item",
    "nonzero",
    "repeat",
    "scatter",
    "scatter_update",
    "searchsorted",
    "select",
    "slice",
    "slice_update",
    "sort",
    "take",
    "take_along_axis",
    "unravel_index",
]

take = bind(Backend.take)
take_along_axis = bind(Backend.take_along_axis)
sort = bind(Backend.sort)
argsort = bind(Backend.argsort)
searchsorted = bind(Backend.searchsorted)
nonzero = bind(Backend.nonzero)
get_item = bind(Backend.get_item)
repeat = bind(Backend.repeat)
select = bind(Backend.select)
scatter = bind(Backend.scatter)
scatter_update = bind(Backend.scatter_update)
slice = bind(Backend.slice)
slice_update = bind(Backend.slice_update)
unravel_index = bind(Backend.unravel_index)
