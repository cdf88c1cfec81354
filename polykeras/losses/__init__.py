"""Losses."""

from polykeras.losses.loss import LOSSES, Loss, LossFunctionWrapper

get = LOSSES.get
