"""The names of Keras 2.11's legacy optimizers. They are today's optimizers, which also accept `lr` and `decay`."""

from polykeras.optimizers.adagrad import Adagrad
from polykeras.optimizers.adam import Adam
from polykeras.optimizers.base import Optimizer
from polykeras.optimizers.ftrl import Ftrl
from polykeras.optimizers.rmsprop import RMSprop
from polykeras.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop"]
