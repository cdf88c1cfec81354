"""The logs of the epochs in a CSV file."""

from __future__ import annotations

import csv
import os
from typing import Any

import numpy as np

from polykeras.training.callbacks.base import Callback


class CSVLogger(Callback):
    """Writes the logs of each epoch to a file of comma-separated values.

    The file is closed between epochs, so it is complete even if training crashes.

    Args:
        filename: the file.
        separator: between values.
        append: add to an existing file instead of beginning a new one.
    """

    first_worker_only = True

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self.keys: list[str] | None = None

    @property
    def sep(self) -> str:
        """Keras's name of `separator`."""
        return self.separator

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin the file, unless the run continues an earlier one, which wrote it."""
        self.keys = None
        if not self.append and not self.params.get("resumed"):
            with open(self.filename, "w"):
                pass

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write a row. `NA` stands for values that the epoch does not have."""
        logs = logs or {}
        with open(self.filename, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=self.separator)
            if self.keys is None:
                self.keys = _columns(logs)
                if file.tell() == 0:
                    writer.writerow(["epoch", *self.keys])
            writer.writerow([epoch, *(_text(logs.get(key, "NA")) for key in self.keys)])

    def get_state(self) -> dict[str, Any]:
        """Return the columns and the length of the file."""
        return {"keys": self.keys, "size": os.path.getsize(self.filename) if os.path.exists(self.filename) else 0}

    def set_state(self, state: dict[str, Any]) -> None:
        """Remove the rows of epochs that will run again."""
        self.keys = state["keys"]
        if os.path.exists(self.filename) and os.path.getsize(self.filename) > state["size"]:
            os.truncate(self.filename, state["size"])


def _columns(logs: dict[str, Any]) -> list[str]:
    """Return the columns: the names of the logs, and of validations that may come later."""
    keys = sorted(logs)
    return keys if any(key.startswith("val_") for key in keys) else keys + [f"val_{key}" for key in keys]


def _text(value: Any) -> Any:
    return f"[{', '.join(map(str, np.ravel(value)))}]" if np.ndim(value) else value
