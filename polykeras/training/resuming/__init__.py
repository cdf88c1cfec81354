"""A run of `fit` that goes on where it was cut: what is kept of it, in which file, and how it is put back."""
