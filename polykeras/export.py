"""Exported models, which are an issue of their own."""

from __future__ import annotations

from polykeras.common.unsupported import NotYet


class ExportArchive(NotYet):
    """Keras's archive of endpoints for TensorFlow Serving, which is not available yet."""

    meanwhile = "Save the model with `model.save('model.keras')`, which Keras 3 reads and exports."


__all__ = ["ExportArchive"]
