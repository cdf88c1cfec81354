"""Layers in native code (`mixin.py`), and native layers as attributes of ours (`attributes.py`)."""
