"""How many of torch's threads compute a program: one, where its kernels are so small that more would only wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from polykeras_torch.nodes import Node, Seen

# Multiplications and additions of a matrix product. Two threads wait for each other, 1.3 us a product: five layers of
# 32 take 91 us a step with two and 74 with one, of 128 204 and 236; where something else wants the other core as well,
# 20 layers of 32 take twice as long with two (MKL, 2 cores). Smaller products, and vectors, are given one in any case.
_WORTH_TWO = 2**19
_GIVEN_TWO = 2**12
_NUMBERS = 2**15  # torch gives kernels over fewer of them to one thread in any case (at::internal::GRAIN_SIZE)

# Where the first factor is among the arguments; its last axis is summed over.
_PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1, "addbmm": 1}
# In names of kernels that compute more than a few operations for each number.
_LONG = ("attention", "cdist", "conv", "einsum", "fft", "gru", "linalg", "lstm", "rnn")


def wants_one_thread(nodes: Sequence[Node], seen: Sequence[Seen]) -> bool:
    """Return whether one thread computes a recording faster: two would be given products that are too small for them.

    It depends on shapes alone, so that the same program gives the same bits.
    """
    varying = [node for node in nodes if not node.constant]
    sizes = [_product(node, seen) for node in varying if _name(node) in _PRODUCTS]
    if not sizes or not _GIVEN_TWO < max(sizes) <= _WORTH_TWO:
        return False
    return all(_is_short(node, seen) for node in varying if _name(node) not in _PRODUCTS)


def _name(node: Node) -> str:
    return node.op._schema.name.rpartition("::")[2]


def _product(node: Node, seen: Sequence[Seen]) -> int:
    """Return the operations of a matrix product; 0 where a matrix is a vector."""
    result = seen[node.results()[0].number].shape
    factor = node.args[_PRODUCTS[_name(node)]]
    return 2 * result.numel() * seen[factor.number].shape[-1] if min(result[-2:]) > 1 else 0


def _is_short(node: Node, seen: Sequence[Seen]) -> bool:
    if any(part in _name(node) for part in _LONG):
        return False
    return all(seen[slot.number].shape.numel() <= _NUMBERS for slot in (*node.results(), *node.reads()))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread within the block, as far as the calling thread of Python is concerned.

    Another one that first computes with torch meanwhile has one too, and keeps that: torch gives it what was set last.
    """
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
