"""Whole models and weights in the HDF5 format of Keras 1 and 2, which Keras 3 still writes and reads."""
