"""A step in PyTorch's idiom, with an optimizer of polykeras and with one of PyTorch, which does not know of workers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import polykeras as keras
from helpers.workers import tell
from polykeras import layers


class Native(keras.Model):
    """Calls `backward()` in its step."""

    def __init__(self, own_optimizer: bool) -> None:
        super().__init__()
        self.last = layers.Dense(4)
        self.own: Any = None
        self.own_optimizer = own_optimizer

    def call(self, x: Any) -> Any:
        return self.last(x)

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        loss = torch.mean((self(x) - y) ** 2)
        self.zero_grad()
        loss.backward()
        if self.own_optimizer:
            self.own = self.own or torch.optim.SGD(self.parameters(), lr=0.1)
            self.own.step()
        else:
            weights = list(self.trainable_weights)
            with torch.no_grad():
                self.optimizer.apply([v.value.grad for v in weights], weights)
        return {"loss": loss}


def losses(own_optimizer: bool) -> Any:
    """Return the losses of two epochs, or the error."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    model = Native(own_optimizer)
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    try:
        return model.fit(x, x, batch_size=16, epochs=2, verbose=0).history["loss"]
    except RuntimeError as error:
        return str(error)


keras.distribution.initialize()
here = keras.distribution.DataParallel()
keras.distribution.set_distribution(here)
tell(here.data_shard_id, {"ours": losses(False), "theirs": losses(True)})
