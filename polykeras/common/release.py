"""The release of polykeras."""

__version__ = "0.1.0"
