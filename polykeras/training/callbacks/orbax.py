"""The name of Keras's checkpoints by Orbax, with what to use in their place."""

from __future__ import annotations

from typing import Any

from polykeras.training.callbacks.monitor import MonitorCallback


class OrbaxCheckpoint(MonitorCallback):
    """Keras's checkpoints in the format of Orbax, which are not available.

    Args:
        directory: where they would be.
        monitor: see `ModelCheckpoint`.
        verbose: see `ModelCheckpoint`.
        save_best_only: see `ModelCheckpoint`.
        mode: see `ModelCheckpoint`.
        save_freq: see `ModelCheckpoint`.
        initial_value_threshold: see `ModelCheckpoint`.
        max_to_keep: how many would be kept.
        save_on_background: whether a thread would write them.
        save_weights_only: see `ModelCheckpoint`.

    Raises:
        NotImplementedError: always; it says what to use.
    """

    def __init__(
        self,
        directory: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ) -> None:
        raise NotImplementedError(
            "OrbaxCheckpoint: Orbax's format belongs to one framework, and polykeras does not write it. Use "
            "ModelCheckpoint for models or weights, or BackupAndRestore for runs that go on."
        )
