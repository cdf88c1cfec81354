"""Replaces Keras in a whole process: `import keras` and `tf.keras` mean polykeras. The installed Keras is not changed.

    import polykeras.as_keras
    polykeras.as_keras.install()
    import keras                    # polykeras

The backend is that of POLYKERAS_BACKEND, KERAS_BACKEND or the config file. If none of them names one, a program that
imports TensorFlow before polykeras has to compute, as programs with `tf.keras` do, runs on TensorFlow.

`python -m polykeras.as_keras script.py ...` runs an unchanged script in this way, and `-m module` a module
(`-m pytest tests`).
"""

from __future__ import annotations

import sys

from polykeras.as_keras.finder import TENSORFLOW, KerasFinder, tensorflow_imported


def install() -> None:
    """Make `keras`, `tensorflow.keras`, `tf.keras` and `tensorflow.python.keras` mean polykeras from now on.

    Call it before anything that imports Keras, since a module that did so earlier keeps the real Keras. The real Keras
    can no longer be imported in this process; its files are not touched. A second call changes nothing. A process that
    this one starts (not by a fork) must call it too.

    Example:
        >>> import polykeras.as_keras
        >>> polykeras.as_keras.install()  # doctest: +SKIP
        >>> from keras.layers import Dense  # doctest: +SKIP
    """
    if any(isinstance(finder, KerasFinder) for finder in sys.meta_path):
        return
    for name in [
        name for name in sys.modules if f"{name}.".startswith(("keras.", "keras_core.", f"{TENSORFLOW}.keras."))
    ]:
        del sys.modules[name]
    sys.meta_path.insert(0, KerasFinder())
    if TENSORFLOW in sys.modules:
        tensorflow_imported()


__all__ = ["install"]
