"""The release of polykeras, and the version of Keras whose API it has."""

__version__ = "0.1.0"
KERAS_RELEASE = "3.15.1"
"""The release of Keras whose API, operations and form of files these are."""
