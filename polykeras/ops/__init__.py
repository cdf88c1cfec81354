"""The public operations: one function for each op of the contract, run by the current backend.

They accept arrays of the current backend, NumPy arrays, lists, numbers, variables and symbolic tensors, and promote
dtypes by `polykeras.dtypes`.
"""

# ruff: noqa: F403

from typing import TYPE_CHECKING

from polykeras.common.lazy import lazy_names
from polykeras.ops import numpy as numpy  # after all families, since it is a view of them
from polykeras.ops.arithmetic import *
from polykeras.ops.arrays import *
from polykeras.ops.control import *
from polykeras.ops.core import *
from polykeras.ops.creation import *
from polykeras.ops.elementwise import *
from polykeras.ops.exponential import *
from polykeras.ops.fourier import *
from polykeras.ops.indexing import *
from polykeras.ops.joining import *
from polykeras.ops.linalg import *
from polykeras.ops.logical import *
from polykeras.ops.nan_reduction import *
from polykeras.ops.nn import *
from polykeras.ops.padding import *
from polykeras.ops.reduction import *
from polykeras.ops.selection import *
from polykeras.ops.shaping import *
from polykeras.ops.sorting import *
from polykeras.ops.special import *
from polykeras.ops.statistics import *
from polykeras.ops.transforms import *
from polykeras.ops.trigonometric import *

if TYPE_CHECKING:
    from polykeras.ops import image as image
else:
    __getattr__, __dir__ = lazy_names(__name__, {"image": "polykeras.ops.image"})
