"""The compiler of this backend: a function runs once, is recorded below autograd, and repeats as a list of kernels."""
