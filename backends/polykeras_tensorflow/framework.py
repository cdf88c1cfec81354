"""Functions of this backend that concern TensorFlow itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import tensorflow as tf

from polykeras.backend.families.framework import Framework


def share_memory() -> None:
    """Make TensorFlow take GPU memory as needed. Otherwise it takes all at once, and leaves none to torch and JAX."""
    for gpu in tf.config.list_physical_devices("GPU"):
        with suppress(RuntimeError):  # the device is in use, with the user's own setting
            tf.config.experimental.set_memory_growth(gpu, True)


class TensorflowFramework(Framework):
    """Settings, profiles and foreign code of TensorFlow."""

    def foreign(self, framework: str, wanted_by: str) -> Any:
        if framework != self.name:
            return super().foreign(framework, wanted_by)
        from polykeras_tensorflow.native import saved_model

        return saved_model

    def set_matmul_precision(self, precision: str | None) -> None:
        tf.config.experimental.enable_tensor_float_32_execution(precision == "high")

    def start_profile(self, folder: str) -> Callable[[], None] | None:
        tf.profiler.experimental.start(folder)

        def stop() -> None:
            self.synchronize()
            tf.profiler.experimental.stop()

        return stop
