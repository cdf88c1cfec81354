"""The logs of the epochs, sent to a server."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from polykeras.training.callbacks.base import Callback


class RemoteMonitor(Callback):
    """Sends the logs of each epoch to a server, with POST. This needs the package `requests`.

    Args:
        root: the address of the server.
        path: the path on the server.
        field: the field of the form that holds the logs as JSON.
        headers: headers of the request.
        send_as_json: send the logs as JSON, without a form.
    """

    first_worker_only = True

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Send the number and the logs of the epoch. If the server cannot be reached, warn.

        Args:
            epoch: counted from 0.
            logs: the loss and the metrics by name.

        Raises:
            ImportError: `requests` is not installed.
        """
        try:
            import requests
        except ImportError:
            raise ImportError("RemoteMonitor needs the package requests: pip install requests") from None
        plain = {k: v.tolist() if isinstance(v, (np.ndarray, np.generic)) else v for k, v in (logs or {}).items()}
        send = {"epoch": epoch, **plain}
        body: dict[str, Any] = {"json": send} if self.send_as_json else {"data": {self.field: json.dumps(send)}}
        try:
            requests.post(self.root + self.path, headers=self.headers, **body)
        except requests.exceptions.RequestException as error:
            warnings.warn(f"RemoteMonitor could not reach {self.root}: {type(error).__name__}.", stacklevel=2)
