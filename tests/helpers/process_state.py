"""What a process's settings are, by names as in `docs/process_wide_effects.md`."""

from __future__ import annotations

import gc
import locale
import os
import random
import signal
import sys
import threading
import warnings
from typing import Any

import numpy as np

OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lt", "le", "gt", "ge", "eq", "ne")  # fmt: skip


def state() -> dict[str, Any]:
    """Return all settings of Python, of NumPy and of the frameworks that are imported; values that can be compared."""
    found: dict[str, Any] = {f'os.environ["{name}"]': value for name, value in os.environ.items()}
    for number in signal.valid_signals():
        found[f"signal.signal({signal.Signals(number).name})" if number in set(signal.Signals) else number] = repr(
            signal.getsignal(number)
        )
    found |= {
        "gc.disable": gc.isenabled(),
        "gc.freeze": gc.get_freeze_count(),
        "gc.set_threshold": gc.get_threshold(),
        "sys.setswitchinterval": sys.getswitchinterval(),
        "sys.setrecursionlimit": sys.getrecursionlimit(),
        "sys.excepthook": repr((sys.excepthook, sys.unraisablehook, threading.excepthook)),
        "sys.settrace": repr((sys.gettrace(), sys.getprofile())),
        'sys.modules["keras"]': "keras" in sys.modules and sys.modules["keras"] is None,
        "os.chdir": os.getcwd(),
        "os.sched_setaffinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
        "locale.setlocale": locale.setlocale(locale.LC_ALL),
        "warnings.filterwarnings": repr(warnings.filters),
        "threading.Thread": sorted(thread.name for thread in threading.enumerate()),
        "random.seed": random.getstate(),
        "np.random.seed": repr(np.random.get_state(legacy=False)),
        "np.errstate": np.geterr(),
        "np.set_printoptions": repr(np.get_printoptions()),
        "torch.set_flush_denormal": sys.float_info.min * 0.5 == 0.0,
    }
    if "torch" in sys.modules:
        found |= _torch()
    if "jax" in sys.modules:
        import jax

        found |= {f"jax.config.{name}": repr(value) for name, value in jax.config.values.items()}
    if "tensorflow" in sys.modules:
        found |= _tensorflow()
    return found


def _torch() -> dict[str, Any]:
    import torch

    return {
        "torch.set_num_threads": torch.get_num_threads(),
        "torch.set_num_interop_threads": torch.get_num_interop_threads(),
        "torch.set_default_dtype": repr(torch.get_default_dtype()),
        "torch.set_default_device": repr(torch.get_default_device()),
        "torch.set_grad_enabled": torch.is_grad_enabled(),
        "torch.inference_mode": torch.is_inference_mode_enabled(),
        "torch.use_deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "torch.set_float32_matmul_precision": torch.get_float32_matmul_precision(),
        "torch.backends.cudnn.allow_tf32": torch.backends.cudnn.allow_tf32,
        "torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction": (
            torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction
        ),
        "torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction": (
            torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
        ),
        "torch.manual_seed": torch.get_rng_state().tolist(),
        "torch.backends.mkldnn.enabled": torch.backends.mkldnn.enabled,
        "torch.autocast": torch.is_autocast_enabled("cpu"),
    }


def _tensorflow() -> dict[str, Any]:
    import tensorflow as tf

    operators = {f"tf.Tensor.__{name}__": id(getattr(tf.Tensor, f"__{name}__")) for name in OPERATORS}
    return operators | {
        "tf.config.optimizer.set_experimental_options": tf.config.optimizer.get_experimental_options(),
        "tf.config.threading": (
            tf.config.threading.get_inter_op_parallelism_threads(),
            tf.config.threading.get_intra_op_parallelism_threads(),
        ),
        "tf.config.experimental.enable_tensor_float_32_execution": (
            tf.config.experimental.tensor_float_32_execution_enabled()
        ),
        "tf.config.set_soft_device_placement": tf.config.get_soft_device_placement(),
        "tf.config.run_functions_eagerly": tf.config.functions_run_eagerly(),
        "tf.device": tf.constant(0.0).device,
        "tf.function": repr(tf.executing_eagerly()),
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of what is other than before, or new, or gone."""
    return sorted(str(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name))
