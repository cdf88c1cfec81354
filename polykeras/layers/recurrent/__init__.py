"""Recurrent layers and their cells."""

from polykeras.layers.recurrent.cells import GRUCell, LSTMCell, SimpleRNNCell
from polykeras.layers.recurrent.recurrent import GRU, LSTM, CuDNNGRU, CuDNNLSTM, SimpleRNN
from polykeras.layers.recurrent.rnn import RNN
from polykeras.layers.recurrent.stacked_cells import StackedRNNCells

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "CuDNNGRU",
    "CuDNNLSTM",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
]
