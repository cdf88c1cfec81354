"""Torch's random numbers in a recorded function."""

from __future__ import annotations

import torch

from polykeras.common.global_draws import OurThreads


class Generator:
    """The state of torch's CPU generator after the draws that a recording saw.

    Draws of other threads count as unseen, except those of our own threads; see `draws`.
    """

    def __init__(self) -> None:
        self.drew()

    def drew(self) -> None:
        """Note that a draw was seen."""
        self._threads = OurThreads()
        self._state = torch.get_rng_state()

    def was_touched(self) -> bool:
        """Return whether it was seeded or drawn from without the recording seeing it."""
        return not torch.equal(self._state, torch.get_rng_state()) and not self._threads.have_run()
