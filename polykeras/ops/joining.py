"""Joining, repeating, splitting and shifting of arrays."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "append",
    "array_split",
    "column_stack",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "roll",
    "split",
    "tile",
    "view",
    "vsplit",
    "vstack",
]

append = bind(Backend.append)
hstack = bind(Backend.hstack)
vstack = bind(Backend.vstack)
dstack = bind(Backend.dstack)
column_stack = bind(Backend.column_stack)
tile = bind(Backend.tile)
split = bind(Backend.split)
array_split = bind(Backend.array_split)
hsplit = bind(Backend.hsplit)
vsplit = bind(Backend.vsplit)
dsplit = bind(Backend.dsplit)
view = bind(Backend.view)
roll = bind(Backend.roll)
