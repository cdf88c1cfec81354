"""Each of MPI's processes prints what sums over workers gave it, and ends as it is told: "well" or "badly"."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from helpers.workers import tell
from polykeras import dtypes
from polykeras.backend import registry
from polykeras.distribution import initialize
from polykeras.distribution.connections import current_job

backend: Any = registry.current()
initialize()
rank = current_job().rank

if sys.argv[1] == "badly":
    if rank == 1:
        raise ValueError("a mistake on one worker")
    backend.barrier()  # worker 1 never comes

found: dict[str, Any] = {}
for dtype in ("float16", "bfloat16", "float32", "float64", "int8", "uint16", "int32", "uint64"):
    x = np.asarray([1 + rank, 100], dtypes.numpy_dtype(dtype))
    total = backend.sum_over_workers(x)
    assert total.dtype == x.dtype
    found[dtype] = total.astype(np.float64).tolist()
found["scalar"] = backend.sum_over_workers(np.asarray(1 + rank, np.int32)).tolist()
found["empty"] = backend.sum_over_workers(np.zeros((0, 3), np.float32)).tolist()
found["columns"] = backend.sum_over_workers((np.arange(6.0).reshape(2, 3) + rank).T).tolist()
numbers = np.random.default_rng(rank).standard_normal(100003).astype(np.float32) * 10.0**rank
found["bits"] = hash(backend.sum_over_workers(numbers).tobytes())
backend.disconnect()
tell(rank, found)
