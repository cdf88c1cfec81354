"""Shapes: reordering, joining, splitting, padding and slicing."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "broadcast_to",
    "concatenate",
    "copy",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "moveaxis",
    "ravel",
    "reshape",
    "rot90",
    "squeeze",
    "stack",
    "swapaxes",
    "transpose",
]

reshape = bind(Backend.reshape)
transpose = bind(Backend.transpose)
broadcast_to = bind(Backend.broadcast_to)
concatenate = bind(Backend.concatenate)
flip = bind(Backend.flip)
expand_dims = bind(Backend.expand_dims)
squeeze = bind(Backend.squeeze)
stack = bind(Backend.stack)
ravel = bind(Backend.ravel)
moveaxis = bind(Backend.moveaxis)
swapaxes = bind(Backend.swapaxes)
fliplr = bind(Backend.fliplr)
flipud = bind(Backend.flipud)
rot90 = bind(Backend.rot90)
copy = bind(Backend.copy)
