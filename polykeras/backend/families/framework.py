"""What a backend does with its framework itself, for the whole process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.backend.spec import Family


class Framework(Family):
    """Settings, seeds, profiles and foreign code of the framework: all optional."""

    def set_matmul_precision(self, precision: str | None) -> None:
        """Set how exactly accelerators multiply, for the whole process.

        Args:
            precision: see `polykeras.set_matmul_precision`; None is "highest", but for an option of the framework that
                was set already.
        """

    def seed_framework(self, seed: int) -> None:
        """Seed the framework's own random numbers, which native code in a user's layer may draw."""

    def start_profile(self, folder: str) -> Callable[[], None] | None:
        """Begin a profile of what runs, by the framework's own profiler.

        Args:
            folder: where the profile goes, for TensorBoard.

        Returns:
            A function that ends it and writes the files; None where the framework has no profiler.
        """
        return None

    def foreign(self, framework: str, wanted_by: str) -> Any:
        """Return what a layer around code of a framework needs of it: a module of that framework's backend.

        Args:
            framework: by its import name.
            wanted_by: the layer, for the message.

        Raises:
            ValueError: if this backend is of another framework.
        """
        raise ValueError(
            f"{wanted_by} runs code of {framework}, and so with the backend of that framework alone; the current one "
            f"is {self.name!r}. Choose it before: `polykeras.set_backend({framework!r})`."
        )
