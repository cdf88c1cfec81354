"""Values and gradients where frameworks differ or give nan, as the contract documents them: mathematics, not a backend.

One line a point: the op, the arguments, the value, and the gradient in each (float) argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any


@dataclass(frozen=True)
class Point:
    """What an op gives at one point: scalars or short vectors."""

    op: str
    args: tuple[Any, ...]
    value: Any
    grads: tuple[Any, ...]

    @property
    def id(self) -> str:
        """The name in test reports."""
        return f"{self.op}{self.args}".replace(" ", "")


def at(op: str, *args: Any, value: Any, grad: Any) -> Point:
    """Return one point; `grad` is a tuple where there are several arguments."""
    return Point(op, args, value, grad if isinstance(grad, tuple) else (grad,))


POINTS = (
    at("abs", 0.0, value=0.0, grad=0.0),
    at("abs", -inf, value=inf, grad=-1.0),
    at("floor", 1.0, value=1.0, grad=0.0),
    at("round", 0.5, value=0.0, grad=0.0),
    at("exp", -inf, value=0.0, grad=0.0),
    at("exp", inf, value=inf, grad=inf),
    at("expm1", -inf, value=-1.0, grad=0.0),
    at("log", 0.0, value=-inf, grad=inf),
    at("log", inf, value=inf, grad=0.0),
    at("log1p", 0.0, value=0.0, grad=1.0),
    at("log1p", -1.0, value=-inf, grad=inf),
    at("sqrt", 0.0, value=0.0, grad=inf),
    at("sqrt", inf, value=inf, grad=0.0),
    at("tanh", inf, value=1.0, grad=0.0),
    at("tanh", -inf, value=-1.0, grad=0.0),
    at("tanh", 1e4, value=1.0, grad=0.0),
    at("erf", inf, value=1.0, grad=0.0),
    at("erfinv", 1.0, value=inf, grad=inf),
    at("erfinv", -1.0, value=-inf, grad=inf),
    at("power", 0.0, 0.0, value=1.0, grad=(0.0, 0.0)),
    at("power", 0.0, 1.0, value=0.0, grad=(1.0, 0.0)),
    at("power", 0.0, 2.0, value=0.0, grad=(0.0, 0.0)),
    at("maximum", 1.0, 1.0, value=1.0, grad=(0.5, 0.5)),
    at("maximum", 2.0, 1.0, value=2.0, grad=(1.0, 0.0)),
    at("minimum", 1.0, 1.0, value=1.0, grad=(0.5, 0.5)),
    at("square", 0.0, value=0.0, grad=0.0),
    at("sign", 0.0, value=0.0, grad=0.0),
    at("sigmoid", inf, value=1.0, grad=0.0),
    at("sigmoid", -inf, value=0.0, grad=0.0),
    at("sigmoid", 1e4, value=1.0, grad=0.0),
    at("sigmoid", -1e4, value=0.0, grad=0.0),
    at("sigmoid", 0.0, value=0.5, grad=0.25),
    at("sigmoid", -80.0, value=1.8048513878454153e-35, grad=1.8048513878454153e-35),
    at("softplus", inf, value=inf, grad=1.0),
    at("softplus", -inf, value=0.0, grad=0.0),
    at("softplus", 0.0, value=0.6931471805599453, grad=0.5),
    at("softplus", 1e4, value=1e4, grad=1.0),
    at("softplus", -80.0, value=1.8048513878454153e-35, grad=1.8048513878454153e-35),
    at("logaddexp", 1.0, 1.0, value=1.6931471805599454, grad=(0.5, 0.5)),
    at("logaddexp", -inf, 0.0, value=0.0, grad=(0.0, 1.0)),
    at("logaddexp", 1e4, -1e4, value=1e4, grad=(1.0, 0.0)),
    at("relu", 0.0, value=0.0, grad=0.0),
    at("relu", inf, value=inf, grad=1.0),
    at("max", [1.0, 1.0], value=1.0, grad=[0.5, 0.5]),
    at("min", [1.0, 1.0, 2.0], value=1.0, grad=[0.5, 0.5, 0.0]),
    at("prod", [0.0, 3.0], value=0.0, grad=[3.0, 0.0]),
    at("prod", [0.0, 0.0], value=0.0, grad=[0.0, 0.0]),
    at("logsumexp", [-inf, 0.0], value=0.0, grad=[0.0, 1.0]),
    at("logsumexp", [1e4, 1e4], value=1e4 + 0.6931471805599453, grad=[0.5, 0.5]),
    at("logsumexp", [-1e4, -1e4], value=-1e4 + 0.6931471805599453, grad=[0.5, 0.5]),
)
