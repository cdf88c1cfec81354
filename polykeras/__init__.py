"""Keras-style models, written once and run on TensorFlow, PyTorch, JAX or NumPy with the same numbers."""
