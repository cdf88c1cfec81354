"""Counter-based random bits with few passes over memory."""

from __future__ import annotations

from torch import Tensor

from polykeras.backend.families.random import MULTIPLIERS, SHIFTS, Random
from polykeras.backend.spec import Shape
from polykeras_torch.layouts import whole


def _mix(x: Tensor, shift: int) -> Tensor:
    """Return `x ^ (x >> shift)`, computed in place with a logical shift."""
    return x.bitwise_xor_((x >> shift).bitwise_and_((1 << (32 - shift)) - 1))


class TorchRandom(Random):
    """Random bits, the same as those of the contract."""

    def random_bits(self, key: Tensor, shape: Shape) -> Tensor:
        # Only the first step makes a new tensor. The others write into it.
        key = whole(key)
        x = self._element_numbers(shape) ^ key[0]
        x = _mix(x, SHIFTS[0]).mul_(MULTIPLIERS[0]).add_(key[1])
        x = _mix(x, SHIFTS[1]).mul_(MULTIPLIERS[1])
        x = _mix(x, SHIFTS[2]).mul_(MULTIPLIERS[2])
        return _mix(x, SHIFTS[3]).reshape(tuple(shape))
