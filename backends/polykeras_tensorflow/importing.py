"""The import of TensorFlow, after preparing the process. `polykeras_tensorflow.backend` begins with it."""

from __future__ import annotations

import os
import sys

# TensorFlow starts with pages of log lines. "2" keeps errors only. A value that the user has set takes precedence.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# TensorFlow imports Keras if it is installed, and works without it. Nothing here needs Keras, and it takes longer to
# import than TensorFlow, so it is hidden during the import. `tf.keras` still loads when it is first used.
_hide_keras = "tensorflow" not in sys.modules and "keras" not in sys.modules
if _hide_keras:
    sys.modules["keras"] = None  # type: ignore[assignment]
try:
    import tensorflow as tf
finally:
    if _hide_keras:
        del sys.modules["keras"]

__all__ = ["tf"]
