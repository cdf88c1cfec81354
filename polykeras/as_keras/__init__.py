"""Stands in for Keras in a whole process: `import keras` and `tf.keras` mean polykeras; the installed Keras stays.

    import polykeras.as_keras
    polykeras.as_keras.install()
    import keras                    # polykeras

The backend is that of POLYKERAS_BACKEND, KERAS_BACKEND or the config file. Where none of them says one, a program that
imports TensorFlow before polykeras has to compute, as one of `tf.keras` does, runs on TensorFlow.

`python -m polykeras.as_keras script.py ...` runs a script so, and `-m module` a module (`-m pytest tests`), unchanged.
"""

from __future__ import annotations

import sys

from polykeras.as_keras.finder import TENSORFLOW, KerasFinder, tensorflow_imported


def install() -> None:
    """Make `keras`, `tensorflow.keras`, `tf.keras` and `tensorflow.python.keras` mean polykeras from now on.

    Call it before anything that imports Keras: a module that did so earlier keeps the true one. The true Keras cannot
    be imported any more in this process; its files are not touched. A second call changes nothing. A process that
    this one starts anew (not by a fork) has to call it too.

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
