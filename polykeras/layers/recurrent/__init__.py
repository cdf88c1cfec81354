"""Recurrent layers and their cells."""

from polykeras.layers.recurrent.cells import GRUCell, LSTMCell, SimpleRNNCell
from polykeras.layers.recurrent.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from polykeras.layers.recurrent.recurrent import GRU, LSTM, CuDNNGRU, CuDNNLSTM, SimpleRNN
from polykeras.layers.recurrent.rnn import RNN
from polykeras.layers.recurrent.stacked_cells import StackedRNNCells

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "CuDNNGRU",
    "CuDNNLSTM",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
]
