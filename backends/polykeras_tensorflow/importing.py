"""The import of TensorFlow, before which the process is prepared. `polykeras_tensorflow.backend` begins with it."""

from __future__ import annotations

import os
import sys

# TensorFlow greets its user with pages of log lines; "2" keeps errors. A value set outside wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# At its import TensorFlow imports Keras, where that is installed, and does without where not. Nothing here needs
# it, and it takes longer than TensorFlow: it is hidden for that moment. `tf.keras` still loads when it is first used.
_hide_keras = "tensorflow" not in sys.modules and "keras" not in sys.modules
if _hide_keras:
    sys.modules["keras"] = None  # type: ignore[assignment]
try:
    import tensorflow as tf
finally:
    if _hide_keras:
        del sys.modules["keras"]

__all__ = ["tf"]
