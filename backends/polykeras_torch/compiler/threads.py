"""How many of torch's threads compute a program: one, where its kernels are so small that more would only wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch

from polykeras_torch.compiler.instructions import Instruction, Slot, TensorInfo, replace
from polykeras_torch.private import schema_of

# Multiplications and additions of a matrix product. Two threads wait for each other, 1.3 us a product: five layers of
# 32 take 91 us a step with two and 74 with one, of 128 204 and 236; where something else wants the other core as well,
# 20 layers of 32 take twice as long with two (MKL, 2 cores). Smaller products, and vectors, are given one in any case.
_WORTH_TWO = 2**19
_GIVEN_TWO = 2**12
_NUMBERS = 2**15  # torch gives other kernels over fewer to one thread in any case (at::internal::GRAIN_SIZE)
_UPDATED = 2**11  # numbers a product, which an optimizer's kernel over many may update in one thread for what is gained

# Where the first factor is among the arguments; its last axis is summed over.
_PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}
# In names of kernels that compute more than a few operations for each number, or add up a part in each thread however
# small they are ("norm": layer normalization's gradient), so that their bits depend on how many there are.
# fmt: off
_LONG = (
    "attention", "cdist", "cholesky", "conv", "embedding_bag", "fft", "geqrf", "gru", "linalg", "lstm", "norm", "ormqr",
    "rnn", "solve", "svd", "trilinear",
)
# fmt: on


def wants_one_thread(instructions: Sequence[Instruction], tensors: Sequence[TensorInfo]) -> bool:
    """Return whether one thread computes a recording faster: two would be given products that are too small for them.

    It depends on shapes and dtypes alone, and such products of float32 have the same bits in one thread and in several
    (of float64 they do not): those of a program do not depend on how it is run.
    """
    if any(tensor.device.type != "cpu" for tensor in tensors):
        return False
    products: list[Instruction] = []
    updated = 0
    for instruction in instructions:
        if instruction.constant:
            continue
        name = _name(instruction)
        if name in _PRODUCTS:
            products.append(instruction)
        elif name.startswith("_fused_"):
            updated += _numbers(instruction, tensors)
        elif not _is_short(instruction, tensors):
            return False
    if any(tensors[instruction.results()[0].number].dtype is not torch.float32 for instruction in products):
        return False
    largest = max([_product(instruction, tensors) for instruction in products], default=0)
    return _GIVEN_TWO < largest <= _WORTH_TWO and updated <= max(_NUMBERS, _UPDATED * len(products))


def _name(instruction: Instruction) -> str:
    """Return the name of torch's own operator, without the mark of those that change their argument; "" for others."""
    namespace, _, name = schema_of(instruction.op).name.partition("::")
    return name.removesuffix("_") if namespace == "aten" else ""


def _product(instruction: Instruction, tensors: Sequence[TensorInfo]) -> int:
    """Return the operations of a matrix product; 0 where a matrix is a vector."""
    result = tensors[instruction.results()[0].number].shape
    factor = instruction.args[_PRODUCTS[_name(instruction)]]
    return 2 * result.numel() * tensors[factor.number].shape[-1] if min(result[-2:]) > 1 else 0


def _numbers(instruction: Instruction, tensors: Sequence[TensorInfo]) -> int:
    """Return over how many numbers a kernel goes: those of its largest argument or result; of a list, of all in it."""
    slots = [[slot] for slot in instruction.results()]
    for argument in (*instruction.args, *instruction.kwargs.values()):
        slots.append([])
        replace(argument, slots[-1].append, Slot)
    return max(sum(tensors[slot.number].shape.numel() for slot in several) for several in slots)


def _is_short(instruction: Instruction, tensors: Sequence[TensorInfo]) -> bool:
    name = _name(instruction)
    return bool(name) and not any(part in name for part in _LONG) and _numbers(instruction, tensors) < _NUMBERS


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread within the block, as far as the calling thread of Python is concerned.

    Another one that first computes with torch meanwhile has one too, and keeps that until it asks for more
    (`torch.set_num_threads`): torch gives it what was set last.
    """
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    _make_pool(before)
    try:
        torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(before)


@cache
def _make_pool(threads: int) -> None:
    """Let torch make the threads of its quantized kernels: it does so once, as many as are asked for first."""
    torch.set_num_threads(threads)
