"""The one list of known differences: between frameworks, and from Keras 3. `docs/known_differences.md` shows both."""

from known_differences.frameworks import KNOWN, Difference, known
from known_differences.from_keras import FROM_KERAS, FromKeras, of

__all__ = ["FROM_KERAS", "KNOWN", "Difference", "FromKeras", "known", "of"]
