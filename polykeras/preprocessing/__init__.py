"""Sequences, texts and images made ready for models, by the names of Keras 2 and 3."""
