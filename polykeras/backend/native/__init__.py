"""What a backend says of native code: code in its framework's own idiom, which looks at variables without asking us.

Neutral code takes gradients by `value_and_grad` and never comes here. See the README of this folder.
"""

from polykeras.backend.native.adapter import VariableAdapter
from polykeras.backend.native.hooks import Native
from polykeras.backend.native.location import NativeLocation
from polykeras.backend.native.modules import NativeModules
from polykeras.backend.native.parameters import NativeParameters
from polykeras.backend.native.steps import NativeSteps

__all__ = ["Native", "NativeLocation", "NativeModules", "NativeParameters", "NativeSteps", "VariableAdapter"]
