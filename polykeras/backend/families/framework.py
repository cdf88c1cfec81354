"""Process-wide functions of a backend that concern its framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.backend.spec import Family


class Framework(Family):
    """Settings, profiles and foreign code of the framework. All of these are optional."""

    def set_matmul_precision(self, precision: str | None) -> None:
        """Set the precision of matrix products on accelerators, for the whole process.

        Args:
            precision: see `polykeras.set_matmul_precision`. None means "highest", unless the framework's own option
                was set before.
        """

    def start_profile(self, folder: str) -> Callable[[], None] | None:
        """Start a profile with the framework's own profiler.

        Args:
            folder: the folder of the profile, for TensorBoard.

        Returns:
            A function that ends the profile and writes the files, or None if the framework has no profiler.
        """
        return None

    def foreign(self, framework: str, wanted_by: str) -> Any:
        """Return a module of this backend that a layer around code of a framework needs.

        Args:
            framework: the import name of the framework.
            wanted_by: the layer, for the message.

        Raises:
            ValueError: if this backend is of another framework.
        """
        raise ValueError(
            f"{wanted_by} runs code of {framework}, so it needs the backend of that framework; the current one is "
            f"{self.name!r}. Choose it first: `polykeras.set_backend({framework!r})`."
        )
