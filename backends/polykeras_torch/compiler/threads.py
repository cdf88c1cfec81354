"""The number of torch's threads for a program: one, if its kernels are so small that more threads would only wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch

from polykeras_torch.compiler.instructions import Instruction, Slot, TensorInfo, replace
from polykeras_torch.compiler.operators import is_collective
from polykeras_torch.private import schema_of

# Multiplications and additions of a matrix product. Below this size, two threads lose more time waiting for each other
# than they gain, most of all if something else needs the other core (MKL, 2 cores). Products that are smaller still,
# and products with vectors, always get one thread.
_WORTH_TWO = 2**19
_GIVEN_TWO = 2**12
# Products of more operations whose elements add up more numbers: with AVX-512, MKL gives each thread a part of the sum.
_SPLIT, _LONG_SUM = 2**18, 2**9
_NUMBERS = 2**15  # torch always runs other kernels over fewer numbers in one thread (at::internal::GRAIN_SIZE)
_UPDATED = 2**11  # numbers that an optimizer's kernel may update in one thread for each product

# The index of the first factor among the arguments. Its last axis is summed over.
_PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}
# Parts of the names of kernels that compute many operations for each number, or that add up a part in each thread even
# if they are small ("norm": the gradient of layer normalization), so that their bits depend on the number of threads.
# fmt: off
_LONG = (
    "attention", "cdist", "cholesky", "conv", "embedding_bag", "fft", "geqrf", "gru", "linalg", "lstm", "norm", "ormqr",
    "rnn", "solve", "svd", "trilinear",
)
# fmt: on


def wants_one_thread(instructions: Sequence[Instruction], tensors: Sequence[TensorInfo]) -> bool:
    """Return whether one thread computes a recording faster, because its products are too small for two.

    The answer depends on shapes and dtypes alone. Such products have the same bits in one thread and in several if they
    are float32, though not if they are float64. So the results of a program do not depend on how it runs.
    """
    if any(tensor.device.type != "cpu" for tensor in tensors):
        return False
    products: list[Instruction] = []
    updated = 0
    for instruction in instructions:
        if instruction.constant or is_collective(instruction.op):
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
    """Return the name of torch's own operator, without the mark of an in-place operator; "" for others."""
    namespace, _, name = schema_of(instruction.op).name.partition("::")
    return name.removesuffix("_") if namespace == "aten" else ""


def _product(instruction: Instruction, tensors: Sequence[TensorInfo]) -> int:
    """Return the number of operations of a matrix product; 0 if one matrix is a vector.

    One whose bits depend on the number of threads counts as large.
    """
    result = tensors[instruction.results()[0].number].shape
    length = tensors[instruction.args[_PRODUCTS[_name(instruction)]].number].shape[-1]
    operations = 2 * result.numel() * length if min(result[-2:]) > 1 else 0
    return _WORTH_TWO + 1 if operations > _SPLIT and length > _LONG_SUM else operations


def _numbers(instruction: Instruction, tensors: Sequence[TensorInfo]) -> int:
    """Return how many numbers a kernel processes: those of its largest argument (a list is added up) or result."""
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
    """Let torch compute with one thread within the block, for the calling Python thread.

    Another thread that first computes with torch meanwhile also gets one thread, until it asks for more
    (`torch.set_num_threads`), because torch gives it the latest setting.
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
    """Let torch make the threads of its quantized kernels. It does so once, with the number that is set first."""
    torch.set_num_threads(threads)
