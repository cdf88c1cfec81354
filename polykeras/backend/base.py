"""The contract: what a framework supplies, and what it gets in return."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from polykeras.backend.execution_policy import ExecutionPolicy
from polykeras.backend.families.activations import Activations
from polykeras.backend.families.arithmetic import Arithmetic
from polykeras.backend.families.arrays import Arrays
from polykeras.backend.families.attention import Attention
from polykeras.backend.families.autodiff import Autodiff
from polykeras.backend.families.bitwise import Bitwise
from polykeras.backend.families.collectives import Collectives
from polykeras.backend.families.control import Control
from polykeras.backend.families.convolution import Convolution
from polykeras.backend.families.creation import Creation
from polykeras.backend.families.decompositions import Decompositions
from polykeras.backend.families.distributions import Distributions
from polykeras.backend.families.elementwise import Elementwise
from polykeras.backend.families.execution import Execution
from polykeras.backend.families.exponential import Exponential
from polykeras.backend.families.fourier import Fourier
from polykeras.backend.families.framework import Framework
from polykeras.backend.families.gamma_functions import GammaFunctions
from polykeras.backend.families.histograms import Histograms
from polykeras.backend.families.indexing import Indexing
from polykeras.backend.families.joining import Joining
from polykeras.backend.families.layouts import Layouts
from polykeras.backend.families.linalg import Linalg
from polykeras.backend.families.logical import Logical
from polykeras.backend.families.losses import Losses
from polykeras.backend.families.matrices import Matrices
from polykeras.backend.families.nan_reduction import NanReduction
from polykeras.backend.families.normalization import Normalization
from polykeras.backend.families.padding import Padding
from polykeras.backend.families.pooling import Pooling
from polykeras.backend.families.random import Random
from polykeras.backend.families.rearranging import Rearranging
from polykeras.backend.families.recurrence import Recurrence
from polykeras.backend.families.reduction import Reduction
from polykeras.backend.families.shaping import Shaping
from polykeras.backend.families.signal import Signal
from polykeras.backend.families.sorting import Sorting
from polykeras.backend.families.special import Special
from polykeras.backend.families.statistics import Statistics
from polykeras.backend.families.trigonometric import Trigonometric
from polykeras.backend.families.windows import Windows
from polykeras.backend.native import Native


class Backend(
    # arrays
    Arrays,
    Creation,
    Matrices,
    Shaping,
    Joining,
    Padding,
    Rearranging,
    Indexing,
    Sorting,
    # numbers
    Elementwise,
    Arithmetic,
    Exponential,
    Trigonometric,
    Logical,
    Bitwise,
    Special,
    GammaFunctions,
    Reduction,
    NanReduction,
    Statistics,
    Histograms,
    Random,
    Distributions,
    # linear algebra
    Linalg,
    Decompositions,
    Fourier,
    Signal,
    Windows,
    # neural networks
    Activations,
    Convolution,
    Pooling,
    Normalization,
    Attention,
    Recurrence,
    Losses,
    # functions and how they run
    Autodiff,
    Control,
    Execution,
    Collectives,
    Layouts,
    Framework,
):
    """One framework behind the names of the Array API and Keras.

    A subclass implements the abstract methods (about 100). It inherits all others, each written once in the families
    above, and may override one if a native kernel is faster. The reflection tests check that it keeps the parameters
    and defaults, and adds no other public names.

    Attributes:
        name: the name that users write, for instance `"torch"`.
        version: the version of the framework.
        holds_values: False for the symbolic backend, whose arrays are shapes and dtypes only.
        execution: how the backend wants to be run.
        native: what the backend knows about code in the framework's own idiom.
    """

    name: ClassVar[str]
    version: ClassVar[str] = ""
    holds_values: ClassVar[bool] = True
    execution: ClassVar[ExecutionPolicy] = ExecutionPolicy()
    native: ClassVar[Native] = Native()

    if TYPE_CHECKING:  # families may call methods of other families; the names of the whole backend are known
        __getattr__: None

    def __repr__(self) -> str:
        return f"<polykeras backend {self.name}>"

    def __reduce__(self) -> Any:
        # By name, since the registry is built on this class.
        return import_module("polykeras.backend.registry").load, (self.name,)
