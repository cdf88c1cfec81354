"""Keras's callback for Orbax checkpoints, which says what to use instead."""

from __future__ import annotations

from typing import Any

from polykeras.training.callbacks.monitor import MonitorCallback


class OrbaxCheckpoint(MonitorCallback):
    """Keras's callback for checkpoints in Orbax's format. It is not available.

    Args:
        directory: the folder.
        monitor: see `ModelCheckpoint`.
        verbose: see `ModelCheckpoint`.
        save_best_only: see `ModelCheckpoint`.
        mode: see `ModelCheckpoint`.
        save_freq: see `ModelCheckpoint`.
        initial_value_threshold: see `ModelCheckpoint`.
        max_to_keep: the number of checkpoints to keep.
        save_on_background: write in a thread.
        save_weights_only: see `ModelCheckpoint`.

    Raises:
        NotImplementedError: always; the message says what to use.
    """

    first_worker_only = True

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
            "ModelCheckpoint to save models or weights, or BackupAndRestore to resume a run."
        )
