"""LoRA: a weight is frozen, and the product of two small trained weights is added to it.

Layers do not know about it. They declare the weight that may be adapted, `kernel = AdaptedWeight()`, and read
`self.kernel` as usual. They get the weight itself or, with LoRA, the sum.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, ClassVar

import numpy as np

from polykeras import initializers, ops
from polykeras.common.arguments import positive_int
from polykeras.common.default_property import default_property
from polykeras.common.types import InitializerLike
from polykeras.layers.base.layer import Layer
from polykeras.variables import Variable


def _weight(layer: Any, name: str) -> Variable:
    try:
        return vars(layer)[name]
    except KeyError:
        raise AttributeError(
            f"{type(layer).__name__} has no `{name}` yet: the layer is not built. `build` makes it, and so does the "
            "first call."
        ) from None


class AdaptedWeight:
    """An attribute of a layer: a weight or, with LoRA, the sum of that weight and the scaled product of two others.

    By Keras's private name (`_kernel` for `kernel`) the layer has the weight itself.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        setattr(owner, f"_{name}", default_property(lambda layer: _weight(layer, name)))

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        values = vars(layer)
        if values.get("_quantized") is not None:  # which may keep the weight by other names
            return layer._read(self.name)
        weight = _weight(layer, self.name)
        return layer._read(self.name) if values.get("lora_enabled") else weight

    def __set__(self, layer: Any, value: Any) -> None:
        vars(layer)[self.name] = value

    def __delete__(self, layer: Any) -> None:
        del vars(layer)[self.name]


class LowRank(Layer):
    """Base of layers whose weight LoRA may adapt (Hu et al., 2021, https://arxiv.org/abs/2106.09685).

    Args:
        *args: positional arguments of the next base class.
        lora_rank: if given, LoRA with this rank is enabled once the weight is made.
        lora_alpha: the product is scaled by `lora_alpha / lora_rank`; `lora_rank` by default.
        **kwargs: further arguments of `Layer`.
    """

    _adaptable: ClassVar[str] = "kernel"
    lora_kernel_a: Variable
    lora_kernel_b: Variable

    def __init__(
        self, *args: Any, lora_rank: int | None = None, lora_alpha: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lora_rank = lora_rank and positive_int(lora_rank, "lora_rank", self)
        self.lora_alpha = lora_rank if lora_alpha is None else lora_alpha
        self.lora_enabled = False

    def _after_build(self) -> None:
        super()._after_build()
        if self.lora_rank and not self.lora_enabled:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: InitializerLike = "he_uniform",
        b_initializer: InitializerLike = "zeros",
    ) -> None:
        """Freeze the weight, and train two smaller weights whose product is added to it.

        Args:
            rank: the rank of the product.
            lora_alpha: the product is scaled by `lora_alpha / rank`; `rank` by default.
            a_initializer: initializer of the first factor, shape `(..., rank)`.
            b_initializer: initializer of the second factor, shape `(rank, width)`.

        Raises:
            ValueError: the layer is not built, LoRA is enabled already, or the weight has a constraint.
            NotImplementedError: the weight is stored in a form that LoRA cannot adapt.

        Example:
            >>> from polykeras import layers
            >>> layer = layers.Dense(8)
            >>> layer.build((None, 16))
            >>> layer.enable_lora(2)
            >>> [w.name for w in layer.trainable_weights]
            ['bias', 'lora_kernel_a', 'lora_kernel_b']
        """
        name = self._adaptable
        rank = positive_int(rank, "rank", self)
        if getattr(self, f"{name}_constraint", None) is not None:
            raise ValueError(f"{self._title()}: LoRA cannot keep a constraint. Leave `{name}_constraint` out.")
        if not self.built:
            raise ValueError(f"{self._title()}: build it, or call it once, before `enable_lora`.")
        if self.lora_enabled:
            raise ValueError(f"{self._title()}: LoRA is enabled already, with rank {self.lora_rank}.")
        if why := self._refuses_lora():
            raise NotImplementedError(f"{self._title()}: LoRA is not available, because {why}.")
        weight, (*rows, width) = vars(self)[name], self._adapted_shape()

        def factor(which: str, shape: tuple[int, ...], initializer: InitializerLike) -> None:
            # float32, because fewer bits would lose small training steps.
            made = self.add_weight(
                shape,
                initializers.get(initializer),
                "float32",
                regularizer=getattr(self, f"{name}_regularizer", None),
                name=f"lora_{name}_{which}",
            )
            setattr(self, f"lora_{name}_{which}", made)

        factor("a", (*rows, rank), a_initializer)
        factor("b", (rank, width), b_initializer)
        weight.trainable = False
        self.lora_rank = rank
        self.lora_alpha = rank if lora_alpha is None else lora_alpha
        self.lora_enabled = True

    def _refuses_lora(self) -> str | None:
        """Return why the weight cannot be adapted, if so."""
        return None

    @property
    def _scale(self) -> float:
        return float(self.lora_alpha) / float(self.lora_rank)  # type: ignore[arg-type]

    def _factors(self) -> tuple[Variable, Variable]:
        return getattr(self, f"lora_{self._adaptable}_a"), getattr(self, f"lora_{self._adaptable}_b")

    def _adapted_shape(self) -> tuple[int, ...]:
        return vars(self)[self._adaptable].shape

    def _delta(self) -> Any:
        """Return the scaled product of the factors."""
        return ops.multiply(ops.matmul(*self._factors()), self._scale)

    def _read(self, name: str) -> Any:
        """Return a weight; if LoRA adapts it, the product is added, in the dtype in which the weight is read."""
        weight = vars(self)[name]
        if not self.lora_enabled or name != self._adaptable:
            return weight
        base = ops.convert_to_tensor(weight)
        return ops.add(base, ops.cast(self._delta(), ops.dtype(base)))

    # ---- weights and files, as in Keras ------------------------------------------------------------------------

    def _saved_variables(self) -> list[Variable]:
        factors = self._factors() if self.lora_enabled else ()
        return [v for v in super()._saved_variables() if not any(v is factor for factor in factors)]

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write the variables; with LoRA, write the sum instead of the weight, and not its factors."""
        super().save_own_variables(store)
        if self.lora_enabled:
            weight = vars(self)[self._adaptable]
            a, b = (factor.numpy() for factor in self._factors())
            place = next(i for i, v in enumerate(self._saved_variables()) if v is weight)
            total = weight.numpy().astype("float32") + np.matmul(a, b) * np.float32(self._scale)
            store[str(place)] = total.astype(weight.numpy().dtype)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read the variables; with LoRA, the product restarts at 0, because the weight in the file contains it."""
        super().load_own_variables(store)
        if self.lora_enabled:  # not both to 0, as Keras does: then no gradient could change them
            second = self._factors()[1]
            second.assign(np.zeros(second.shape, "float32"))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments; those of LoRA only if it is used."""
        config = super().get_config()
        if not self.lora_rank:
            config = {name: value for name, value in config.items() if name not in ("lora_rank", "lora_alpha")}
        return config
