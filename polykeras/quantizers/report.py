"""What quantizing a model did to each of its layers."""

from __future__ import annotations


class CannotQuantize(NotImplementedError):
    """A layer does not support a quantization.

    Args:
        message: the text of the error.
        reason: the reason in a report, one of `QuantizationReport`.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class QuantizationReport:
    """The layers that `Model.quantize` quantized, and those that it left, each with the reason.

    Args:
        mode: the mode, such as `"int8"`.

    Attributes:
        quantized: `(path, mode, name of the dtype policy)` of each quantized layer.
        skipped: `(path, reason)` of each layer that stays as it is. Reasons are those of the class.

    Example:
        >>> import polykeras as keras
        >>> layers = [keras.Input((4,)), keras.layers.Dense(2, name="wide"), keras.layers.ReLU(name="cut")]
        >>> model = keras.Sequential(layers, name="net")
        >>> report = model.quantize("int8", verbose=False)
        >>> report.quantized, report.skipped
        ([('net/wide', 'int8', 'int8_from_float32')], [('cut', 'no quantize support')])
    """

    SKIP_NO_SUPPORT = "no quantize support"
    SKIP_FILTERED = "filtered out"
    SKIP_ALREADY_QUANTIZED = "already quantized"
    SKIP_OUTSIDE_STRUCTURE = "outside quantization structure"
    # Keras reports these two as the first.
    SKIP_LORA = "has LoRA, which the mode does not support"
    SKIP_SUBCLASS = "a user's class, which type_check leaves out"

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode
        self.quantized: list[tuple[str, str | None, str]] = []
        self.skipped: list[tuple[str, str]] = []
        self._unsupported: list[tuple[str, str]] = []

    def add_quantized(self, path: str, mode: str | None, scheme: str) -> None:
        """Add a quantized layer.

        Args:
            path: the path of the layer.
            mode: its mode.
            scheme: the name of its dtype policy.
        """
        self.quantized.append((path, mode, scheme))

    def add_skipped(self, path: str, reason: str) -> None:
        """Add a layer that stays as it is.

        Args:
            path: the path of the layer.
            reason: one of the reasons of the class.
        """
        self.skipped.append((path, reason))
        if reason in (self.SKIP_NO_SUPPORT, self.SKIP_LORA, self.SKIP_SUBCLASS):
            self._unsupported.append((path, reason))

    def add_without_weights(self, path: str) -> None:
        """Add a layer that has no weights of its own to quantize; `summary_warning` does not name it.

        Args:
            path: the path of the layer.
        """
        self.skipped.append((path, self.SKIP_NO_SUPPORT))

    @property
    def num_quantized(self) -> int:
        """The number of quantized layers."""
        return len(self.quantized)

    @property
    def num_skipped(self) -> int:
        """The number of layers that stay as they are."""
        return len(self.skipped)

    def skipped_by_reason(self, reason: str) -> list[str]:
        """Return the paths of the layers that stay for a reason.

        Args:
            reason: one of the reasons of the class.
        """
        return [path for path, why in self.skipped if why == reason]

    def summary_warning(self, max_examples: int = 5) -> str | None:
        """Return a line about the layers with weights that cannot be quantized, or None if there are none.

        Args:
            max_examples: the largest number of layers that are named.
        """
        left = self._unsupported
        if not left:
            return None
        named = [f"{path!r} ({why})" for path, why in left[:max_examples]] + ["..."] * (len(left) > max_examples)
        return (
            f"quantize({self.mode!r}) leaves {len(left)} layers with weights unchanged: {', '.join(named)}. "
            f"{self.num_quantized} are quantized."
        )

    def render(self) -> str:
        """Return all layers as text, a line each."""
        done = [f"  {path}: {scheme} ({mode})" for path, mode, scheme in self.quantized]
        left = [f"  {path}: {reason}" for path, reason in self.skipped]
        return "\n".join(
            [f"quantize({self.mode!r})", f"Quantized: {len(done)}", *done, f"Left unchanged: {len(left)}", *left]
        )

    def __repr__(self) -> str:
        return f"QuantizationReport(mode={self.mode!r}, quantized={self.num_quantized}, skipped={self.num_skipped})"
